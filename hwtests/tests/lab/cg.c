/* cg: conjugate gradients on the five-point Laplacian, as solvers of differential equations have them. Each rank has a tile of a grid of
 * 24 x 24 points, gives its neighbours the edges of it in each iteration, and sums two numbers over all ranks. What the solution should be
 * is known. Before that a number goes round the ring of all ranks. Prints one line on rank 0. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 24, LIMIT = 400 };

static int rows, columns;                       /* of the tile */
static int up, down, left, right;               /* the neighbours' ranks */
static MPI_Comm grid;
static MPI_Datatype column;

/* Tiles have a border of a point all round, for the edges of the neighbours. */
#define AT(tile, row, col) ((tile)[((row) + 1) * (columns + 2) + (col) + 1])

static double *tile(void) { return calloc((size_t)(rows + 2) * (columns + 2), sizeof(double)); }

static void exchange(double *p) {
    MPI_Request requests[8];
    MPI_Irecv(&AT(p, -1, 0), columns, MPI_DOUBLE, up, 0, grid, &requests[0]);
    MPI_Irecv(&AT(p, rows, 0), columns, MPI_DOUBLE, down, 1, grid, &requests[1]);
    MPI_Irecv(&AT(p, 0, -1), 1, column, left, 2, grid, &requests[2]);
    MPI_Irecv(&AT(p, 0, columns), 1, column, right, 3, grid, &requests[3]);
    MPI_Isend(&AT(p, rows - 1, 0), columns, MPI_DOUBLE, down, 0, grid, &requests[4]);
    MPI_Isend(&AT(p, 0, 0), columns, MPI_DOUBLE, up, 1, grid, &requests[5]);
    MPI_Isend(&AT(p, 0, columns - 1), 1, column, right, 2, grid, &requests[6]);
    MPI_Isend(&AT(p, 0, 0), 1, column, left, 3, grid, &requests[7]);
    MPI_Waitall(8, requests, MPI_STATUSES_IGNORE);
}

static void laplacian(double *p, double *result) {
    exchange(p);
    for (int i = 0; i < rows; i++) for (int j = 0; j < columns; j++)
        AT(result, i, j) = 4 * AT(p, i, j) - AT(p, i - 1, j) - AT(p, i + 1, j) - AT(p, i, j - 1) - AT(p, i, j + 1);
}

static double dot(double *a, double *b) {
    double mine = 0, all;
    for (int i = 0; i < rows; i++) for (int j = 0; j < columns; j++) mine += AT(a, i, j) * AT(b, i, j);
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, grid);
    return all;
}

/* a = scale * a + factor * b */
static void add(double *a, double scale, double factor, double *b) {
    for (int i = 0; i < rows; i++) for (int j = 0; j < columns; j++) AT(a, i, j) = scale * AT(a, i, j) + factor * AT(b, i, j);
}

static int ring(int rank, int size) {
    int token = 0;
    if (size == 1) return 0;
    if (rank == 0) MPI_Send(&token, 1, MPI_INT, 1, 9, MPI_COMM_WORLD);
    MPI_Recv(&token, 1, MPI_INT, (rank + size - 1) % size, 9, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (rank == 0) return token;
    token += rank;
    MPI_Send(&token, 1, MPI_INT, (rank + 1) % size, 9, MPI_COMM_WORLD);
    return token;
}

int main(int argc, char **argv) {
    int rank, size, dims[2] = {0, 0}, wrap[2] = {0, 0}, place[2];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int token = ring(rank, size);
    MPI_Dims_create(size, 2, dims);
    MPI_Cart_create(MPI_COMM_WORLD, 2, dims, wrap, 1, &grid);
    MPI_Comm_rank(grid, &rank);
    MPI_Cart_coords(grid, rank, 2, place);
    MPI_Cart_shift(grid, 0, 1, &up, &down);
    MPI_Cart_shift(grid, 1, 1, &left, &right);
    rows = POINTS / dims[0], columns = POINTS / dims[1];
    MPI_Type_vector(rows, 1, columns + 2, MPI_DOUBLE, &column);
    MPI_Type_commit(&column);

    double *known = tile(), *x = tile(), *r = tile(), *p = tile(), *ap = tile();
    for (int i = 0; i < rows; i++) for (int j = 0; j < columns; j++)
        AT(known, i, j) = sin(1 + place[0] * rows + i) * cos(place[1] * columns + j);
    laplacian(known, r);
    add(p, 0, 1, r);
    double before = dot(r, r), first = before;
    int iterations = 0;
    while (before > 1e-24 * first && iterations < LIMIT) {
        laplacian(p, ap);
        double alpha = before / dot(p, ap);
        add(x, 1, alpha, p);
        add(r, 1, -alpha, ap);
        double now = dot(r, r);
        add(p, now / before, 1, r);
        before = now;
        iterations++;
    }
    add(x, 1, -1, known);
    double error = sqrt(dot(x, x) / dot(known, known));
    if (rank == 0) printf("ring %d, grid %d x %d, %s after %d iterations\n", token, dims[0], dims[1], error < 1e-10 ? "solved" : "wrong", iterations);
    MPI_Finalize();
    return error < 1e-10 ? 0 : 1;
}
