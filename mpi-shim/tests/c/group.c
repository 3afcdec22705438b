/* Groups: every constructor, against lists that are computed here. */
#include "check.h"

static int size, rank;

/* The ranks in the world of a group's members must be these. */
static void expect(MPI_Group group, int count, const int *members) {
    MPI_Group world;
    int found;
    OK(MPI_Group_size(group, &found));
    CHECK_EQ(found, count);
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    for (int i = 0; i < count; i++) {
        OK(MPI_Group_translate_ranks(group, 1, &i, world, &found));
        CHECK_EQ(found, members[i]);
    }
    OK(MPI_Group_free(&world));
}

static void sets(MPI_Group world) {
    MPI_Group even, low, made;
    int evens = (size + 1) / 2, lows = (size + 1) / 2, even_ranks[64], low_ranks[64], list[64], count, result;
    for (int i = 0; i < evens; i++) even_ranks[i] = 2 * (evens - 1 - i); /* falling */
    for (int i = 0; i < lows; i++) low_ranks[i] = i;
    OK(MPI_Group_incl(world, evens, even_ranks, &even));
    expect(even, evens, even_ranks);
    OK(MPI_Group_incl(world, lows, low_ranks, &low));

    count = 0;
    for (int i = 0; i < evens; i++) list[count++] = even_ranks[i];
    for (int i = 0; i < lows; i++)
        if (i % 2) list[count++] = i;
    OK(MPI_Group_union(even, low, &made));
    expect(made, count, list);
    OK(MPI_Group_free(&made));
    CHECK(made == MPI_GROUP_NULL);

    count = 0;
    for (int i = 0; i < evens; i++)
        if (even_ranks[i] < lows) list[count++] = even_ranks[i];
    OK(MPI_Group_intersection(even, low, &made));
    expect(made, count, list);
    OK(MPI_Group_free(&made));

    count = 0;
    for (int i = 0; i < evens; i++)
        if (even_ranks[i] >= lows) list[count++] = even_ranks[i];
    OK(MPI_Group_difference(even, low, &made));
    expect(made, count, list);
    CHECK((made == MPI_GROUP_EMPTY) == (count == 0));
    OK(MPI_Group_free(&made));

    count = 0;
    for (int i = 0; i < size; i++)
        if (i % 2) list[count++] = i;
    OK(MPI_Group_excl(world, evens, even_ranks, &made));
    expect(made, count, list);
    OK(MPI_Group_free(&made));

    int where;
    OK(MPI_Group_rank(even, &where));
    CHECK_EQ(where, rank % 2 ? MPI_UNDEFINED : evens - 1 - rank / 2);

    OK(MPI_Group_compare(even, even, &result));
    CHECK_EQ(result, MPI_IDENT);
    OK(MPI_Group_compare(world, MPI_GROUP_EMPTY, &result));
    CHECK_EQ(result, MPI_UNEQUAL);
    int reversed[64];
    for (int i = 0; i < evens; i++) reversed[i] = 2 * i;
    OK(MPI_Group_incl(world, evens, reversed, &made));
    OK(MPI_Group_compare(made, even, &result));
    CHECK_EQ(result, evens > 1 ? MPI_SIMILAR : MPI_IDENT);
    OK(MPI_Group_free(&made));
    OK(MPI_Group_free(&even));
    OK(MPI_Group_free(&low));
}

static void ranges(MPI_Group world) {
    MPI_Group made;
    int list[64], count = 0;
    int down[1][3] = {{size - 1, 0, -2}};
    for (int i = size - 1; i >= 0; i -= 2) list[count++] = i;
    OK(MPI_Group_range_incl(world, 1, down, &made));
    expect(made, count, list);
    OK(MPI_Group_free(&made));
    count = 0;
    for (int i = 0; i < size; i++)
        if ((size - 1 - i) % 2) list[count++] = i;
    OK(MPI_Group_range_excl(world, 1, down, &made));
    expect(made, count, list);
    OK(MPI_Group_free(&made));
    int zero[1][3] = {{0, 0, 0}};
    FAILS(MPI_Group_range_incl(world, 1, zero, &made), MPI_ERR_ARG);
}

static void wrong_use(MPI_Group world) {
    MPI_Group made;
    int bad = size, twice[2] = {0, 0}, null = MPI_PROC_NULL, found = 0;
    FAILS(MPI_Group_incl(world, 1, &bad, &made), MPI_ERR_RANK);
    FAILS(MPI_Group_incl(world, 2, twice, &made), MPI_ERR_RANK);
    FAILS(MPI_Group_excl(world, 1, &bad, &made), MPI_ERR_RANK);
    FAILS(MPI_Group_size(MPI_GROUP_NULL, &found), MPI_ERR_GROUP);
    FAILS(MPI_Group_translate_ranks(world, 1, &bad, world, &found), MPI_ERR_RANK);
    OK(MPI_Group_translate_ranks(world, 1, &null, world, &found));
    CHECK_EQ(found, MPI_PROC_NULL);
    OK(MPI_Group_translate_ranks(world, 1, twice, MPI_GROUP_EMPTY, &found));
    CHECK_EQ(found, MPI_UNDEFINED);
    MPI_Group stale = world, copy;
    OK(MPI_Group_union(world, MPI_GROUP_EMPTY, &copy));
    stale = copy;
    OK(MPI_Group_free(&copy));
    FAILS(MPI_Group_size(stale, &found), MPI_ERR_GROUP);
    OK(MPI_Group_size(MPI_GROUP_EMPTY, &found));
    CHECK_EQ(found, 0);
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    MPI_Group world;
    OK(MPI_Comm_group(MPI_COMM_WORLD, &world));
    sets(world);
    ranges(world);
    wrong_use(world);
    OK(MPI_Group_free(&world));
    OK(MPI_Finalize());
    return 0;
}
