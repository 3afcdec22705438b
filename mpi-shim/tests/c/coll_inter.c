/* Collectives between two groups: the even ranks and the odd ones. */
#define PERSISTENT_ROUNDS 2
#include "coll_forms.h"

static int rank, ranks, remote, side;
static MPI_Comm comm;

/* Of the member r of a side. */
static int element(int of_side, int r, int i) { return of_side * 100000 + r * 1000 + i; }

static int root_of(int sending) { return side != sending ? 0 : rank ? MPI_PROC_NULL : MPI_ROOT; }

int main(int argc, char **argv) {
    enum { N = 7 };
    int world, size, mine[64 * N], other[64 * N];
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &world));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    CHECK(size >= 2 && size <= 64);
    side = world % 2;
    MPI_Comm local;
    OK(MPI_Comm_split(MPI_COMM_WORLD, side, world, &local));
    OK(MPI_Intercomm_create(local, 0, MPI_COMM_WORLD, !side, 5, &comm));
    OK(MPI_Comm_rank(comm, &rank));
    OK(MPI_Comm_size(comm, &ranks));
    OK(MPI_Comm_remote_size(comm, &remote));
    for (int i = 0; i < 64 * N; i++) mine[i] = element(side, rank, i);
    OK(MPI_Barrier(comm));
    for (form = 0; form < FORMS; form++) {
        for (int from = 0; from < 2; from++) {
            int root = root_of(from), at_root = root == MPI_ROOT, far = side != from;
            int *data = far ? other : mine;
            CALL(Bcast, bcast, data, N, MPI_INT, root, comm);
            for (int i = 0; far && i < N; i++) CHECK_EQ(other[i], element(from, 0, i));
            CALL(Scatter, scatter, mine, N, MPI_INT, other, N, MPI_INT, root, comm);
            for (int i = 0; far && i < N; i++) CHECK_EQ(other[i], element(from, 0, rank * N + i));
            CALL(Gather, gather, mine, N, MPI_INT, other, N, MPI_INT, root, comm);
            for (int r = 0; at_root && r < remote; r++) for (int i = 0; i < N; i++) CHECK_EQ(other[r * N + i], element(!side, r, i));
            CALL(Reduce, reduce, mine, other, N, MPI_INT, MPI_SUM, root, comm);
            for (int i = 0; at_root && i < N; i++) {
                int total = 0;
                for (int r = 0; r < remote; r++) total += element(!side, r, i);
                CHECK_EQ(other[i], total);
            }
        }
        CALL(Allgather, allgather, mine, N, MPI_INT, other, N, MPI_INT, comm);
        for (int r = 0; r < remote; r++) for (int i = 0; i < N; i++) CHECK_EQ(other[r * N + i], element(!side, r, i));
        CALL(Alltoall, alltoall, mine, N, MPI_INT, other, N, MPI_INT, comm);
        for (int r = 0; r < remote; r++) for (int i = 0; i < N; i++) CHECK_EQ(other[r * N + i], element(!side, r, rank * N + i));
        CALL(Allreduce, allreduce, mine, other, N, MPI_INT, MPI_MAX, comm);
        for (int i = 0; i < N; i++) CHECK_EQ(other[i], element(!side, remote - 1, i));
        /* Both sides give the same number of elements, however many they are. */
        int count = remote * 2;
        CALL(Reduce_scatter_block, reduce_scatter_block, mine, other, count, MPI_INT, MPI_MIN, comm);
        for (int i = 0; i < count; i++) CHECK_EQ(other[i], element(!side, 0, rank * count + i));
    }
    OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    FAILS(MPI_Scan(mine, other, N, MPI_INT, MPI_SUM, comm), MPI_ERR_COMM);
    FAILS(MPI_Allreduce(MPI_IN_PLACE, other, N, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
    OK(MPI_Comm_free(&comm));
    OK(MPI_Comm_free(&local));
    OK(MPI_Finalize());
    return 0;
}
