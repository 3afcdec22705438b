/* One cell of a comparison of MPI libraries: an operation and a size, measured once, by the standard's functions alone.
 *
 *   cells OPERATION BYTES SECONDS
 *
 * latency          half a ping-pong of ranks 0 and 1, in microseconds
 * bandwidth        64 messages one way, then an answer, in MB/s
 * bibandwidth      64 messages each way, in MB/s of both
 * barrier, bcast, reduce, allreduce, alltoall, allgather
 *                  the mean over ranks of the time in the call, with a barrier between calls, in microseconds
 * nothing          starts and ends
 *
 * The first call of each operation is checked; a wrong byte is an error. Rank 0 prints the figure.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64, TAG = 1, DONE = 2 };

static int rank, ranks, bytes;
static char *out, *in;
static MPI_Request requests[2 * WINDOW];

static void die(const char *what) {
    fprintf(stderr, "cells: rank %d: %s\n", rank, what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static char pattern(int from, int index) { return (char)(index * 7 + from * 13 + 1); }

static void check(const char *at, int from, int index, int count) {
    for (int i = 0; i < count; i++)
        if (at[i] != pattern(from, index + i)) die("wrong data");
}

static void ping_pong(void) {
    if (rank == 0) {
        MPI_Send(out, bytes, MPI_CHAR, 1, TAG, MPI_COMM_WORLD);
        MPI_Recv(in, bytes, MPI_CHAR, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else if (rank == 1) {
        MPI_Recv(in, bytes, MPI_CHAR, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(out, bytes, MPI_CHAR, 0, TAG, MPI_COMM_WORLD);
    }
}

static void window(int both) {
    int n = 0;
    if (rank > 1) return;
    if (rank == 1 || both)
        for (int i = 0; i < WINDOW; i++) MPI_Irecv(in, bytes, MPI_CHAR, !rank, TAG, MPI_COMM_WORLD, &requests[n++]);
    if (rank == 0 || both)
        for (int i = 0; i < WINDOW; i++) MPI_Isend(out, bytes, MPI_CHAR, !rank, TAG, MPI_COMM_WORLD, &requests[n++]);
    MPI_Waitall(n, requests, MPI_STATUSES_IGNORE);
    if (rank == 0) MPI_Recv(in, 0, MPI_CHAR, 1, DONE, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    else MPI_Send(in, 0, MPI_CHAR, 0, DONE, MPI_COMM_WORLD);
}
static void one_way(void) { window(0); }
static void both_ways(void) { window(1); }

/* Integers, so that sums are exact and wrap alike everywhere. */
static void barrier(void) { MPI_Barrier(MPI_COMM_WORLD); }
static void bcast(void) { MPI_Bcast(rank ? in : out, bytes, MPI_CHAR, 0, MPI_COMM_WORLD); }
static void reduce(void) { MPI_Reduce(out, in, bytes / 4, MPI_UINT32_T, MPI_SUM, 0, MPI_COMM_WORLD); }
static void allreduce(void) { MPI_Allreduce(out, in, bytes / 4, MPI_UINT32_T, MPI_SUM, MPI_COMM_WORLD); }
static void alltoall(void) { MPI_Alltoall(out, bytes, MPI_CHAR, in, bytes, MPI_CHAR, MPI_COMM_WORLD); }
static void allgather(void) { MPI_Allgather(out, bytes, MPI_CHAR, in, bytes, MPI_CHAR, MPI_COMM_WORLD); }

static void check_peer(void) { if (rank < 2) check(in, !rank, 0, bytes); }
static void check_one_way(void) { if (rank == 1) check(in, 0, 0, bytes); }
static void check_bcast(void) { if (rank) check(in, 0, 0, bytes); }
static void check_sum(void) {
    for (int i = 0; i + 4 <= bytes; i += 4) {
        unsigned sum = 0, term, got;
        char word[4];
        for (int r = 0; r < ranks; r++) {
            for (int b = 0; b < 4; b++) word[b] = pattern(r, i + b);
            memcpy(&term, word, 4);
            sum += term;
        }
        memcpy(&got, in + i, 4);
        if (got != sum) die("wrong sum");
    }
}
static void check_root_sum(void) { if (!rank) check_sum(); }
static void check_alltoall(void) { for (int r = 0; r < ranks; r++) check(in + (size_t)r * bytes, r, rank * bytes, bytes); }
static void check_allgather(void) { for (int r = 0; r < ranks; r++) check(in + (size_t)r * bytes, r, 0, bytes); }
static void no_check(void) {}

static const struct Operation {
    const char *name;
    void (*run)(void), (*check)(void);
    int messages;  /* for a bandwidth: how many messages one run moves */
} operations[] = {
    { "latency", ping_pong, check_peer, 0 }, { "bandwidth", one_way, check_one_way, WINDOW },
    { "bibandwidth", both_ways, check_peer, 2 * WINDOW }, { "barrier", barrier, no_check, 0 },
    { "bcast", bcast, check_bcast, 0 }, { "reduce", reduce, check_root_sum, 0 },
    { "allreduce", allreduce, check_sum, 0 }, { "alltoall", alltoall, check_alltoall, 0 },
    { "allgather", allgather, check_allgather, 0 },
};

/* Seconds for one run: the elapsed time between two ranks, the mean of the time in the call among all. */
static double seconds(const struct Operation *op, int runs) {
    int pairs = op->run == ping_pong || op->messages;
    double in_call = 0, mean;
    MPI_Barrier(MPI_COMM_WORLD);
    double begin = MPI_Wtime();
    for (int i = 0; i < runs; i++) {
        double t = pairs ? 0 : MPI_Wtime();
        op->run();
        if (pairs) continue;
        in_call += MPI_Wtime() - t;
        if (op->run != barrier) MPI_Barrier(MPI_COMM_WORLD);
    }
    if (pairs) return (MPI_Wtime() - begin) / runs;
    in_call /= runs;
    MPI_Allreduce(&in_call, &mean, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return mean / ranks;
}

static void measure(const struct Operation *op, double budget) {
    op->run();
    op->check();
    double once = seconds(op, 10);
    int runs = once * 10 < budget ? (int)(budget / (once > 1e-8 ? once : 1e-8)) : 10;
    MPI_Bcast(&runs, 1, MPI_INT, 0, MPI_COMM_WORLD);
    double t = seconds(op, runs);
    if (rank) return;
    printf("%.6g\n", op->messages ? (double)bytes * op->messages / t / 1e6 : op->run == ping_pong ? t / 2 * 1e6 : t * 1e6);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc != 4) die("expected OPERATION BYTES SECONDS");
    bytes = atoi(argv[2]);
    if (strcmp(argv[1], "nothing")) {
        size_t room = (size_t)bytes * ranks + 1;
        out = malloc(room);
        in = malloc(room);
        if (!out || !in) die("no memory");
        for (size_t i = 0; i < room; i++) { out[i] = pattern(rank, (int)i); in[i] = 0; }
        const struct Operation *op = operations, *end = operations + sizeof operations / sizeof *operations;
        while (op < end && strcmp(op->name, argv[1])) op++;
        if (op == end) die("no such operation");
        measure(op, atof(argv[3]));
    }
    MPI_Finalize();
    return 0;
}
