/* stuck HOW: the ranks wait for what never comes. */
#include "check.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int rank, ranks, data[1200000];

static void said(int signal) {
    (void)signal;
    if (write(1, "caught\n", 7) < 0) _exit(1);
}

static void compute_for_ever(void) {
    printf("computing\n");
    fflush(stdout);
    for (;;) pause();
}

/* Each rank receives from the next one. */
static void circle(void) { MPI_Recv(data, 1, MPI_INT, (rank + 1) % ranks, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE); }

/* Messages that are too long to be sent before somebody wants them. */
static void sends(void) { MPI_Send(data, 1200000, MPI_INT, (rank + 1) % ranks, 6, MPI_COMM_WORLD); }

/* The last rank computes, the others are in a barrier. */
static void barrier(void) {
    MPI_Barrier(MPI_COMM_WORLD); /* makes the shared memory */
    if (rank == ranks - 1) compute_for_ever();
    MPI_Barrier(MPI_COMM_WORLD);
}

/* The same, without shared memory. */
static void ibarrier(void) {
    MPI_Request request;
    if (rank == ranks - 1) compute_for_ever();
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* Rank 0 waits for a message, the others for rank 0 in a broadcast. */
static void mixed(void) {
    MPI_Comm comm;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_set_name(comm, "the solver's");
    MPI_Bcast(data, 1, MPI_INT, 0, comm);
    if (rank == 0)
        MPI_Recv(data, 1, MPI_INT, 1, 7, comm, MPI_STATUS_IGNORE);
    else
        MPI_Bcast(data, 1, MPI_INT, 0, comm);
}

/* Rank 0 probes for any message of ranks that have finalised. */
static void finalized(void) {
    if (rank == 0) MPI_Probe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

/* One of two is enough, in a communicator whose ranks are others than the job's. */
static void either(void) {
    MPI_Comm comm;
    MPI_Request requests[2];
    int index;
    MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &comm);
    for (int i = 0; i < 2; i++) MPI_Irecv(data + i, 1, MPI_INT, (ranks - 1 - rank + 1 + i) % ranks, i, comm, &requests[i]);
    if (rank == 0) compute_for_ever();
    MPI_Waitany(2, requests, &index, MPI_STATUS_IGNORE);
}

/* A loop of tests. */
static void polls(void) {
    MPI_Request request;
    int flag = 0;
    MPI_Irecv(data, 1, MPI_INT, (rank + 1) % ranks, 0, MPI_COMM_WORLD, &request);
    printf("polling\n");
    fflush(stdout);
    while (!flag) MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*wait)(void);
    } ways[] = { { "circle", circle },   { "sends", sends },         { "barrier", barrier }, { "ibarrier", ibarrier },
                 { "mixed", mixed },     { "finalized", finalized }, { "either", either },   { "polls", polls } };
    CHECK(argc >= 2);
    if (argc > 2) signal(SIGUSR1, said);
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(argv[1], ways[i].name)) ways[i].wait();
    OK(MPI_Finalize());
    return 0;
}
