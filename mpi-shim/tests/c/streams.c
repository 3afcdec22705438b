/* Long messages one way, many at a time: from senders that wait, that calculate first, and that receive at the same time. */
#include "check.h"
#include <string.h>

enum { WINDOW = 8, ROUNDS = 2 };
static const int lengths[] = { 16 << 10, 65535, 65536, 65537, 100003, 300000, 1 << 20 };
static char *out[WINDOW], *in[WINDOW];

static char byte_of(int from, int message, int at) { return (char)(from * 31 + message * 7 + at % 251); }

static void fill(int from, int bytes) {
    for (int i = 0; i < WINDOW; i++) for (int at = 0; at < bytes; at++) out[i][at] = byte_of(from, i, at);
}

static void compare(int from, int bytes) {
    for (int i = 0; i < WINDOW; i++) for (int at = 0; at < bytes; at++) if (in[i][at] != byte_of(from, i, at)) CHECK_EQ(at, -1);
}

/* So long that a receiver that waits for help would be seen to wait. */
static void calculate(void) {
    volatile double sum = 0;
    for (int i = 0; i < 200000; i++) sum += 1.0 / (i + 1);
}

static void exchange(int bytes, int to, int from, int busy) {
    MPI_Request requests[2 * WINDOW];
    int count = 0;
    if (from >= 0) for (int i = 0; i < WINDOW; i++) OK(MPI_Irecv(in[i], bytes, MPI_CHAR, from, i, MPI_COMM_WORLD, &requests[count++]));
    if (to >= 0) for (int i = 0; i < WINDOW; i++) OK(MPI_Isend(out[i], bytes, MPI_CHAR, to, i, MPI_COMM_WORLD, &requests[count++]));
    if (busy) calculate();
    OK(MPI_Waitall(count, requests, MPI_STATUSES_IGNORE));
    if (from >= 0) compare(from, bytes);
}

int main(int argc, char **argv) {
    int rank, ranks;
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    int next = (rank + 1) % ranks, previous = (rank + ranks - 1) % ranks;
    for (unsigned l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        int bytes = lengths[l];
        /* What is received into was never written: valgrind sees whether all of it has come. */
        for (int i = 0; i < WINDOW; i++) { out[i] = malloc(bytes); in[i] = malloc(bytes); }
        fill(rank, bytes);
        for (int round = 0; round < ROUNDS; round++) {
            for (int sender = 0; sender < ranks; sender++)
                exchange(bytes, rank == sender ? next : -1, previous == sender ? sender : -1, rank == sender && round == 1);
            exchange(bytes, next, previous, round == 1);
        }
        /* All but the last send to the last, which takes what is there in the order of its receives. */
        for (int sender = 0; sender < ranks - 1; sender++)
            exchange(bytes, rank == sender ? ranks - 1 : -1, rank == ranks - 1 ? sender : -1, rank == sender && sender % 2);
        for (int i = 0; i < WINDOW; i++) { free(out[i]); free(in[i]); }
    }
    OK(MPI_Finalize());
    return 0;
}
