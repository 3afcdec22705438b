/* Every collective of an intracommunicator in every form: short and long, every root, in place, with gaps, with an operation whose
 * order matters. */
#define PERSISTENT_ROUNDS 2
#include "coll_forms.h"
#include <string.h>

static int rank, ranks;
static MPI_Comm comm;

/* What rank r gives as its element i. */
static int element(int r, int i) { return r * 1000003 + i * 7 + 1; }

static int *filled(int r, int count) {
    int *data = malloc((count + 1) * sizeof *data);
    for (int i = 0; i < count; i++) data[i] = element(r, i);
    return data;
}

static int *empty(int count) {
    int *data = malloc((count + 1) * sizeof *data);
    for (int i = 0; i <= count; i++) data[i] = -77;
    return data;
}

static void barrier(void) {
    MPI_Request request;
    switch (form) {
    case 0: OK(MPI_Barrier(comm)); break;
    case 1: OK(MPI_Ibarrier(comm, &request)); OK(MPI_Wait(&request, MPI_STATUS_IGNORE)); break;
    case 2:
        OK(MPI_Barrier_init(comm, MPI_INFO_NULL, &request));
        OK(MPI_Start(&request));
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
        OK(MPI_Request_free(&request));
    }
}

static void bcast(int count, int root) {
    int *data = rank == root ? filled(root, count) : empty(count);
    CALL(Bcast, bcast, data, count, MPI_INT, root, comm);
    for (int i = 0; i < count; i++) CHECK_EQ(data[i], element(root, i));
    free(data);
}

/* The elements are every second one at the receivers and every third one at the root. */
static void bcast_with_gaps(int count, int root) {
    int step = rank == root ? 3 : 2;
    int *data = empty(count * 3 + 3);
    if (rank == root) for (int i = 0; i < count; i++) data[i * 3] = element(root, i);
    MPI_Datatype type;
    OK(MPI_Type_vector(count, 1, step, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    CALL(Bcast, bcast, data, 1, type, root, comm);
    for (int i = 0; i < count; i++) {
        CHECK_EQ(data[i * step], element(root, i));
        CHECK_EQ(data[i * step + 1], -77);
    }
    OK(MPI_Type_free(&type));
    free(data);
}

static void gather_and_scatter(int count, int root, int in_place) {
    int *mine = filled(rank, count), *all = empty(count * ranks), *back = empty(count);
    int here = rank == root && in_place;
    if (here) memcpy(all + rank * count, mine, count * sizeof *mine);
    CALL(Gather, gather, here ? MPI_IN_PLACE : mine, count, MPI_INT, all, count, MPI_INT, root, comm);
    if (rank == root) for (int r = 0; r < ranks; r++) for (int i = 0; i < count; i++) CHECK_EQ(all[r * count + i], element(r, i));
    CALL(Scatter, scatter, all, count, MPI_INT, here ? MPI_IN_PLACE : back, count, MPI_INT, root, comm);
    if (!here) for (int i = 0; i < count; i++) CHECK_EQ(back[i], element(rank, i));
    free(mine); free(all); free(back);
}

static int *counts, *displacements;
static MPI_Count *large_counts;
static MPI_Aint *large_displacements;
static int total;

/* Rank r has count + r elements, behind one another with a gap of one. */
static void divide(int count) {
    total = 0;
    for (int r = 0; r < ranks; r++) {
        large_counts[r] = counts[r] = r == 1 ? 0 : count + r;
        large_displacements[r] = displacements[r] = total;
        total += counts[r] + 1;
    }
}

static void check_parts(const int *all) {
    for (int r = 0; r < ranks; r++) {
        for (int i = 0; i < counts[r]; i++) CHECK_EQ(all[displacements[r] + i], element(r, i));
        CHECK_EQ(all[displacements[r] + counts[r]], -77);
    }
}

static void vectors(int count, int root) {
    divide(count);
    int n = counts[rank], *mine = filled(rank, n), *all = empty(total), *back = empty(n);
    CALL2(Gatherv, gatherv, ARGS(mine, n, MPI_INT, all, counts, displacements, MPI_INT, root, comm),
          ARGS(mine, n, MPI_INT, all, large_counts, large_displacements, MPI_INT, root, comm));
    if (rank == root) check_parts(all);
    CALL2(Scatterv, scatterv, ARGS(all, counts, displacements, MPI_INT, back, n, MPI_INT, root, comm),
          ARGS(all, large_counts, large_displacements, MPI_INT, back, n, MPI_INT, root, comm));
    for (int i = 0; i < n; i++) CHECK_EQ(back[i], element(rank, i));
    free(all);
    all = empty(total);
    CALL2(Allgatherv, allgatherv, ARGS(mine, n, MPI_INT, all, counts, displacements, MPI_INT, comm),
          ARGS(mine, n, MPI_INT, all, large_counts, large_displacements, MPI_INT, comm));
    check_parts(all);
    for (int r = 0; r < ranks; r++) if (r != rank) all[displacements[r]] = -77;
    CALL2(Allgatherv, allgatherv, ARGS(MPI_IN_PLACE, 0, MPI_INT, all, counts, displacements, MPI_INT, comm),
          ARGS(MPI_IN_PLACE, 0, MPI_INT, all, large_counts, large_displacements, MPI_INT, comm));
    check_parts(all);
    free(mine); free(all); free(back);
}

static void allgather(int count, int in_place) {
    int *mine = filled(rank, count), *all = empty(count * ranks);
    if (in_place) memcpy(all + rank * count, mine, count * sizeof *mine);
    CALL(Allgather, allgather, in_place ? MPI_IN_PLACE : mine, count, MPI_INT, all, count, MPI_INT, comm);
    for (int r = 0; r < ranks; r++) for (int i = 0; i < count; i++) CHECK_EQ(all[r * count + i], element(r, i));
    CHECK_EQ(all[count * ranks], -77);
    free(mine); free(all);
}

/* In place, every call turns the blocks; an even number of calls gives back what was there. */
static void alltoall(int count, int in_place) {
    int *out = filled(rank, count * ranks), *into = in_place ? filled(rank, count * ranks) : empty(count * ranks);
    CALL(Alltoall, alltoall, in_place ? MPI_IN_PLACE : out, count, MPI_INT, into, count, MPI_INT, comm);
    int turned = !in_place || form % 3 != 2;
    for (int r = 0; r < ranks; r++) for (int i = 0; i < count; i++)
        CHECK_EQ(into[r * count + i], turned ? element(r, rank * count + i) : element(rank, r * count + i));
    free(out); free(into);
}

/* Rank r sends r + s + 1 elements to rank s, in reverse order of ranks. */
static void alltoallv(int count) {
    int *bytes = malloc(ranks * sizeof *bytes);
    MPI_Aint *large_bytes = malloc(ranks * sizeof *large_bytes);
    MPI_Datatype *types = malloc(ranks * sizeof *types);
    total = 0;
    for (int r = ranks - 1; r >= 0; r--) {
        large_counts[r] = counts[r] = (rank + r) % 3 ? rank + r + count : 0;
        large_displacements[r] = displacements[r] = total;
        large_bytes[r] = bytes[r] = total * (int)sizeof(int);
        types[r] = MPI_INT;
        total += counts[r];
    }
    for (int w = 0; w < 2; w++) {
        int *out = empty(total), *into = empty(total);
        for (int r = 0; r < ranks; r++) for (int i = 0; i < counts[r]; i++) out[displacements[r] + i] = element(rank * ranks + r, i);
        if (w)
            CALL2(Alltoallw, alltoallw, ARGS(out, counts, bytes, types, into, counts, bytes, types, comm),
                  ARGS(out, large_counts, large_bytes, types, into, large_counts, large_bytes, types, comm));
        else
            CALL2(Alltoallv, alltoallv, ARGS(out, counts, displacements, MPI_INT, into, counts, displacements, MPI_INT, comm),
                  ARGS(out, large_counts, large_displacements, MPI_INT, into, large_counts, large_displacements, MPI_INT, comm));
        for (int r = 0; r < ranks; r++) for (int i = 0; i < counts[r]; i++) CHECK_EQ(into[displacements[r] + i], element(r * ranks + rank, i));
        free(out); free(into);
    }
    free(bytes); free(large_bytes); free(types);
}

/* z -> a z + b, one after the other: the order of operands matters, not that of operations. */
typedef struct { unsigned a, b; } affine;
static MPI_Datatype affine_type;
static MPI_Op compose_op;

static affine map_of(int r, int i) { return (affine){ 2u * r + 3, r * 17u + i }; }
static affine composed(affine x, affine y) { return (affine){ x.a * y.a, x.a * y.b + x.b }; }

static void compose(void *in, void *inout, int *count, MPI_Datatype *type) {
    CHECK(*type == affine_type);
    for (int i = 0; i < *count; i++) ((affine *)inout)[i] = composed(((affine *)in)[i], ((affine *)inout)[i]);
}

static affine fold(int first, int end, int i) {
    affine all = map_of(first, i);
    for (int r = first + 1; r < end; r++) all = composed(all, map_of(r, i));
    return all;
}

static void check_maps(const affine *got, int count, int first, int end, int offset) {
    for (int i = 0; i < count; i++) {
        affine expected = fold(first, end, offset + i);
        CHECK_EQ(got[i].a, expected.a);
        CHECK_EQ(got[i].b, expected.b);
    }
}

static affine *maps(int count) {
    affine *data = malloc((count + 1) * sizeof *data);
    for (int i = 0; i < count; i++) data[i] = map_of(rank, i);
    return data;
}

static void order_matters(int count, int root, int in_place) {
    if (in_place && form % 3 == 2) return; /* a second start would begin with the result of the first */
    affine *mine = maps(count), *result = in_place ? mine : malloc((count + 1) * sizeof *result);
    void *out = in_place ? MPI_IN_PLACE : (void *)mine;
    CALL(Reduce, reduce, rank == root ? out : mine, result, count, affine_type, compose_op, root, comm);
    if (rank == root) check_maps(result, count, 0, ranks, 0);
    if (in_place) { free(mine); mine = result = maps(count); }
    CALL(Allreduce, allreduce, out = in_place ? MPI_IN_PLACE : (void *)mine, result, count, affine_type, compose_op, comm);
    check_maps(result, count, 0, ranks, 0);
    if (in_place) { free(mine); mine = result = maps(count); }
    CALL(Scan, scan, in_place ? MPI_IN_PLACE : (void *)mine, result, count, affine_type, compose_op, comm);
    check_maps(result, count, 0, rank + 1, 0);
    if (in_place) { free(mine); mine = result = maps(count); }
    CALL(Exscan, exscan, in_place ? MPI_IN_PLACE : (void *)mine, result, count, affine_type, compose_op, comm);
    if (rank) check_maps(result, count, 0, rank, 0);
    free(mine);
    if (!in_place) free(result);
}

static void divided(int count, int in_place) {
    if (in_place && form % 3 == 2) return;
    affine *mine = maps(count * ranks), *result = in_place ? mine : malloc((count * ranks + 1) * sizeof *result);
    CALL(Reduce_scatter_block, reduce_scatter_block, in_place ? MPI_IN_PLACE : (void *)mine, result, count, affine_type, compose_op, comm);
    check_maps(result, count, 0, ranks, rank * count);
    free(mine);
    total = 0;
    int before = 0;
    for (int r = 0; r < ranks; r++) {
        large_counts[r] = counts[r] = r % 2 ? 0 : count + r;
        if (r < rank) before += counts[r];
        total += counts[r];
    }
    mine = maps(total);
    if (in_place) result = mine; else { free(result); result = malloc((total + 1) * sizeof *result); }
    CALL2(Reduce_scatter, reduce_scatter, ARGS(in_place ? MPI_IN_PLACE : (void *)mine, result, counts, affine_type, compose_op, comm),
          ARGS(in_place ? MPI_IN_PLACE : (void *)mine, result, large_counts, affine_type, compose_op, comm));
    check_maps(result, counts[rank], 0, ranks, before);
    free(mine);
    if (!in_place) free(result);
}

static void sums(int count, int root) {
    double *mine = malloc((count + 1) * sizeof *mine), *result = malloc((count + 1) * sizeof *result);
    for (int i = 0; i < count; i++) mine[i] = rank + i;
    CALL(Reduce, reduce, mine, result, count, MPI_DOUBLE, MPI_SUM, root, comm);
    for (int i = 0; rank == root && i < count; i++) CHECK(result[i] == ranks * (ranks - 1) / 2 + (double)i * ranks);
    CALL(Allreduce, allreduce, mine, result, count, MPI_DOUBLE, MPI_MAX, comm);
    for (int i = 0; i < count; i++) CHECK(result[i] == ranks - 1 + i);
    struct { double value; int index; } place = { (rank * 5 + 2) % ranks, rank }, best;
    CALL(Allreduce, allreduce, &place, &best, 1, MPI_DOUBLE_INT, MPI_MINLOC, comm);
    for (int r = 0; r < ranks; r++) CHECK((r * 5 + 2) % ranks >= best.value);
    CHECK((best.index * 5 + 2) % ranks == best.value);
    free(mine); free(result);
}

int main(int argc, char **argv) {
    static const int sizes[] = { 0, 1, 13, 1100, 5000, 40000, 300000 };
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    OK(MPI_Comm_rank(comm, &rank));
    OK(MPI_Comm_size(comm, &ranks));
    counts = malloc(ranks * sizeof *counts); displacements = malloc(ranks * sizeof *displacements);
    large_counts = malloc(ranks * sizeof *large_counts); large_displacements = malloc(ranks * sizeof *large_displacements);
    OK(MPI_Type_contiguous(2, MPI_UNSIGNED, &affine_type));
    OK(MPI_Type_commit(&affine_type));
    OK(MPI_Op_create(compose, 0, &compose_op));
    for (form = 0; form < FORMS; form++) {
        barrier();
        for (int s = 0; s < (int)(sizeof sizes / sizeof *sizes); s++) {
            int count = sizes[s];
            if (count > 40000 && form) continue;
            for (int root = 0; root < ranks; root += count > 13 ? ranks / 2 + 1 : 1) {
                bcast(count, root);
                bcast_with_gaps(count, root);
                gather_and_scatter(count / 4, root, 0);
                gather_and_scatter(count / 4, root, 1);
                vectors(count / 4, root);
                order_matters(count / 2, root, 0);
                order_matters(count / 2, root, 1);
                sums(count / 2, root);
            }
            allgather(count / 4, 0);
            allgather(count / 4, 1);
            alltoall(count / 4, 0);
            alltoall(count / 4, 1);
            alltoallv(count / 4);
            divided(count / 8, 0);
            divided(count / 8, 1);
        }
    }
    OK(MPI_Op_free(&compose_op));
    OK(MPI_Type_free(&affine_type));
    OK(MPI_Comm_free(&comm));
    OK(MPI_Finalize());
    return 0;
}
