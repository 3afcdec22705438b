/* Several collectives under way at once, begun in one order and ended in another; results that are the same each time and everywhere. */
#include "check.h"
#include <string.h>

int main(int argc, char **argv) {
    enum { OPERATIONS = 12, N = 500 };
    int rank, ranks;
    static int data[OPERATIONS][N], sum[OPERATIONS][N];
    static double mine[N], first[N], again[N], everywhere[N];
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    MPI_Request requests[OPERATIONS];
    for (int k = 0; k < OPERATIONS; k++) {
        for (int i = 0; i < N; i++) data[k][i] = k % 2 ? rank + k + i : (rank == k % ranks ? k * 3 + i : -1);
        if (k % 2) OK(MPI_Iallreduce(data[k], sum[k], N, MPI_INT, MPI_SUM, MPI_COMM_WORLD, &requests[k]));
        else OK(MPI_Ibcast(data[k], N, MPI_INT, k % ranks, MPI_COMM_WORLD, &requests[k]));
    }
    /* Blocking ones, and messages, go on beside them. */
    int total = 0, next = -1, one = 1;
    OK(MPI_Allreduce(&one, &total, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    CHECK_EQ(total, ranks);
    OK(MPI_Sendrecv(&rank, 1, MPI_INT, (rank + ranks - 1) % ranks, 0, &next, 1, MPI_INT, (rank + 1) % ranks, 0, MPI_COMM_WORLD,
                    MPI_STATUS_IGNORE));
    CHECK_EQ(next, (rank + 1) % ranks);
    for (int k = 0; k < OPERATIONS; k++) {
        int place = rank % 2 ? OPERATIONS - 1 - k : k;
        OK(MPI_Wait(&requests[place], MPI_STATUS_IGNORE));
    }
    for (int k = 0; k < OPERATIONS; k++) for (int i = 0; i < N; i++) {
        if (k % 2) CHECK_EQ(sum[k][i], ranks * (ranks - 1) / 2 + ranks * (k + i));
        else CHECK_EQ(data[k][i], k * 3 + i);
    }
    /* Persistent ones may be started in any order. */
    OK(MPI_Allreduce_init(data[1], sum[1], N, MPI_INT, MPI_MAX, MPI_COMM_WORLD, MPI_INFO_NULL, &requests[0]));
    OK(MPI_Barrier_init(MPI_COMM_WORLD, MPI_INFO_NULL, &requests[1]));
    for (int round = 0; round < 5; round++) {
        OK(MPI_Start(&requests[(rank + round) % 2]));
        OK(MPI_Start(&requests[(rank + round + 1) % 2]));
        OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
        CHECK_EQ(sum[1][0], ranks);
    }
    OK(MPI_Request_free(&requests[0]));
    OK(MPI_Request_free(&requests[1]));
    /* Sums of floating-point numbers that depend on the order. */
    for (int n = 1; n <= N; n += 83) {
        for (int i = 0; i < n; i++) mine[i] = 1.0 / (rank + 1 + i) * (i % 2 ? 1e10 : 1e-5);
        OK(MPI_Allreduce(mine, first, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
        for (int round = 0; round < 20; round++) {
            OK(MPI_Allreduce(mine, again, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
            CHECK(!memcmp(first, again, n * sizeof *first));
        }
        memcpy(everywhere, first, sizeof first);
        OK(MPI_Bcast(everywhere, n, MPI_DOUBLE, 0, MPI_COMM_WORLD));
        CHECK(!memcmp(first, everywhere, n * sizeof *first));
    }
    /* A row of broadcasts and reductions, in which roots run ahead. */
    for (int round = 0; round < 2000; round++) {
        int value = rank == round % ranks ? round : -1;
        if (round % 7 < 5) OK(MPI_Bcast(&value, 1, MPI_INT, round % ranks, MPI_COMM_WORLD));
        else OK(MPI_Reduce(&round, &value, 1, MPI_INT, MPI_MAX, round % ranks, MPI_COMM_WORLD));
        if (round % 7 < 5 || rank == round % ranks) CHECK_EQ(value, round);
    }
    /* Communicators come and go. */
    for (int round = 0; round < 30; round++) {
        MPI_Comm comm;
        OK(MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &comm));
        OK(MPI_Allreduce(&one, &total, 1, MPI_INT, MPI_SUM, comm));
        CHECK_EQ(total, rank % 2 ? ranks / 2 : (ranks + 1) / 2);
        OK(MPI_Comm_free(&comm));
    }
    OK(MPI_Finalize());
    return 0;
}
