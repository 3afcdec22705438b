/* work SEED: messages of all lengths and collectives for ever, while ranks now and then sleep. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 18 };
static char out[MOST], in[MOST];

int main(int argc, char **argv) {
    int rank, ranks;
    CHECK(argc == 2);
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    unsigned same = (unsigned)atoi(argv[1]), own = same + 1 + (unsigned)rank;
    int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks;
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    for (;;) {
        int bytes = 1 << rand_r(&same) % 19, what = rand_r(&same) % 7, block = bytes / ranks;
        MPI_Request request;
        if (rand_r(&own) % 20 == 0) {
            struct timespec pause = { 0, rand_r(&own) % 60 * 1000000L };
            nanosleep(&pause, NULL);
        }
        switch (what) {
        case 0:
            OK(MPI_Sendrecv(out, bytes, MPI_CHAR, next, 1, in, bytes, MPI_CHAR, previous, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
            break;
        case 1:
            OK(MPI_Irecv(in, bytes, MPI_CHAR, MPI_ANY_SOURCE, 2, MPI_COMM_WORLD, &request));
            OK(MPI_Ssend(out, bytes, MPI_CHAR, next, 2, MPI_COMM_WORLD));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
            break;
        case 2: OK(MPI_Barrier(MPI_COMM_WORLD)); break;
        case 3: OK(MPI_Bcast(in, bytes, MPI_CHAR, bytes % ranks, MPI_COMM_WORLD)); break;
        case 4: OK(MPI_Allreduce(out, in, bytes, MPI_SIGNED_CHAR, MPI_MAX, MPI_COMM_WORLD)); break;
        case 5: OK(MPI_Alltoall(out, block, MPI_CHAR, in, block, MPI_CHAR, MPI_COMM_WORLD)); break;
        default:
            OK(MPI_Ibcast(in, bytes, MPI_CHAR, 0, MPI_COMM_WORLD, &request));
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        }
    }
}
