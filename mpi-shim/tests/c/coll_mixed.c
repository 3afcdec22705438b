/* Collectives one after the other in random order, of random lengths and roots: what one of them leaves behind must not reach the next. */
#include "check.h"

enum { CALLS = 250, LONGEST = 70001 };
static int rank, size, *out, *in;
static unsigned long long state;

/* The same numbers on all ranks. */
static unsigned below(unsigned limit) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(state >> 33) % limit;
}

/* What a rank gives as element `index`. */
static int value(int from, int to, int index) { return from * 1000 + to * 31 + index; }
static int total(int index) { return 1000 * (size * (size - 1) / 2) + size * index; }

static void one_to_all(int n, int root) {
    for (int i = 0; i < n; i++) out[i] = rank == root ? value(root, 0, i) : -1;
    OK(MPI_Bcast(out, n, MPI_INT, root, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++) CHECK_EQ(out[i], value(root, 0, i));
}

static void blocks_of_root(int n, int root) {
    for (int i = 0; i < n; i++) out[i] = value(rank, 0, i);
    OK(MPI_Gather(out, n, MPI_INT, in, n, MPI_INT, root, MPI_COMM_WORLD));
    for (int i = 0; rank == root && i < n * size; i++) CHECK_EQ(in[i], value(i / n, 0, i % n));
    for (int i = 0; i < n * size; i++) out[i] = value(root, i / n, i % n);
    OK(MPI_Scatter(out, n, MPI_INT, in, n, MPI_INT, root, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++) CHECK_EQ(in[i], value(root, rank, i));
}

static void all_to_all(int n, int in_place) {
    for (int i = 0; i < n * size; i++) out[i] = in[i] = value(rank, i / n, i % n);
    OK(MPI_Alltoall(in_place ? MPI_IN_PLACE : out, n, MPI_INT, in, n, MPI_INT, MPI_COMM_WORLD));
    for (int i = 0; i < n * size; i++) CHECK_EQ(in[i], value(i / n, rank, i % n));
}

static void all_gather(int n, int in_place) {
    for (int i = 0; i < n; i++) out[i] = in[rank * n + i] = value(rank, 0, i);
    OK(MPI_Allgather(in_place ? MPI_IN_PLACE : out, n, MPI_INT, in, n, MPI_INT, MPI_COMM_WORLD));
    for (int i = 0; i < n * size; i++) CHECK_EQ(in[i], value(i / n, 0, i % n));
}

static void reductions(int n, int root, int in_place) {
    int at_root = rank == root;
    for (int i = 0; i < n * size; i++) out[i] = in[i] = value(rank, 0, i);
    OK(MPI_Reduce(at_root && in_place ? MPI_IN_PLACE : out, in, n, MPI_INT, MPI_SUM, root, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++) CHECK_EQ(in[i], at_root ? total(i) : value(rank, 0, i));
    for (int i = 0; i < n; i++) in[i] = value(rank, 0, i);
    OK(MPI_Allreduce(in_place ? MPI_IN_PLACE : out, in, n, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++) CHECK_EQ(in[i], total(i));
    for (int i = 0; i < n * size; i++) in[i] = value(rank, 0, i);
    OK(MPI_Reduce_scatter_block(in_place ? MPI_IN_PLACE : out, in, n, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
    for (int i = 0; i < n; i++) CHECK_EQ(in[i], total(rank * n + i));
}

static void one_call(void) {
    static const int lengths[] = {0, 1, 2, 6, 7, 100, 2000, 16384, 40000, LONGEST};
    int n = lengths[below(sizeof lengths / sizeof *lengths)], root = (int)below(size), in_place = below(3) == 0;
    switch (below(6)) {
    case 0: OK(MPI_Barrier(MPI_COMM_WORLD)); break;
    case 1: one_to_all(n, root); break;
    case 2: blocks_of_root(n, root); break;
    case 3: all_to_all(n, in_place); break;
    case 4: all_gather(n, in_place); break;
    default: reductions(n, root, in_place);
    }
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    out = malloc(sizeof *out * LONGEST * size);
    in = malloc(sizeof *in * LONGEST * size);
    state = 11 * size;
    for (int call = 0; call < CALLS; call++) one_call();
    free(out);
    free(in);
    OK(MPI_Finalize());
    return 0;
}
