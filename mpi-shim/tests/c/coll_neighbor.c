/* Collectives among neighbours, in every form: a ring, a grid with ends, and a graph. */
#define PERSISTENT_ROUNDS 2
#include "coll_forms.h"

static int rank, ranks;
static int element(int r, int i) { return r * 100 + i; }

/* Exchanges in all ways; what comes from source s is checked by what it sent towards us. `towards[s]` is our place among its destinations. */
static void exchange(MPI_Comm comm, int in, const int *sources, const int *towards, int out) {
    enum { N = 3, MOST = 16 };
    int mine[MOST * N], other[MOST * N], counts[MOST], places[MOST];
    MPI_Count large_counts[MOST];
    MPI_Aint large_places[MOST], bytes[MOST];
    MPI_Datatype types[MOST];
    CHECK(in <= MOST && out <= MOST);
    for (int i = 0; i < MOST * N; i++) mine[i] = element(rank, i);
    for (int i = 0; i < MOST; i++) {
        large_counts[i] = counts[i] = N;
        large_places[i] = places[i] = i * N;
        bytes[i] = i * N * (int)sizeof(int);
        types[i] = MPI_INT;
    }
    for (int way = 0; way < 5; way++) {
        for (int i = 0; i < MOST * N; i++) other[i] = -1;
        switch (way) {
        case 0: CALL(Neighbor_allgather, neighbor_allgather, mine, N, MPI_INT, other, N, MPI_INT, comm); break;
        case 1:
            CALL2(Neighbor_allgatherv, neighbor_allgatherv, ARGS(mine, N, MPI_INT, other, counts, places, MPI_INT, comm),
                  ARGS(mine, N, MPI_INT, other, large_counts, large_places, MPI_INT, comm));
            break;
        case 2: CALL(Neighbor_alltoall, neighbor_alltoall, mine, N, MPI_INT, other, N, MPI_INT, comm); break;
        case 3:
            CALL2(Neighbor_alltoallv, neighbor_alltoallv, ARGS(mine, counts, places, MPI_INT, other, counts, places, MPI_INT, comm),
                  ARGS(mine, large_counts, large_places, MPI_INT, other, large_counts, large_places, MPI_INT, comm));
            break;
        case 4:
            CALL2(Neighbor_alltoallw, neighbor_alltoallw, ARGS(mine, counts, bytes, types, other, counts, bytes, types, comm),
                  ARGS(mine, large_counts, bytes, types, other, large_counts, bytes, types, comm));
        }
        for (int s = 0; s < in; s++) for (int i = 0; i < N; i++) {
            int expected = sources[s] == MPI_PROC_NULL ? -1 : element(sources[s], (way < 2 ? 0 : towards[s] * N) + i);
            CHECK_EQ(other[s * N + i], expected);
        }
    }
}

static void grid(int dimensions, int periodic) {
    int dims[3] = { 0 }, periods[3] = { periodic, periodic, periodic }, sources[6], towards[6];
    OK(MPI_Dims_create(ranks, dimensions, dims));
    MPI_Comm comm;
    OK(MPI_Cart_create(MPI_COMM_WORLD, dimensions, dims, periods, 0, &comm));
    for (int d = 0; d < dimensions; d++) {
        OK(MPI_Cart_shift(comm, d, 1, &sources[2 * d], &sources[2 * d + 1]));
        /* The one before sends upwards to us, the one after downwards. */
        towards[2 * d] = 2 * d + 1;
        towards[2 * d + 1] = 2 * d;
    }
    exchange(comm, 2 * dimensions, sources, towards, 2 * dimensions);
    OK(MPI_Comm_free(&comm));
}

/* Everybody sends to the next two, and twice to the one after. */
static void graph(void) {
    int to[3] = { (rank + 1) % ranks, (rank + 2) % ranks, (rank + 1) % ranks };
    int from[3] = { (rank + ranks - 1) % ranks, (rank + 2 * ranks - 2) % ranks, (rank + ranks - 1) % ranks };
    int towards[3] = { 0, 1, 2 }, weights[3] = { 1, 1, 1 };
    if (ranks < 3) return; /* there, the two next are the same, and so is the order of edges */
    MPI_Comm comm;
    OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 3, from, weights, 3, to, weights, MPI_INFO_NULL, 0, &comm));
    exchange(comm, 3, from, towards, 3);
    OK(MPI_Comm_free(&comm));
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    for (form = 0; form < FORMS; form++) {
        for (int dimensions = 1; dimensions <= 3; dimensions++) {
            grid(dimensions, 0);
            grid(dimensions, 1);
        }
        graph();
    }
    OK(MPI_Finalize());
    return 0;
}
