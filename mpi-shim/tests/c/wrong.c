/* wrong HOW: a call with a wrong argument, on all ranks or on some. */
#include "check.h"
#include <string.h>

enum { LONG = 1 << 18, LONGER = LONG + 1 };
static int rank, ranks, one[LONGER], two[LONGER];

static void send(int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) { MPI_Send(one, count, type, dest, tag, comm); }

static void bad_argument(const char *how) {
    MPI_Comm world = MPI_COMM_WORLD;
    MPI_Status status;
    MPI_Request request = (MPI_Request)0x777777;
    int dimension = 99, period = 0;
    MPI_Comm grid;
    if (!strcmp(how, "rank")) send(1, MPI_INT, ranks + 4, 0, world);
    if (!strcmp(how, "rank-recv")) MPI_Recv(one, 1, MPI_INT, -7, 0, world, &status);
    if (!strcmp(how, "rank-probe")) MPI_Probe(ranks, 0, world, &status);
    if (!strcmp(how, "rank-sendrecv")) MPI_Sendrecv(one, 1, MPI_INT, ranks, 0, two, 1, MPI_INT, 0, 0, world, &status);
    if (!strcmp(how, "count")) send(-1, MPI_INT, 0, 0, world);
    if (!strcmp(how, "count-recv")) MPI_Irecv(one, -5, MPI_INT, 0, 0, world, &request);
    if (!strcmp(how, "count-bcast")) MPI_Bcast(one, -2, MPI_INT, 0, world);
    if (!strcmp(how, "tag")) send(1, MPI_INT, 0, -3, world);
    if (!strcmp(how, "tag-high")) send(1, MPI_INT, 0, 0x7fffffff, world);
    if (!strcmp(how, "buffer")) MPI_Send(NULL, 1, MPI_INT, 0, 0, world);
    if (!strcmp(how, "type")) send(1, MPI_DATATYPE_NULL, 0, 0, world);
    if (!strcmp(how, "comm")) MPI_Barrier(MPI_COMM_NULL);
    if (!strcmp(how, "comm-foreign")) send(1, MPI_INT, 0, 0, (MPI_Comm)one);
    if (!strcmp(how, "request")) MPI_Wait(&request, &status);
    if (!strcmp(how, "requests")) MPI_Waitall(3, NULL, MPI_STATUSES_IGNORE);
    if (!strcmp(how, "op")) MPI_Allreduce(one, two, 1, MPI_DOUBLE, MPI_BAND, world);
    if (!strcmp(how, "root")) MPI_Bcast(one, 1, MPI_INT, ranks, world);
    if (!strcmp(how, "result")) MPI_Comm_size(world, NULL);
    if (!strcmp(how, "bsend")) MPI_Bsend(one, 1, MPI_INT, 0, 0, world);
    if (!strcmp(how, "init")) MPI_Init(NULL, NULL);
    if (!strcmp(how, "cart")) MPI_Cart_create(world, 1, &dimension, &period, 0, &grid);
    if (!strcmp(how, "color")) MPI_Comm_split(world, -5, 0, &grid);
}

static void freed_handle(const char *how) {
    if (!strcmp(how, "type-raw") || !strcmp(how, "type-freed")) {
        MPI_Datatype type, copy;
        OK(MPI_Type_contiguous(2, MPI_INT, &type));
        copy = type;
        if (!strcmp(how, "type-freed")) OK(MPI_Type_free(&type));
        send(1, copy, 0, 0, MPI_COMM_WORLD);
    }
    if (!strcmp(how, "comm-freed")) {
        MPI_Comm comm, copy;
        OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
        copy = comm;
        OK(MPI_Comm_free(&comm));
        send(1, MPI_INT, 0, 0, copy);
    }
    if (!strcmp(how, "request-freed")) {
        MPI_Request request, copy;
        OK(MPI_Irecv(one, 1, MPI_INT, 0, 0, MPI_COMM_SELF, &request));
        copy = request;
        OK(MPI_Request_free(&request));
        OK(MPI_Send(one, 1, MPI_INT, 0, 0, MPI_COMM_SELF)); /* from where it goes to: wrong, and no crash */
        MPI_Wait(&copy, MPI_STATUS_IGNORE);
    }
    if (!strcmp(how, "group-freed")) {
        MPI_Group group, copy;
        OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
        copy = group;
        OK(MPI_Group_free(&group));
        MPI_Group_size(copy, one);
    }
}

/* A message of `sent` ints for a receive of `room`. */
static void truncate(int sent, int room) {
    if (rank == 0) send(sent, MPI_INT, 1, 4, MPI_COMM_WORLD);
    if (rank == 1) MPI_Recv(two, room, MPI_INT, 0, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Rank 0 calls one collective, the others call another. */
static void mismatch(const char *how) {
    MPI_Comm world = MPI_COMM_WORLD;
    int first = rank == 0, count = first ? 8 : 4, many = first ? LONG / 4 : LONG / 8;
    if (!strcmp(how, "bcast-fewer")) MPI_Bcast(one, count, MPI_INT, 0, world);
    if (!strcmp(how, "bcast-more")) MPI_Bcast(one, 12 - count, MPI_INT, 0, world);
    if (!strcmp(how, "bcast-long")) MPI_Bcast(one, many, MPI_INT, 0, world);
    if (!strcmp(how, "reduce")) MPI_Reduce(one, two, count, MPI_INT, MPI_SUM, 0, world);
    if (!strcmp(how, "allreduce")) MPI_Allreduce(one, two, count, MPI_INT, MPI_SUM, world);
    if (!strcmp(how, "allreduce-long")) MPI_Allreduce(one, two, many, MPI_INT, MPI_SUM, world);
    if (!strcmp(how, "allgather")) MPI_Allgather(one, count, MPI_INT, two, count, MPI_INT, world);
    if (!strcmp(how, "alltoall")) MPI_Alltoall(one, count, MPI_INT, two, count, MPI_INT, world);
    if (!strcmp(how, "alltoall-long")) MPI_Alltoall(one, many, MPI_INT, two, many, MPI_INT, world);
    if (!strcmp(how, "gather-more")) MPI_Gather(one, rank == 1 ? 8 : 4, MPI_INT, two, 4, MPI_INT, 0, world);
    if (!strcmp(how, "barrier-bcast") && first) MPI_Barrier(world);
    if (!strcmp(how, "barrier-bcast") && !first) MPI_Bcast(one, 1, MPI_INT, 0, world);
    if (!strcmp(how, "allreduce-alltoall") && first) MPI_Allreduce(one, two, 1, MPI_INT, MPI_SUM, world);
    if (!strcmp(how, "allreduce-alltoall") && !first) MPI_Alltoall(one, 1, MPI_INT, two, 1, MPI_INT, world);
    if (strchr(how, '-') || !strcmp(how, "reduce")) MPI_Barrier(world);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const char *how = argv[1];
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    bad_argument(how);
    freed_handle(how);
    if (!strcmp(how, "truncate")) truncate(10, 5);
    if (!strcmp(how, "truncate-long")) truncate(LONGER, 100);
    mismatch(how);
    OK(MPI_Finalize());
    if (!strcmp(how, "after")) send(1, MPI_INT, 0, 0, MPI_COMM_WORLD);
    fprintf(stderr, "%s: nothing was found wrong\n", how);
    return 0;
}
