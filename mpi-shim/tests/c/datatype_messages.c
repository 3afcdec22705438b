/* Derived types in messages, small and large, of unlike layouts at both ends. */
#include "check.h"
#include <string.h>

enum { ROWS = 300, COLUMNS = 400 };
static double matrix[ROWS][COLUMNS], column[ROWS * COLUMNS];

/* Sends the matrix by columns and receives it as rows. */
static void transpose(int peer) {
    MPI_Datatype one, columns;
    MPI_Status status;
    int count;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) matrix[r][c] = r * 1000.0 + c;
    OK(MPI_Type_vector(ROWS, 1, COLUMNS, MPI_DOUBLE, &one));
    OK(MPI_Type_create_resized(one, 0, sizeof(double), &columns));
    OK(MPI_Type_commit(&columns));
    OK(MPI_Type_free(&one));
    for (int n = 1; n <= COLUMNS; n = n * 7 < COLUMNS ? n * 7 : n < COLUMNS ? COLUMNS : n + 1) {
        memset(column, 0, sizeof column);
        OK(MPI_Sendrecv(matrix, n, columns, peer, 1, column, ROWS * COLUMNS, MPI_DOUBLE, peer, 1, MPI_COMM_WORLD,
                        &status));
        OK(MPI_Get_count(&status, MPI_DOUBLE, &count));
        CHECK_EQ(count, n * ROWS);
        for (int c = 0; c < n; c++)
            for (int r = 0; r < ROWS; r++) CHECK(column[c * ROWS + r] == r * 1000.0 + c);
        /* And back, from rows to columns. */
        memset(matrix, 0, sizeof matrix);
        OK(MPI_Sendrecv(column, n * ROWS, MPI_DOUBLE, peer, 2, matrix, n, columns, peer, 2, MPI_COMM_WORLD, &status));
        OK(MPI_Get_count(&status, columns, &count));
        CHECK_EQ(count, n);
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < COLUMNS; c++) {
                CHECK(matrix[r][c] == (c < n ? r * 1000.0 + c : 0));
                matrix[r][c] = r * 1000.0 + c;
            }
    }
    OK(MPI_Type_free(&columns));
}

/* Part of a structure arrives. */
static void partial(int peer) {
    struct cell {
        double position[3];
        int id;
        char name[5];
    } cells[4], got[4];
    MPI_Datatype members[] = {MPI_DOUBLE, MPI_INT, MPI_CHAR}, type;
    MPI_Aint base, at[3];
    MPI_Status status;
    int count;
    memset(cells, 0, sizeof cells);
    OK(MPI_Get_address(&cells[0], &base));
    OK(MPI_Get_address(&cells[0].position, &at[0]));
    OK(MPI_Get_address(&cells[0].id, &at[1]));
    OK(MPI_Get_address(&cells[0].name, &at[2]));
    for (int i = 0; i < 3; i++) at[i] = MPI_Aint_diff(at[i], base);
    OK(MPI_Type_create_struct(3, (int[]){3, 1, 5}, at, members, &type));
    OK(MPI_Type_commit(&type));
    MPI_Aint lb, extent;
    OK(MPI_Type_get_extent(type, &lb, &extent));
    CHECK_EQ(extent, sizeof(struct cell));
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 3; k++) cells[i].position[k] = i * 10 + k;
        cells[i].id = i;
        memcpy(cells[i].name, "abcde", 5);
    }
    memset(got, 0x55, sizeof got);
    OK(MPI_Sendrecv(cells, 3, type, peer, 3, got, 4, type, peer, 3, MPI_COMM_WORLD, &status));
    OK(MPI_Get_count(&status, type, &count));
    CHECK_EQ(count, 3);
    OK(MPI_Get_elements(&status, type, &count));
    CHECK_EQ(count, 27);
    for (int i = 0; i < 3; i++) {
        CHECK(memcmp(got[i].position, cells[i].position, sizeof got[i].position) == 0 && got[i].id == i);
        CHECK(memcmp(got[i].name, "abcde", 5) == 0);
    }
    /* The gaps are left alone. */
    CHECK(*((char *)&got[0] + sizeof(struct cell) - 1) == 0x55);
    OK(MPI_Sendrecv(cells[1].position, 2, MPI_DOUBLE, peer, 4, got, 4, type, peer, 4, MPI_COMM_WORLD, &status));
    OK(MPI_Get_count(&status, type, &count));
    CHECK_EQ(count, MPI_UNDEFINED);
    OK(MPI_Get_elements(&status, type, &count));
    CHECK_EQ(count, 2);
    OK(MPI_Type_free(&type));
}

/* Absolute addresses, from MPI_BOTTOM. */
static void absolute(int peer) {
    int a[3] = {1, 2, 3}, b = 4, c[4] = {0};
    MPI_Aint at[2];
    MPI_Datatype type;
    OK(MPI_Get_address(a, &at[0]));
    OK(MPI_Get_address(&b, &at[1]));
    OK(MPI_Type_create_hindexed(2, (int[]){3, 1}, at, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Sendrecv(MPI_BOTTOM, 1, type, peer, 5, c, 4, MPI_INT, peer, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    for (int i = 0; i < 4; i++) CHECK_EQ(c[i], i + 1);
    OK(MPI_Type_free(&type));
}

/* A type may be freed as soon as a message with it has begun. */
static void freed_early(int peer) {
    int out[10], in[10] = {0};
    MPI_Datatype type;
    MPI_Request requests[2];
    for (int i = 0; i < 10; i++) out[i] = i;
    OK(MPI_Type_vector(5, 1, 2, MPI_INT, &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Irecv(in, 1, type, peer, 6, MPI_COMM_WORLD, &requests[0]));
    OK(MPI_Isend(out, 1, type, peer, 6, MPI_COMM_WORLD, &requests[1]));
    OK(MPI_Type_free(&type));
    OK(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < 10; i++) CHECK_EQ(in[i], i % 2 ? 0 : i);
}

int main(int argc, char **argv) {
    int rank, size;
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    int peer = size - 1 - rank;
    transpose(peer);
    partial(peer);
    absolute(peer);
    freed_early(peer);
    OK(MPI_Finalize());
    return 0;
}
