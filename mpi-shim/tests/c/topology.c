/* Virtual topologies, with messages between neighbours. */
#include "check.h"

static int size, rank;
/* Compilers that know the value warn of a pointer to nothing. */
int *unweighted = MPI_UNWEIGHTED;

static void dims(void) {
    int free3[3] = {0, 0, 0}, fixed[3] = {0, 3, 0}, bad[2] = {-1, 0};
    OK(MPI_Dims_create(12, 3, free3));
    CHECK(free3[0] == 3 && free3[1] == 2 && free3[2] == 2);
    OK(MPI_Dims_create(6, 3, fixed));
    CHECK(fixed[0] == 2 && fixed[1] == 3 && fixed[2] == 1);
    fixed[0] = fixed[2] = 0;
    FAILS(MPI_Dims_create(7, 3, fixed), MPI_ERR_DIMS);
    FAILS(MPI_Dims_create(4, 2, bad), MPI_ERR_DIMS);
}

static void cart(void) {
    MPI_Comm grid, sub;
    int lengths[2] = {0, 0}, periods[2] = {1, 0}, coords[2], got_dims[2], got_periods[2], kind, ndims, found, ranks;
    OK(MPI_Dims_create(size, 2, lengths));
    OK(MPI_Cart_create(MPI_COMM_WORLD, 2, lengths, periods, 0, &grid));
    OK(MPI_Topo_test(grid, &kind));
    CHECK_EQ(kind, MPI_CART);
    OK(MPI_Cartdim_get(grid, &ndims));
    CHECK_EQ(ndims, 2);
    OK(MPI_Cart_get(grid, 2, got_dims, got_periods, coords));
    CHECK(got_dims[0] == lengths[0] && got_dims[1] == lengths[1] && got_periods[0] == 1 && got_periods[1] == 0);
    CHECK_EQ(coords[0] * lengths[1] + coords[1], rank);
    OK(MPI_Cart_rank(grid, coords, &found));
    CHECK_EQ(found, rank);
    coords[0] += 2 * lengths[0]; /* a ring goes on */
    OK(MPI_Cart_rank(grid, coords, &found));
    CHECK_EQ(found, rank);
    for (int i = 0; i < size; i++) {
        OK(MPI_Cart_coords(grid, i, 2, coords));
        CHECK_EQ(coords[0] * lengths[1] + coords[1], i);
    }
    for (int direction = 0; direction < 2; direction++) {
        int source, dest, got = -1;
        OK(MPI_Cart_shift(grid, direction, 1, &source, &dest));
        OK(MPI_Sendrecv(&rank, 1, MPI_INT, dest, 0, &got, 1, MPI_INT, source, 0, grid, MPI_STATUS_IGNORE));
        CHECK_EQ(got, source == MPI_PROC_NULL ? -1 : source);
    }
    OK(MPI_Cart_map(MPI_COMM_WORLD, 2, lengths, periods, &found));
    CHECK_EQ(found, rank);
    int remain[2] = {0, 1};
    OK(MPI_Cart_sub(grid, remain, &sub));
    OK(MPI_Comm_size(sub, &ranks));
    CHECK_EQ(ranks, lengths[1]);
    OK(MPI_Comm_rank(sub, &found));
    CHECK_EQ(found, rank % lengths[1]);
    OK(MPI_Cartdim_get(sub, &ndims));
    CHECK_EQ(ndims, 1);
    int got = -1;
    OK(MPI_Sendrecv(&rank, 1, MPI_INT, ranks - 1 - found, 0, &got, 1, MPI_INT, ranks - 1 - found, 0, sub,
                    MPI_STATUS_IGNORE));
    CHECK_EQ(got, rank - found + ranks - 1 - found);
    OK(MPI_Comm_free(&sub));
    remain[1] = 0; /* nothing remains: everybody alone */
    OK(MPI_Cart_sub(grid, remain, &sub));
    OK(MPI_Comm_size(sub, &ranks));
    CHECK_EQ(ranks, 1);
    OK(MPI_Comm_free(&sub));
    /* Those who find no place in a grid get no communicator. */
    int smaller = size > 1 ? size - 1 : 1;
    OK(MPI_Cart_create(MPI_COMM_WORLD, 1, &smaller, periods, 1, &sub));
    CHECK((sub == MPI_COMM_NULL) == (rank >= smaller));
    if (sub != MPI_COMM_NULL) OK(MPI_Comm_free(&sub));
    OK(MPI_Comm_dup(grid, &sub));
    OK(MPI_Topo_test(sub, &kind));
    CHECK_EQ(kind, MPI_CART);
    OK(MPI_Comm_free(&sub));
    int larger = size + 1, none = 0;
    FAILS(MPI_Cart_create(MPI_COMM_WORLD, 1, &larger, periods, 0, &sub), MPI_ERR_DIMS);
    FAILS(MPI_Cart_create(MPI_COMM_WORLD, 1, &none, periods, 0, &sub), MPI_ERR_DIMS);
    FAILS(MPI_Cart_shift(grid, 2, 1, &found, &found), MPI_ERR_ARG);
    FAILS(MPI_Cart_coords(grid, size, 2, coords), MPI_ERR_RANK);
    FAILS(MPI_Cart_sub(MPI_COMM_WORLD, remain, &sub), MPI_ERR_TOPOLOGY);
    FAILS(MPI_Graphdims_get(grid, &found, &found), MPI_ERR_TOPOLOGY);
    OK(MPI_Comm_free(&grid));
}

static void graph(void) {
    MPI_Comm made;
    int index[64], edges[128], kind, nodes, count, got_index[64], got_edges[128], found;
    for (int i = 0; i < size; i++) {
        index[i] = 2 * (i + 1);
        edges[2 * i] = (i + size - 1) % size;
        edges[2 * i + 1] = (i + 1) % size;
    }
    OK(MPI_Graph_create(MPI_COMM_WORLD, size, index, edges, 0, &made));
    OK(MPI_Topo_test(made, &kind));
    CHECK_EQ(kind, MPI_GRAPH);
    OK(MPI_Graphdims_get(made, &nodes, &count));
    CHECK(nodes == size && count == 2 * size);
    OK(MPI_Graph_get(made, 64, 128, got_index, got_edges));
    for (int i = 0; i < size; i++) CHECK_EQ(got_index[i], index[i]);
    for (int i = 0; i < 2 * size; i++) CHECK_EQ(got_edges[i], edges[i]);
    OK(MPI_Graph_neighbors_count(made, rank, &count));
    CHECK_EQ(count, 2);
    OK(MPI_Graph_neighbors(made, rank, 2, got_edges));
    CHECK(got_edges[0] == (rank + size - 1) % size && got_edges[1] == (rank + 1) % size);
    OK(MPI_Graph_map(MPI_COMM_WORLD, size, index, edges, &found));
    CHECK_EQ(found, rank);
    FAILS(MPI_Graph_neighbors_count(made, size, &count), MPI_ERR_RANK);
    OK(MPI_Comm_free(&made));
    edges[0] = size;
    FAILS(MPI_Graph_create(MPI_COMM_WORLD, size, index, edges, 0, &made), MPI_ERR_ARG);
}

static void dist_graph(void) {
    MPI_Comm made;
    int kind, in, out, weighted, sources[8], destinations[8], in_weights[8], out_weights[8];
    int before = (rank + size - 1) % size, after = (rank + 1) % size;
    /* A ring, of which everybody names its own edges. */
    OK(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &before, unweighted, 1, &after, unweighted,
                                      MPI_INFO_NULL, 0, &made));
    OK(MPI_Topo_test(made, &kind));
    CHECK_EQ(kind, MPI_DIST_GRAPH);
    OK(MPI_Dist_graph_neighbors_count(made, &in, &out, &weighted));
    CHECK(in == 1 && out == 1 && !weighted);
    OK(MPI_Dist_graph_neighbors(made, 1, sources, unweighted, 1, destinations, unweighted));
    CHECK(sources[0] == before && destinations[0] == after);
    OK(MPI_Comm_free(&made));
    /* The same ring, in which everybody names the edges of the next rank, with weights. */
    int degree = 1, target = (rank + 2) % size, weight = 10 * after;
    OK(MPI_Dist_graph_create(MPI_COMM_WORLD, 1, &after, &degree, &target, &weight, MPI_INFO_NULL, 0, &made));
    OK(MPI_Dist_graph_neighbors_count(made, &in, &out, &weighted));
    CHECK(in == 1 && out == 1 && weighted);
    OK(MPI_Dist_graph_neighbors(made, 8, sources, in_weights, 8, destinations, out_weights));
    CHECK(sources[0] == before && destinations[0] == after);
    CHECK_EQ(out_weights[0], 10 * rank);
    CHECK_EQ(in_weights[0], 10 * before);
    OK(MPI_Comm_free(&made));
    /* A star that rank 0 alone names; the edges come in the order in which it does. */
    int ends[64], zero = 0;
    for (int i = 0; i < size; i++) ends[i] = size - 1 - i;
    OK(MPI_Dist_graph_create(MPI_COMM_WORLD, rank == 0, &zero, &size, ends, unweighted, MPI_INFO_NULL, 0, &made));
    OK(MPI_Dist_graph_neighbors_count(made, &in, &out, &weighted));
    CHECK(in == 1 && out == (rank == 0 ? size : 0) && !weighted);
    OK(MPI_Dist_graph_neighbors(made, 8, sources, unweighted, 8, destinations, unweighted));
    for (int i = 0; i < out && i < 8; i++) CHECK_EQ(destinations[i], size - 1 - i);
    OK(MPI_Comm_free(&made));
    FAILS(MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, 1, &size, unweighted, 0, NULL, unweighted,
                                         MPI_INFO_NULL, 0, &made),
          MPI_ERR_RANK);
    FAILS(MPI_Dist_graph_neighbors_count(MPI_COMM_WORLD, &in, &out, &weighted), MPI_ERR_TOPOLOGY);
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    int kind;
    OK(MPI_Topo_test(MPI_COMM_WORLD, &kind));
    CHECK_EQ(kind, MPI_UNDEFINED);
    dims();
    cart();
    graph();
    dist_graph();
    OK(MPI_Finalize());
    return 0;
}
