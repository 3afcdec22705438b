/* pair SECONDS: latency and bandwidth between ranks 0 and 1. Prints "WHAT BYTES VALUE": microseconds one way, or MB/s. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64, LONGEST = 1 << 20 };
static int rank;
static char *out, *in;

static void ping_pong(int bytes) {
    if (rank == 0) MPI_Send(out, bytes, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
    MPI_Recv(in, bytes, MPI_CHAR, !rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 1) MPI_Send(out, bytes, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
}

static void window(int bytes) {
    MPI_Request all[WINDOW];
    for (int i = 0; i < WINDOW; i++) {
        if (rank == 0) MPI_Isend(out, bytes, MPI_CHAR, 1, 1, MPI_COMM_WORLD, &all[i]);
        else MPI_Irecv(in, bytes, MPI_CHAR, 0, 1, MPI_COMM_WORLD, &all[i]);
    }
    MPI_Waitall(WINDOW, all, MPI_STATUSES_IGNORE);
    if (rank == 0) MPI_Recv(in, 1, MPI_CHAR, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else MPI_Send(out, 1, MPI_CHAR, 0, 2, MPI_COMM_WORLD);
}

static double seconds(void (*operation)(int), int bytes, int times) {
    MPI_Barrier(MPI_COMM_WORLD);
    double begun = MPI_Wtime();
    for (int i = 0; i < times; i++) operation(bytes);
    return (MPI_Wtime() - begun) / times;
}

static void check(int bytes) {
    for (int i = 0; i < bytes; i++) { out[i] = (char)(i * 11 + rank); in[i] = 0; }
    ping_pong(bytes);
    for (int i = 0; i < bytes; i++) if (in[i] != (char)(i * 11 + !rank)) {
        fprintf(stderr, "byte %d of %d is wrong\n", i, bytes);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

int main(int argc, char **argv) {
    static const int sizes[] = { 8, 1024, 8192, 65536, 1 << 20 };
    double budget = argc > 1 ? atof(argv[1]) : 0.05;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    out = malloc(LONGEST); in = malloc(LONGEST);
    for (int what = 0; what < 2; what++) for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        void (*operation)(int) = what ? window : ping_pong;
        check(sizes[s]);
        double once = seconds(operation, sizes[s], 10);
        int times = (int)(budget / once) + 2;
        MPI_Bcast(&times, 1, MPI_INT, 0, MPI_COMM_WORLD);
        double time = seconds(operation, sizes[s], times);
        if (rank == 0) printf("%s %d %g\n", what ? "bandwidth" : "latency", sizes[s], what ? sizes[s] * (double)WINDOW / time / 1e6 : time / 2 * 1e6);
    }
    MPI_Finalize();
    return 0;
}
