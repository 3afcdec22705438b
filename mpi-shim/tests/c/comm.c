/* Communicators: every constructor, with a ring of messages through what it made. */
#include "check.h"
#include <string.h>

static int size, rank;

/* Each rank passes a number to the next; nobody else's may come. */
static void ring(MPI_Comm comm, int mark) {
    int ranks, own, got = -1, sent;
    OK(MPI_Comm_size(comm, &ranks));
    OK(MPI_Comm_rank(comm, &own));
    sent = mark * 1000 + own;
    MPI_Request request;
    OK(MPI_Irecv(&got, 1, MPI_INT, (own + ranks - 1) % ranks, 5, comm, &request));
    OK(MPI_Send(&sent, 1, MPI_INT, (own + 1) % ranks, 5, comm));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_EQ(got, mark * 1000 + (own + ranks - 1) % ranks);
}

static int compared(MPI_Comm one, MPI_Comm two) {
    int result;
    OK(MPI_Comm_compare(one, two, &result));
    return result;
}

static void duplicates(void) {
    MPI_Comm first, second, third;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &first));
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &second));
    OK(MPI_Comm_dup(first, &third));
    CHECK_EQ(compared(first, first), MPI_IDENT);
    CHECK_EQ(compared(first, MPI_COMM_WORLD), MPI_CONGRUENT);
    CHECK_EQ(compared(first, MPI_COMM_SELF), size == 1 ? MPI_CONGRUENT : MPI_UNEQUAL);
    /* Messages of the same tag cross in all of them at once. */
    int sent[4] = {1, 2, 3, 4}, got[4] = {0, 0, 0, 0};
    MPI_Comm comms[4] = {MPI_COMM_WORLD, first, second, third};
    MPI_Request requests[8];
    for (int i = 0; i < 4; i++)
        OK(MPI_Irecv(&got[i], 1, MPI_INT, (rank + size - 1) % size, 0, comms[i], &requests[i]));
    for (int i = 3; i >= 0; i--)
        OK(MPI_Isend(&sent[i], 1, MPI_INT, (rank + 1) % size, 0, comms[i], &requests[4 + i]));
    OK(MPI_Waitall(8, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < 4; i++) CHECK_EQ(got[i], sent[i]);
    MPI_Comm later;
    MPI_Request request;
    OK(MPI_Comm_idup(third, &later, &request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK(request == MPI_REQUEST_NULL);
    ring(later, 1);
    OK(MPI_Comm_free(&later));
    CHECK(later == MPI_COMM_NULL);
    OK(MPI_Comm_free(&first));
    ring(third, 2);
    OK(MPI_Comm_free(&second));
    OK(MPI_Comm_disconnect(&third));
    CHECK(third == MPI_COMM_NULL);
}

static void splits(void) {
    MPI_Comm part, again;
    int ranks, own;
    OK(MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &part));
    OK(MPI_Comm_size(part, &ranks));
    OK(MPI_Comm_rank(part, &own));
    CHECK_EQ(ranks, (size + 1 - rank % 2) / 2);
    CHECK_EQ(own, ranks - 1 - rank / 2);
    ring(part, 3 + rank % 2);
    OK(MPI_Comm_split(part, 0, 0, &again));
    CHECK_EQ(compared(part, again), MPI_CONGRUENT);
    ring(again, 5);
    OK(MPI_Comm_free(&again));
    OK(MPI_Comm_free(&part));
    OK(MPI_Comm_split(MPI_COMM_WORLD, rank == 0 ? MPI_UNDEFINED : 7, 0, &part));
    CHECK((part == MPI_COMM_NULL) == (rank == 0));
    if (rank) {
        OK(MPI_Comm_size(part, &ranks));
        CHECK_EQ(ranks, size - 1);
        ring(part, 6);
        OK(MPI_Comm_free(&part));
    }
    MPI_Info info;
    OK(MPI_Info_create(&info));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &part));
    CHECK_EQ(compared(MPI_COMM_WORLD, part), MPI_CONGRUENT);
    OK(MPI_Comm_free(&part));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_UNDEFINED, 0, MPI_INFO_NULL, &part));
    CHECK(part == MPI_COMM_NULL);
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_GUIDED, 0, info, &part));
    CHECK(part == MPI_COMM_NULL);
    OK(MPI_Info_set(info, "mpi_hw_resource_type", "mpi_shared_memory"));
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_GUIDED, -rank, info, &part));
    OK(MPI_Comm_rank(part, &own));
    CHECK_EQ(own, size - 1 - rank);
    OK(MPI_Comm_free(&part));
    /* Everything is on one node: there is no smaller part. */
    OK(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_HW_UNGUIDED, 0, info, &part));
    CHECK(part == MPI_COMM_NULL);
    OK(MPI_Info_free(&info));
    FAILS(MPI_Comm_split(MPI_COMM_SELF, -1, 0, &part), MPI_ERR_ARG);
    FAILS(MPI_Comm_split_type(MPI_COMM_SELF, 1, 0, MPI_INFO_NULL, &part), MPI_ERR_ARG);
}

static void groups(void) {
    MPI_Group world, low, high;
    MPI_Comm made;
    int half = (size + 1) / 2, ranks, ours[1][3] = {{0, half - 1, 1}};
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Group_range_incl(world, 1, ours, &low));
    OK(MPI_Group_difference(world, low, &high));
    /* Both halves at once. */
    OK(MPI_Comm_create(MPI_COMM_WORLD, rank < half ? low : high, &made));
    OK(MPI_Comm_size(made, &ranks));
    CHECK_EQ(ranks, rank < half ? half : size - half);
    ring(made, 7);
    OK(MPI_Comm_free(&made));
    OK(MPI_Comm_create(MPI_COMM_WORLD, low, &made));
    CHECK((made == MPI_COMM_NULL) == (rank >= half));
    if (rank < half) {
        ring(made, 8);
        OK(MPI_Comm_free(&made));
        for (int i = 0; i < 3; i++) {
            OK(MPI_Comm_create_group(MPI_COMM_WORLD, low, i / 2, &made));
            ring(made, 9 + i);
            OK(MPI_Comm_free(&made));
            OK(MPI_Comm_create_from_group(low, i / 2 ? "tests.comm" : "tests", MPI_INFO_NULL, MPI_ERRORS_RETURN,
                                          &made));
            ring(made, 20 + i);
            MPI_Errhandler handler;
            OK(MPI_Comm_get_errhandler(made, &handler));
            CHECK(handler == MPI_ERRORS_RETURN);
            OK(MPI_Comm_free(&made));
        }
    }
    if (size > 1) FAILS(MPI_Comm_create(MPI_COMM_SELF, world, &made), MPI_ERR_GROUP);
    FAILS(MPI_Comm_create_group(MPI_COMM_SELF, world, -1, &made), MPI_ERR_TAG);
    FAILS(MPI_Comm_create(MPI_COMM_SELF, MPI_GROUP_NULL, &made), MPI_ERR_GROUP);
    OK(MPI_Group_free(&world));
    OK(MPI_Group_free(&low));
    OK(MPI_Group_free(&high));
}

static void names_and_hints(void) {
    char name[MPI_MAX_OBJECT_NAME], longer[300], value[16];
    int length, flag, room = sizeof value;
    MPI_Comm made, parent;
    MPI_Info info, got;
    OK(MPI_Comm_get_name(MPI_COMM_WORLD, name, &length));
    CHECK(!strcmp(name, "MPI_COMM_WORLD") && length == 14);
    OK(MPI_Comm_get_name(MPI_COMM_NULL, name, &length));
    CHECK(!strcmp(name, "MPI_COMM_NULL"));
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "mpi_assert_no_any_tag", "true"));
    OK(MPI_Comm_dup_with_info(MPI_COMM_WORLD, info, &made));
    OK(MPI_Comm_get_name(made, name, &length));
    CHECK_EQ(length, 0);
    memset(longer, 'x', sizeof longer);
    longer[299] = 0;
    OK(MPI_Comm_set_name(made, longer));
    OK(MPI_Comm_get_name(made, name, &length));
    CHECK_EQ(length, MPI_MAX_OBJECT_NAME - 1);
    CHECK_EQ(strlen(name), length);
    OK(MPI_Comm_get_info(made, &got));
    OK(MPI_Info_get_string(got, "mpi_assert_no_any_tag", &room, value, &flag));
    CHECK(flag && !strcmp(value, "true"));
    OK(MPI_Info_free(&got));
    OK(MPI_Info_set(info, "mpi_assert_no_any_tag", "false"));
    OK(MPI_Comm_set_info(made, info));
    OK(MPI_Comm_get_info(made, &got));
    room = sizeof value;
    OK(MPI_Info_get_string(got, "mpi_assert_no_any_tag", &room, value, &flag));
    CHECK(flag && !strcmp(value, "false"));
    OK(MPI_Info_free(&got));
    MPI_Comm second;
    MPI_Request request;
    OK(MPI_Comm_idup_with_info(made, info, &second, &request));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    ring(second, 30);
    OK(MPI_Comm_free(&second));
    OK(MPI_Info_free(&info));
    OK(MPI_Comm_free(&made));
    OK(MPI_Comm_get_parent(&parent));
    CHECK(parent == MPI_COMM_NULL);
}

static void wrong_use(void) {
    MPI_Comm made, stale, world = MPI_COMM_WORLD;
    int found;
    OK(MPI_Comm_dup(MPI_COMM_SELF, &made));
    stale = made;
    OK(MPI_Comm_free(&made));
    FAILS(MPI_Comm_size(stale, &found), MPI_ERR_COMM);
    FAILS(MPI_Comm_size(MPI_COMM_NULL, &found), MPI_ERR_COMM);
    FAILS(MPI_Comm_size((MPI_Comm)0x12345678, &found), MPI_ERR_COMM);
    FAILS(MPI_Comm_free(&world), MPI_ERR_COMM);
    FAILS(MPI_Comm_remote_size(MPI_COMM_SELF, &found), MPI_ERR_COMM);
    FAILS(MPI_Comm_size(MPI_COMM_SELF, NULL), MPI_ERR_ARG);
    OK(MPI_Comm_test_inter(MPI_COMM_WORLD, &found));
    CHECK(!found);
    /* An object outlives its handle while a message is under way. */
    int sent = 1, got = 0;
    MPI_Request request;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &made));
    OK(MPI_Irecv(&got, 1, MPI_INT, (rank + size - 1) % size, 0, made, &request));
    OK(MPI_Send(&sent, 1, MPI_INT, (rank + 1) % size, 0, made));
    OK(MPI_Comm_free(&made));
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    CHECK_EQ(got, 1);
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    duplicates();
    splits();
    groups();
    names_and_hints();
    wrong_use();
    OK(MPI_Finalize());
    return 0;
}
