/* Each rank says who it is; the environment agrees. `ranks together`: nobody ends before all have begun. */
#include "check.h"
#include <string.h>

int main(int argc, char **argv) {
    int rank, size, flag;
    OK(MPI_Initialized(&flag));
    CHECK(!flag);
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Initialized(&flag));
    CHECK(flag);
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    if (getenv("PMI_RANK")) {
        CHECK_EQ(rank, atoi(getenv("PMI_RANK")));
        CHECK_EQ(size, atoi(getenv("PMI_SIZE")));
    }
    printf("rank %d of %d%s%s\n", rank, size, argc > 1 ? ": " : "", argc > 1 ? argv[1] : "");
    if (argc > 1 && !strcmp(argv[1], "together")) OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Finalize());
    OK(MPI_Finalized(&flag));
    CHECK(flag);
    return 0;
}
