/* Each rank sends known messages, and takes part in three barriers. */
#include "check.h"

static char data[5000000];

int main(int argc, char **argv) {
    int rank, ranks;
    MPI_Request request;
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks;
    /* rank + 1 short messages to the next rank, one long one, and one to itself */
    for (int i = 0; i <= rank; i++) OK(MPI_Send(data, 100, MPI_CHAR, next, 1, MPI_COMM_WORLD));
    for (int i = 0; i <= previous; i++) OK(MPI_Recv(data, 100, MPI_CHAR, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    OK(MPI_Isend(data, sizeof data, MPI_CHAR, next, 2, MPI_COMM_WORLD, &request));
    static char other[sizeof data];
    OK(MPI_Recv(other, sizeof other, MPI_CHAR, previous, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Send(data, 7, MPI_CHAR, rank, 3, MPI_COMM_WORLD));
    OK(MPI_Recv(other, 7, MPI_CHAR, rank, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    for (int i = 0; i < 3; i++) OK(MPI_Barrier(MPI_COMM_WORLD));
    OK(MPI_Finalize());
    return 0;
}
