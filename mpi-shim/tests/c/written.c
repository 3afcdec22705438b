/* Results that other ranks write, in memory that nobody has written before: right, and known to valgrind as written. */
#include "check.h"

enum { COUNT = 20000 };

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    int rank, ranks;
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    int *mine = malloc(COUNT * sizeof *mine);
    for (int i = 0; i < COUNT; i++) mine[i] = rank + i;
    for (int root = 0; root < ranks; root++) {
        int *sent = malloc(COUNT * sizeof *sent), *sum = malloc(COUNT * sizeof *sum), *all = malloc(COUNT * sizeof *all);
        if (rank == root) for (int i = 0; i < COUNT; i++) sent[i] = root + i;
        OK(MPI_Bcast(sent, COUNT, MPI_INT, root, MPI_COMM_WORLD));
        OK(MPI_Reduce(mine, sum, COUNT, MPI_INT, MPI_SUM, root, MPI_COMM_WORLD));
        OK(MPI_Allreduce(mine, all, COUNT, MPI_INT, MPI_MAX, MPI_COMM_WORLD));
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ(sent[i], root + i);
            if (rank == root) CHECK_EQ(sum[i], ranks * i + ranks * (ranks - 1) / 2);
            CHECK_EQ(all[i], ranks - 1 + i);
        }
        free(sent); free(sum); free(all);
    }
    free(mine);
    OK(MPI_Finalize());
    return 0;
}
