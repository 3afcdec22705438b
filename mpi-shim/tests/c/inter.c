/* Inter-communicators: made in both ways, used, duplicated, split, and merged again. */
#include "check.h"

static int size, rank, half, upper;

static void talk(MPI_Comm inter, int mark) {
    int own, others, sent, got = -1;
    OK(MPI_Comm_rank(inter, &own));
    OK(MPI_Comm_remote_size(inter, &others));
    if (own >= others) return;
    int ranks;
    OK(MPI_Comm_size(inter, &ranks));
    sent = mark * 1000 + rank;
    /* Pairs of the same rank, where both sides have it. */
    MPI_Request request;
    OK(MPI_Irecv(&got, 1, MPI_INT, own, mark, inter, &request));
    OK(MPI_Send(&sent, 1, MPI_INT, own, mark, inter));
    MPI_Status status;
    OK(MPI_Wait(&request, &status));
    CHECK_EQ(status.MPI_SOURCE, own);
    MPI_Group remote, world;
    int partner;
    OK(MPI_Comm_remote_group(inter, &remote));
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Group_translate_ranks(remote, 1, &own, world, &partner));
    CHECK_EQ(got, mark * 1000 + partner);
    OK(MPI_Group_free(&remote));
    OK(MPI_Group_free(&world));
}

static void sizes(MPI_Comm inter, int local, int remote) {
    int found;
    OK(MPI_Comm_test_inter(inter, &found));
    CHECK(found);
    OK(MPI_Comm_size(inter, &found));
    CHECK_EQ(found, local);
    OK(MPI_Comm_remote_size(inter, &found));
    CHECK_EQ(found, remote);
}

static void merged(MPI_Comm inter) {
    MPI_Comm both;
    int own, ranks;
    for (int turn = 0; turn < 4; turn++) {
        int lower_high = turn & 1, upper_high = turn >> 1, high = upper ? upper_high : lower_high;
        OK(MPI_Intercomm_merge(inter, high, &both));
        OK(MPI_Comm_size(both, &ranks));
        OK(MPI_Comm_rank(both, &own));
        CHECK_EQ(ranks, size);
        /* With equal wishes, the order is ours: the group with the first process comes first. */
        int swapped = lower_high && !upper_high;
        CHECK_EQ(own, !swapped ? rank : upper ? rank - half : rank + size - half);
        int got = -1, next = (own + 1) % ranks, last = (own + ranks - 1) % ranks;
        OK(MPI_Sendrecv(&own, 1, MPI_INT, next, 0, &got, 1, MPI_INT, last, 0, both, MPI_STATUS_IGNORE));
        CHECK_EQ(got, last);
        OK(MPI_Comm_free(&both));
    }
}

static void made_from(MPI_Comm inter, int local, int remote) {
    MPI_Comm made;
    int result, own;
    OK(MPI_Comm_rank(inter, &own));
    OK(MPI_Comm_dup(inter, &made));
    OK(MPI_Comm_compare(inter, made, &result));
    CHECK_EQ(result, MPI_CONGRUENT);
    talk(made, 2);
    OK(MPI_Comm_free(&made));
    OK(MPI_Comm_split(inter, 0, -own, &made));
    sizes(made, local, remote);
    OK(MPI_Comm_rank(made, &result));
    CHECK_EQ(result, local - 1 - own);
    talk(made, 3);
    OK(MPI_Comm_free(&made));
    /* Only the lower side has color 1, so nobody has partners in it. */
    OK(MPI_Comm_split(inter, upper ? 2 : 1, 0, &made));
    CHECK(made == MPI_COMM_NULL);
    MPI_Group group, first;
    int zero = 0;
    OK(MPI_Comm_group(inter, &group));
    OK(MPI_Group_incl(group, 1, &zero, &first));
    OK(MPI_Comm_create(inter, first, &made));
    CHECK((made == MPI_COMM_NULL) == (own != 0));
    if (own == 0) {
        sizes(made, 1, 1);
        talk(made, 4);
        OK(MPI_Comm_free(&made));
    }
    OK(MPI_Group_free(&first));
    OK(MPI_Group_free(&group));
    OK(MPI_Comm_dup(inter, &made));
    OK(MPI_Comm_disconnect(&made));
}

static void from_groups(void) {
    MPI_Group world, lower, higher;
    MPI_Comm inter;
    int range[1][3] = {{0, half - 1, 1}};
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    OK(MPI_Group_range_incl(world, 1, range, &lower));
    OK(MPI_Group_difference(world, lower, &higher));
    for (int i = 0; i < 2; i++) {
        OK(MPI_Intercomm_create_from_groups(upper ? higher : lower, 0, upper ? lower : higher, 0, "tests.inter",
                                            MPI_INFO_NULL, MPI_ERRORS_RETURN, &inter));
        sizes(inter, upper ? size - half : half, upper ? half : size - half);
        talk(inter, 5 + i);
        OK(MPI_Comm_free(&inter));
    }
    OK(MPI_Group_free(&world));
    OK(MPI_Group_free(&lower));
    OK(MPI_Group_free(&higher));
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    half = size / 2;
    upper = rank >= half;
    MPI_Comm half_comm, inter;
    OK(MPI_Comm_split(MPI_COMM_WORLD, upper, 0, &half_comm));
    int local = upper ? size - half : half, remote = size - local;
    /* The leader is the last of its half, and the tag is as high as it can be. */
    int *tag, flag;
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &tag, &flag));
    CHECK(flag);
    OK(MPI_Intercomm_create(half_comm, local - 1, MPI_COMM_WORLD, upper ? half - 1 : size - 1, *tag, &inter));
    sizes(inter, local, remote);
    talk(inter, 1);
    merged(inter);
    made_from(inter, local, remote);
    FAILS(MPI_Intercomm_create(inter, 0, MPI_COMM_WORLD, 0, 0, &inter), MPI_ERR_COMM);
    OK(MPI_Comm_free(&inter));
    from_groups();
    FAILS(MPI_Intercomm_create(half_comm, local, MPI_COMM_WORLD, 0, 0, &inter), MPI_ERR_RANK);
    /* A leader that fails tells the others. */
    FAILS(MPI_Intercomm_create(half_comm, 0, MPI_COMM_WORLD, size, 0, &inter),
          rank == (upper ? half : 0) ? MPI_ERR_RANK : MPI_ERR_OTHER);
    FAILS(MPI_Intercomm_merge(half_comm, 0, &inter), MPI_ERR_COMM);
    OK(MPI_Comm_free(&half_comm));
    OK(MPI_Finalize());
    return 0;
}
