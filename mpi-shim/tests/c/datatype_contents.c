/* Envelopes and contents of every constructor, in both forms. */
#include "check.h"

static int ni, na, nd, combiner, integers[40];
static MPI_Aint addresses[10];
static MPI_Datatype types[4];
static MPI_Count ci, ca, cl, cd, large[20];

/* Reads what a type was made from by the calls of one form, and frees the type. */
static void decode(MPI_Datatype type) {
    OK(MPI_Type_get_envelope(type, &ni, &na, &nd, &combiner));
    OK(MPI_Type_get_envelope_c(type, &ci, &ca, &cl, &cd, &combiner));
    CHECK(ci == ni && ca == na && cd == nd && cl == 0);
    OK(MPI_Type_get_contents(type, ni, na, nd, integers, addresses, types));
    OK(MPI_Type_free(&type));
}

static void decode_c(MPI_Datatype type) {
    FAILS(MPI_Type_get_envelope(type, &ni, &na, &nd, &combiner), MPI_ERR_TYPE);
    FAILS(MPI_Type_get_contents(type, 40, 10, 4, integers, addresses, types), MPI_ERR_TYPE);
    OK(MPI_Type_get_envelope_c(type, &ci, &ca, &cl, &cd, &combiner));
    OK(MPI_Type_get_contents_c(type, ci, ca, cl, cd, integers, addresses, large, types));
    OK(MPI_Type_free(&type));
}

static void expect_list(int line, const char *what, const long long *got, int n, const long long *expected) {
    for (int i = 0; i < n; i++) {
        if (got[i] == expected[i]) continue;
        fprintf(stderr, "line %d, %s %d: %lld, expected %lld\n", line, what, i, got[i], expected[i]);
        check_failed(__FILE__, line, "other contents");
    }
}

#define EXPECT(list, number, ...)                                                                                      \
    do {                                                                                                               \
        const long long expected[] = {__VA_ARGS__};                                                                    \
        const int n = sizeof expected / sizeof *expected;                                                              \
        long long got[60];                                                                                             \
        CHECK_EQ(number, n);                                                                                           \
        for (int i = 0; i < n; i++) got[i] = list[i];                                                                  \
        expect_list(__LINE__, #list, got, n, expected);                                                                \
    } while (0)

static void of_one_type(void) {
    MPI_Datatype type;
    OK(MPI_Type_contiguous(3, MPI_INT, &type));
    decode(type);
    CHECK(combiner == MPI_COMBINER_CONTIGUOUS && nd == 1 && types[0] == MPI_INT && na == 0);
    EXPECT(integers, ni, 3);
    OK(MPI_Type_contiguous_c(3, MPI_INT, &type));
    decode_c(type);
    CHECK(combiner == MPI_COMBINER_CONTIGUOUS && cd == 1 && types[0] == MPI_INT && ci == 0 && ca == 0);
    EXPECT(large, cl, 3);
    OK(MPI_Type_vector(3, 2, 4, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_VECTOR);
    EXPECT(integers, ni, 3, 2, 4);
    OK(MPI_Type_vector_c(3, 2, 4, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 3, 2, 4);
    OK(MPI_Type_create_hvector(3, 2, 16, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_HVECTOR);
    EXPECT(integers, ni, 3, 2);
    EXPECT(addresses, na, 16);
    OK(MPI_Type_create_hvector_c(3, 2, 16, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 3, 2, 16);
    OK(MPI_Type_create_resized(MPI_INT, -4, 16, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_RESIZED);
    EXPECT(addresses, na, -4, 16);
    OK(MPI_Type_create_resized_c(MPI_INT, -4, 16, &type));
    decode_c(type);
    EXPECT(large, cl, -4, 16);
    OK(MPI_Type_dup(MPI_INT, &type));
    decode(type);
    CHECK(combiner == MPI_COMBINER_DUP && ni == 0 && na == 0 && nd == 1 && types[0] == MPI_INT);
}

static void of_lists(void) {
    MPI_Datatype type;
    OK(MPI_Type_indexed(2, (int[]){1, 2}, (int[]){5, 0}, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_INDEXED);
    EXPECT(integers, ni, 2, 1, 2, 5, 0);
    OK(MPI_Type_indexed_c(2, (MPI_Count[]){1, 2}, (MPI_Count[]){5, 0}, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 2, 1, 2, 5, 0);
    OK(MPI_Type_create_hindexed(2, (int[]){1, 2}, (MPI_Aint[]){20, 0}, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_HINDEXED);
    EXPECT(integers, ni, 2, 1, 2);
    EXPECT(addresses, na, 20, 0);
    OK(MPI_Type_create_hindexed_c(2, (MPI_Count[]){1, 2}, (MPI_Count[]){20, 0}, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 2, 1, 2, 20, 0);
    OK(MPI_Type_create_indexed_block(2, 3, (int[]){5, 0}, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_INDEXED_BLOCK);
    EXPECT(integers, ni, 2, 3, 5, 0);
    OK(MPI_Type_create_indexed_block_c(2, 3, (MPI_Count[]){5, 0}, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 2, 3, 5, 0);
    OK(MPI_Type_create_hindexed_block(2, 3, (MPI_Aint[]){20, 0}, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_HINDEXED_BLOCK);
    EXPECT(integers, ni, 2, 3);
    EXPECT(addresses, na, 20, 0);
    OK(MPI_Type_create_hindexed_block_c(2, 3, (MPI_Count[]){20, 0}, MPI_INT, &type));
    decode_c(type);
    EXPECT(large, cl, 2, 3, 20, 0);
}

static void of_several_types(void) {
    MPI_Datatype inner, type;
    int size;
    OK(MPI_Type_contiguous(2, MPI_SHORT, &inner));
    MPI_Datatype members[] = {inner, MPI_DOUBLE};
    OK(MPI_Type_create_struct(2, (int[]){1, 2}, (MPI_Aint[]){0, 8}, members, &type));
    OK(MPI_Type_free(&inner)); /* what was made of it keeps it */
    decode(type);
    CHECK(combiner == MPI_COMBINER_STRUCT && nd == 2 && types[1] == MPI_DOUBLE);
    EXPECT(integers, ni, 2, 1, 2);
    EXPECT(addresses, na, 0, 8);
    OK(MPI_Type_size(types[0], &size));
    CHECK_EQ(size, 4);
    inner = types[0];
    members[0] = inner;
    OK(MPI_Type_create_struct_c(2, (MPI_Count[]){1, 2}, (MPI_Count[]){0, 8}, members, &type));
    OK(MPI_Type_free(&inner));
    decode_c(type);
    EXPECT(large, cl, 2, 1, 2, 0, 8);
    OK(MPI_Type_free(&types[0]));
}

static void of_arrays(void) {
    MPI_Datatype type;
    OK(MPI_Type_create_subarray(2, (int[]){4, 5}, (int[]){2, 3}, (int[]){1, 2}, MPI_ORDER_C, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_SUBARRAY);
    EXPECT(integers, ni, 2, 4, 5, 2, 3, 1, 2, MPI_ORDER_C);
    OK(MPI_Type_create_subarray_c(2, (MPI_Count[]){4, 5}, (MPI_Count[]){2, 3}, (MPI_Count[]){1, 2}, MPI_ORDER_C,
                                  MPI_INT, &type));
    decode_c(type);
    EXPECT(integers, ci, 2, MPI_ORDER_C);
    EXPECT(large, cl, 4, 5, 2, 3, 1, 2);
    int kinds[] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC}, blocks[] = {3, MPI_DISTRIBUTE_DFLT_DARG};
    OK(MPI_Type_create_darray(4, 1, 2, (int[]){5, 4}, kinds, blocks, (int[]){2, 2}, MPI_ORDER_C, MPI_INT, &type));
    decode(type);
    CHECK_EQ(combiner, MPI_COMBINER_DARRAY);
    EXPECT(integers, ni, 4, 1, 2, 5, 4, kinds[0], kinds[1], 3, blocks[1], 2, 2, MPI_ORDER_C);
    OK(MPI_Type_create_darray_c(4, 1, 2, (MPI_Count[]){5, 4}, kinds, blocks, (int[]){2, 2}, MPI_ORDER_C, MPI_INT,
                                &type));
    decode_c(type);
    EXPECT(integers, ci, 4, 1, 2, kinds[0], kinds[1], 3, blocks[1], 2, 2, MPI_ORDER_C);
    EXPECT(large, cl, 5, 4);
}

static void of_unnamed_predefined_types(void) {
    MPI_Datatype type, again;
    OK(MPI_Type_create_f90_real(15, 300, &type));
    OK(MPI_Type_get_envelope(type, &ni, &na, &nd, &combiner));
    CHECK(combiner == MPI_COMBINER_F90_REAL && ni == 2 && na == 0 && nd == 0);
    OK(MPI_Type_get_contents(type, 2, 0, 0, integers, NULL, NULL));
    EXPECT(integers, ni, 15, 300);
    OK(MPI_Type_dup(type, &again));
    decode(again);
    CHECK(combiner == MPI_COMBINER_DUP && types[0] == type);
    OK(MPI_Type_create_f90_integer(9, &type));
    OK(MPI_Type_get_envelope(type, &ni, &na, &nd, &combiner));
    CHECK(combiner == MPI_COMBINER_F90_INTEGER && ni == 1);
    OK(MPI_Type_create_f90_complex(6, 30, &type));
    OK(MPI_Type_get_envelope(type, &ni, &na, &nd, &combiner));
    CHECK(combiner == MPI_COMBINER_F90_COMPLEX && ni == 2);
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    of_one_type();
    of_lists();
    of_several_types();
    of_arrays();
    of_unnamed_predefined_types();
    OK(MPI_Type_get_envelope(MPI_2INT, &ni, &na, &nd, &combiner));
    CHECK(combiner == MPI_COMBINER_NAMED && ni == 0 && na == 0 && nd == 0);
    FAILS(MPI_Type_get_contents(MPI_INT, 0, 0, 0, NULL, NULL, NULL), MPI_ERR_TYPE);
    MPI_Datatype type;
    OK(MPI_Type_vector(3, 2, 4, MPI_INT, &type));
    FAILS(MPI_Type_get_contents(type, 2, 0, 1, integers, addresses, types), MPI_ERR_ARG);
    OK(MPI_Type_free(&type));
    OK(MPI_Finalize());
    return 0;
}
