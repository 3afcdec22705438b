/* misbehave RANK HOW: that rank does something wrong while the others wait for ever. */
#include "check.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int rank;
    CHECK(argc == 3);
    if (!strcmp(argv[2], "never-init") && atoi(getenv("PMI_RANK")) == atoi(argv[1])) {
        sleep(1);
        return 0;
    }
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    if (rank == atoi(argv[1])) {
        const char *how = argv[2];
        if (!strcmp(how, "segfault")) raise(SIGSEGV);
        if (!strcmp(how, "exit-5")) exit(5);
        if (!strcmp(how, "exit-0")) exit(0);
        if (!strcmp(how, "abort")) MPI_Abort(MPI_COMM_WORLD, 9);
        if (!strcmp(how, "late")) {
            OK(MPI_Finalize());
            return 6;
        }
    }
    if (!strcmp(argv[2], "late")) {
        OK(MPI_Finalize());
        return 0;
    }
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    if (!strcmp(argv[2], "deaf")) signal(SIGTERM, SIG_IGN);
    for (;;) pause();
}
