/* MPI_THREAD_MULTIPLE: threads that send, receive, probe, do collectives and make objects at the same time. */
#include "check.h"
#include <pthread.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 60, LONG = 50000 };

static int rank, ranks;
static MPI_Comm comms[THREADS];
static MPI_Request handed[THREADS];
static int handed_value[THREADS];

/* What a thread of a rank sends in a round. */
static int value(int r, int thread, int round) { return r * 1000003 + thread * 1009 + round; }

static void check_all(const int *data, int count, int expected) {
    for (int i = 0; i < count; i++) CHECK_EQ(data[i], expected);
}

/* Short and long messages round the ring, each thread with a tag of its own in one communicator. */
static void ring(int thread, int round, int *out, int *into) {
    int count = round % 10 == 9 ? LONG : round + 1, right = (rank + 1) % ranks, left = (rank + ranks - 1) % ranks;
    for (int i = 0; i < count; i++) out[i] = value(rank, thread, round);
    MPI_Request requests[2];
    OK(MPI_Irecv(into, count, MPI_INT, left, thread, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Isend(out, count, MPI_INT, right, thread, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    check_all(into, count, value(left, thread, round));
}

/* A message of unknown length, which no other thread can take between the probe and the receive. */
static void probed(int thread, int round, int *out, int *into) {
    int count = 1 + (round * 7 + thread) % 50, right = (rank + 1) % ranks, got;
    for (int i = 0; i < count; i++) out[i] = value(rank, thread, round);
    MPI_Request request;
    OK(MPI_Isend(out, count, MPI_INT, right, 100, MPI_COMM_WORLD, &request));
    MPI_Message message;
    MPI_Status status;
    OK(MPI_Mprobe(MPI_ANY_SOURCE, 100, MPI_COMM_WORLD, &message, &status));
    OK(MPI_Get_count(&status, MPI_INT, &got));
    OK(MPI_Mrecv(into, got, MPI_INT, &message, &status));
    check_all(into, got, into[0]);
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
}

/* Collectives of the thread's own communicator, blocking and not; objects of its own. */
static void together(int thread, int round) {
    int mine = value(rank, thread, round), sum, most, expected = 0;
    for (int r = 0; r < ranks; r++) expected += value(r, thread, round);
    MPI_Request request;
    OK(MPI_Iallreduce(&mine, &most, 1, MPI_INT, MPI_MAX, comms[thread], &request));
    OK(MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, comms[thread]));
    CHECK_EQ(sum, expected);
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_EQ(most, value(ranks - 1, thread, round));
    MPI_Datatype pairs;
    OK(MPI_Type_vector(2, 1, 2, MPI_INT, &pairs));
    OK(MPI_Type_commit(&pairs));
    int sent[3] = { mine, -1, mine + 1 }, got[3] = { 0, 0, 0 };
    OK(MPI_Sendrecv(sent, 1, pairs, rank, 7, got, 1, pairs, rank, 7, comms[thread], MPI_STATUS_IGNORE));
    CHECK(got[0] == mine && got[1] == 0 && got[2] == mine + 1);
    OK(MPI_Type_free(&pairs));
    if (round % 20 == 0) {
        MPI_Comm twin;
        OK(MPI_Comm_dup(comms[thread], &twin));
        OK(MPI_Barrier(twin));
        OK(MPI_Comm_free(&twin));
    }
}

static void *work(void *argument) {
    int thread = (int)(size_t)argument;
    int *out = malloc(LONG * sizeof *out), *into = malloc(LONG * sizeof *into);
    for (int round = 0; round < ROUNDS; round++) {
        ring(thread, round, out, into);
        probed(thread, round, out, into);
        together(thread, round);
    }
    /* What this thread began, the main thread completes. */
    OK(MPI_Irecv(&handed_value[thread], 1, MPI_INT, rank, 200 + thread, MPI_COMM_WORLD, &handed[thread]));
    free(out); free(into);
    return NULL;
}

int main(int argc, char **argv) {
    int provided;
    OK(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided));
    CHECK_EQ(provided, MPI_THREAD_MULTIPLE);
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) OK(MPI_Comm_dup(MPI_COMM_WORLD, &comms[t]));
    for (int t = 0; t < THREADS; t++) CHECK(!pthread_create(&threads[t], NULL, work, (void *)(size_t)t));
    for (int t = 0; t < THREADS; t++) CHECK(!pthread_join(threads[t], NULL));
    for (int t = 0; t < THREADS; t++) OK(MPI_Send(&t, 1, MPI_INT, rank, 200 + t, MPI_COMM_WORLD));
    OK(MPI_Waitall(THREADS, handed, MPI_STATUSES_IGNORE));
    for (int t = 0; t < THREADS; t++) CHECK_EQ(handed_value[t], t);
    for (int t = 0; t < THREADS; t++) OK(MPI_Comm_free(&comms[t]));
    OK(MPI_Finalize());
    return 0;
}
