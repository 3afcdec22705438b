/* Two ranks on one core, on a machine that may have more: who waits has to leave the core to the other. What waiting costs
 * is processor time, which does not depend on what else the machine does. */
#define _GNU_SOURCE
#include "check.h"
#include <sched.h>
#include <sys/resource.h>

enum { ROUNDS = 500 };

/* Processor time that each round may take: 20,000 looks in vain take three times as long with optimisations, and more without. */
#define LIMIT 100e-6

static double used(void) {
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(void) {
    cpu_set_t allowed, one;
    int rank, core = 0;
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET(core, &allowed)) core++;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    for (int collective = 0; collective < 2; collective++) {
        double begin = used();
        for (int i = 0; i < ROUNDS; i++) {
            int sum = 0, other = -1;
            if (collective) {
                OK(MPI_Allreduce(&i, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
                CHECK_EQ(sum, 2 * i);
            } else {
                OK(MPI_Sendrecv(&i, 1, MPI_INT, 1 - rank, 0, &other, 1, MPI_INT, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
                CHECK_EQ(other, i);
            }
        }
        double each = (used() - begin) / ROUNDS;
        if (each > LIMIT) fprintf(stderr, "%s: %.0f us of the processor for a round\n", collective ? "allreduce" : "sendrecv", each * 1e6);
        CHECK(each < LIMIT);
    }
    OK(MPI_Finalize());
    return 0;
}
