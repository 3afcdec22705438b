/* Every constructor, in both forms: what is packed, in which order, and the bounds. */
#include "check.h"
#include <limits.h>
#include <string.h>

static int memory[400];

/* Packs one element of ints and compares the values, which are the indices of the ints; frees the type. */
static void packs(int line, MPI_Datatype type, MPI_Aint lb, MPI_Aint extent, MPI_Aint true_lb, MPI_Aint true_extent,
                  int count, const int *expected) {
    int packed[100], position = 0;
    MPI_Aint a, b;
    MPI_Count c, d;
    CHECK(count <= 100);
    FAILS(MPI_Pack(memory, 1, type, packed, sizeof packed, &position, MPI_COMM_SELF), MPI_ERR_TYPE);
    OK(MPI_Type_commit(&type));
    OK(MPI_Pack(memory + 100, 1, type, packed, sizeof packed, &position, MPI_COMM_SELF));
    int same = position == 4 * count;
    for (int i = 0; i < count && same; i++) same = packed[i] == expected[i] + 100;
    if (!same) {
        fprintf(stderr, "line %d: %d bytes:", line, position);
        for (int i = 0; i < position / 4; i++) fprintf(stderr, " %d", packed[i] - 100);
        check_failed(__FILE__, line, "packed otherwise");
    }
    OK(MPI_Type_get_extent(type, &a, &b));
    CHECK_EQ(a, lb);
    CHECK_EQ(b, extent);
    OK(MPI_Type_get_true_extent(type, &a, &b));
    CHECK_EQ(a, true_lb);
    CHECK_EQ(b, true_extent);
    OK(MPI_Type_get_true_extent_c(type, &c, &d));
    CHECK(c == true_lb && d == true_extent);
    c = d = -1;
    OK(MPI_Type_get_true_extent_x(type, &c, &d));
    CHECK(c == true_lb && d == true_extent);
    /* Unpacked to another place, the data and nothing else is there. */
    int other[400];
    memset(other, 0, sizeof other);
    position = 0;
    OK(MPI_Unpack(packed, 4 * count, &position, other + 100, 1, type, MPI_COMM_SELF));
    int found = 0;
    for (int i = 0; i < 400; i++) found += other[i] != 0;
    CHECK_EQ(found, count);
    for (int i = 0; i < count; i++) CHECK_EQ(other[100 + expected[i]], 100 + expected[i]);
    OK(MPI_Type_free(&type));
}

#define LIST(...) (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__}
#define PACKS(type, lb, extent, true_lb, true_extent, ...)                                                             \
    packs(__LINE__, type, lb, extent, true_lb, true_extent, LIST(__VA_ARGS__))

static void simple(void) {
    MPI_Datatype type;
    OK(MPI_Type_contiguous(3, MPI_INT, &type));
    PACKS(type, 0, 12, 0, 12, 0, 1, 2);
    OK(MPI_Type_contiguous_c(3, MPI_INT, &type));
    PACKS(type, 0, 12, 0, 12, 0, 1, 2);
    OK(MPI_Type_vector(3, 2, 4, MPI_INT, &type));
    PACKS(type, 0, 40, 0, 40, 0, 1, 4, 5, 8, 9);
    OK(MPI_Type_vector_c(2, 1, -4, MPI_INT, &type));
    PACKS(type, -16, 20, -16, 20, 0, -4);
    OK(MPI_Type_create_hvector(2, 2, 20, MPI_INT, &type));
    PACKS(type, 0, 28, 0, 28, 0, 1, 5, 6);
    OK(MPI_Type_create_hvector_c(2, 2, 20, MPI_INT, &type));
    PACKS(type, 0, 28, 0, 28, 0, 1, 5, 6);
    OK(MPI_Type_create_resized(MPI_INT, -8, 24, &type));
    PACKS(type, -8, 24, 0, 4, 0);
    OK(MPI_Type_create_resized_c(MPI_INT, -8, 24, &type));
    PACKS(type, -8, 24, 0, 4, 0);
    OK(MPI_Type_dup(MPI_INT, &type));
    int size;
    OK(MPI_Type_size(type, &size));
    CHECK_EQ(size, 4);
    OK(MPI_Type_free(&type));
}

static void listed(void) {
    MPI_Datatype type;
    OK(MPI_Type_indexed(3, (int[]){2, 0, 1}, (int[]){3, 9, 1}, MPI_INT, &type));
    PACKS(type, 4, 16, 4, 16, 3, 4, 1);
    OK(MPI_Type_indexed_c(3, (MPI_Count[]){2, 0, 1}, (MPI_Count[]){3, 9, 1}, MPI_INT, &type));
    PACKS(type, 4, 16, 4, 16, 3, 4, 1);
    OK(MPI_Type_create_hindexed(2, (int[]){1, 2}, (MPI_Aint[]){-4, 8}, MPI_INT, &type));
    PACKS(type, -4, 20, -4, 20, -1, 2, 3);
    OK(MPI_Type_create_hindexed_c(2, (MPI_Count[]){1, 2}, (MPI_Count[]){-4, 8}, MPI_INT, &type));
    PACKS(type, -4, 20, -4, 20, -1, 2, 3);
    OK(MPI_Type_create_indexed_block(3, 2, (int[]){0, 7, 3}, MPI_INT, &type));
    PACKS(type, 0, 36, 0, 36, 0, 1, 7, 8, 3, 4);
    OK(MPI_Type_create_indexed_block_c(3, 2, (MPI_Count[]){0, 7, 3}, MPI_INT, &type));
    PACKS(type, 0, 36, 0, 36, 0, 1, 7, 8, 3, 4);
    OK(MPI_Type_create_hindexed_block(2, 2, (MPI_Aint[]){16, 0}, MPI_INT, &type));
    PACKS(type, 0, 24, 0, 24, 4, 5, 0, 1);
    OK(MPI_Type_create_hindexed_block_c(2, 2, (MPI_Count[]){16, 0}, MPI_INT, &type));
    PACKS(type, 0, 24, 0, 24, 4, 5, 0, 1);
}

static void structures(void) {
    MPI_Datatype type, inner;
    MPI_Aint lb, extent;
    OK(MPI_Type_vector(2, 1, 2, MPI_INT, &inner));
    MPI_Datatype types[] = {MPI_INT, inner};
    OK(MPI_Type_create_struct(2, (int[]){1, 2}, (MPI_Aint[]){24, 0}, types, &type));
    PACKS(type, 0, 28, 0, 28, 6, 0, 2, 3, 5);
    OK(MPI_Type_create_struct_c(2, (MPI_Count[]){1, 2}, (MPI_Count[]){24, 0}, types, &type));
    PACKS(type, 0, 28, 0, 28, 6, 0, 2, 3, 5);
    OK(MPI_Type_free(&inner));
    /* The padding of a C structure. */
    struct cell {
        double mass;
        char kind;
    };
    MPI_Datatype members[] = {MPI_DOUBLE, MPI_CHAR};
    OK(MPI_Type_create_struct(2, (int[]){1, 1}, (MPI_Aint[]){0, 8}, members, &type));
    OK(MPI_Type_get_extent(type, &lb, &extent));
    CHECK_EQ(extent, sizeof(struct cell));
    OK(MPI_Type_get_true_extent(type, &lb, &extent));
    CHECK_EQ(extent, 9);
    OK(MPI_Type_free(&type));
}

static void arrays(void) {
    MPI_Datatype type;
    OK(MPI_Type_create_subarray(2, (int[]){4, 5}, (int[]){2, 3}, (int[]){1, 2}, MPI_ORDER_C, MPI_INT, &type));
    PACKS(type, 0, 80, 28, 32, 7, 8, 9, 12, 13, 14);
    OK(MPI_Type_create_subarray_c(2, (MPI_Count[]){5, 4}, (MPI_Count[]){3, 2}, (MPI_Count[]){2, 1}, MPI_ORDER_FORTRAN,
                                  MPI_INT, &type));
    PACKS(type, 0, 80, 28, 32, 7, 8, 9, 12, 13, 14);
    /* 5 rows in blocks of 3, 4 columns dealt out one by one, over 2 × 2 processes. */
    int block_cyclic[] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC};
    int defaults[] = {MPI_DISTRIBUTE_DFLT_DARG, MPI_DISTRIBUTE_DFLT_DARG};
    OK(MPI_Type_create_darray(4, 3, 2, (int[]){5, 4}, block_cyclic, defaults, (int[]){2, 2}, MPI_ORDER_C, MPI_INT,
                              &type));
    PACKS(type, 0, 80, 52, 28, 13, 15, 17, 19);
    OK(MPI_Type_create_darray_c(4, 0, 2, (MPI_Count[]){5, 4}, block_cyclic, (int[]){4, 3}, (int[]){2, 2}, MPI_ORDER_C,
                                MPI_INT, &type));
    PACKS(type, 0, 80, 0, 60, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14);
    FAILS(MPI_Type_create_subarray(1, (int[]){4}, (int[]){5}, (int[]){0}, MPI_ORDER_C, MPI_INT, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_create_subarray(1, (int[]){4}, (int[]){2}, (int[]){3}, MPI_ORDER_C, MPI_INT, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_create_subarray(1, (int[]){4}, (int[]){2}, (int[]){0}, 99, MPI_INT, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_create_darray(4, 4, 2, (int[]){5, 4}, block_cyclic, defaults, (int[]){2, 2}, MPI_ORDER_C, MPI_INT,
                                 &type),
          MPI_ERR_ARG);
}

static void wrong(void) {
    MPI_Datatype type;
    FAILS(MPI_Type_contiguous(-1, MPI_INT, &type), MPI_ERR_COUNT);
    FAILS(MPI_Type_contiguous(1, MPI_DATATYPE_NULL, &type), MPI_ERR_TYPE);
    FAILS(MPI_Type_vector(2, -1, 1, MPI_INT, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_indexed(2, NULL, NULL, MPI_INT, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_contiguous_c((MPI_Count)1 << 62, MPI_INT, &type), MPI_ERR_VALUE_TOO_LARGE);
    MPI_Aint lb, extent;
    MPI_Count size;
    int int_size;
    OK(MPI_Type_contiguous_c((MPI_Count)1 << 40, MPI_INT, &type));
    OK(MPI_Type_size_c(type, &size));
    CHECK_EQ(size, (MPI_Count)1 << 42);
    OK(MPI_Type_size(type, &int_size));
    CHECK_EQ(int_size, MPI_UNDEFINED);
    OK(MPI_Type_get_extent(type, &lb, &extent));
    CHECK_EQ(extent, (MPI_Aint)1 << 42);
    OK(MPI_Type_free(&type));
    OK(MPI_Type_contiguous(0, MPI_INT, &type));
    OK(MPI_Type_size(type, &int_size));
    CHECK_EQ(int_size, 0);
    OK(MPI_Type_free(&type));
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    for (int i = 0; i < 400; i++) memory[i] = i;
    simple();
    listed();
    structures();
    arrays();
    wrong();
    OK(MPI_Finalize());
    return 0;
}
