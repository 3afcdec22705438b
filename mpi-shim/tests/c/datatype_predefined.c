/* The predefined datatypes: sizes, extents, names; those found by kind, size, or as pairs. */
#include "check.h"
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

static void is(MPI_Datatype type, const char *name, long long size, long long extent) {
    int int_size = -1, len = -1;
    MPI_Count count = -1, lb = -1, count_extent = -1;
    MPI_Aint aint_lb = -1, aint_extent = -1;
    char text[MPI_MAX_OBJECT_NAME];
    OK(MPI_Type_size(type, &int_size));
    CHECK_EQ(int_size, size);
    OK(MPI_Type_size_c(type, &count));
    CHECK_EQ(count, size);
    count = -1;
    OK(MPI_Type_size_x(type, &count));
    CHECK_EQ(count, size);
    OK(MPI_Type_get_extent(type, &aint_lb, &aint_extent));
    CHECK_EQ(aint_lb, 0);
    CHECK_EQ(aint_extent, extent);
    OK(MPI_Type_get_extent_c(type, &lb, &count_extent));
    CHECK_EQ(count_extent, extent);
    OK(MPI_Type_get_extent_x(type, &lb, &count_extent));
    CHECK_EQ(lb, 0);
    OK(MPI_Type_get_name(type, text, &len));
    if (strcmp(text, name) != 0) check_failed(__FILE__, __LINE__, name);
    CHECK_EQ(len, strlen(name));
    OK(MPI_Type_commit(&type));
}

#define IS(type, size) is(type, #type, size, size)
#define IS_PAIR(type, value, index)                                                                                    \
    do {                                                                                                               \
        struct pair {                                                                                                  \
            value v;                                                                                                   \
            index i;                                                                                                   \
        };                                                                                                             \
        is(type, #type, sizeof(value) + sizeof(index), sizeof(struct pair));                                           \
    } while (0)

static void named(void) {
    IS(MPI_AINT, sizeof(MPI_Aint));
    IS(MPI_COUNT, sizeof(MPI_Count));
    IS(MPI_OFFSET, sizeof(MPI_Offset));
    IS(MPI_PACKED, 1);
    IS(MPI_SHORT, sizeof(short));
    IS(MPI_INT, sizeof(int));
    IS(MPI_LONG, sizeof(long));
    IS(MPI_LONG_LONG, sizeof(long long));
    is(MPI_LONG_LONG_INT, "MPI_LONG_LONG", sizeof(long long), sizeof(long long));
    IS(MPI_UNSIGNED_SHORT, sizeof(short));
    IS(MPI_UNSIGNED, sizeof(int));
    IS(MPI_UNSIGNED_LONG, sizeof(long));
    IS(MPI_UNSIGNED_LONG_LONG, sizeof(long long));
    IS(MPI_FLOAT, sizeof(float));
    IS(MPI_C_FLOAT_COMPLEX, sizeof(float complex));
    IS(MPI_CXX_FLOAT_COMPLEX, sizeof(float complex));
    IS(MPI_DOUBLE, sizeof(double));
    IS(MPI_C_DOUBLE_COMPLEX, sizeof(double complex));
    IS(MPI_CXX_DOUBLE_COMPLEX, sizeof(double complex));
    IS(MPI_LONG_DOUBLE, sizeof(long double));
    IS(MPI_C_LONG_DOUBLE_COMPLEX, sizeof(long double complex));
    IS(MPI_CXX_LONG_DOUBLE_COMPLEX, sizeof(long double complex));
    IS(MPI_LOGICAL, 4);
    IS(MPI_INTEGER, 4);
    IS(MPI_REAL, 4);
    IS(MPI_COMPLEX, 8);
    IS(MPI_DOUBLE_PRECISION, 8);
    IS(MPI_DOUBLE_COMPLEX, 16);
    IS(MPI_CHARACTER, 1);
    IS(MPI_C_BOOL, sizeof(bool));
    IS(MPI_CXX_BOOL, sizeof(bool));
    IS(MPI_WCHAR, sizeof(wchar_t));
    IS(MPI_CHAR, 1);
    IS(MPI_SIGNED_CHAR, 1);
    IS(MPI_UNSIGNED_CHAR, 1);
    IS(MPI_BYTE, 1);
    IS(MPI_INT8_T, 1);
    IS(MPI_UINT8_T, 1);
    IS(MPI_INT16_T, 2);
    IS(MPI_UINT16_T, 2);
    IS(MPI_INT32_T, 4);
    IS(MPI_UINT32_T, 4);
    IS(MPI_INT64_T, 8);
    IS(MPI_UINT64_T, 8);
    IS(MPI_LOGICAL1, 1);
    IS(MPI_LOGICAL2, 2);
    IS(MPI_LOGICAL4, 4);
    IS(MPI_LOGICAL8, 8);
    IS(MPI_LOGICAL16, 16);
    IS(MPI_INTEGER1, 1);
    IS(MPI_INTEGER2, 2);
    IS(MPI_INTEGER4, 4);
    IS(MPI_INTEGER8, 8);
    IS(MPI_INTEGER16, 16);
    IS(MPI_REAL2, 2);
    IS(MPI_REAL4, 4);
    IS(MPI_REAL8, 8);
    IS(MPI_REAL16, 16);
    IS(MPI_COMPLEX4, 4);
    IS(MPI_COMPLEX8, 8);
    IS(MPI_COMPLEX16, 16);
    IS(MPI_COMPLEX32, 32);
    IS_PAIR(MPI_FLOAT_INT, float, int);
    IS_PAIR(MPI_DOUBLE_INT, double, int);
    IS_PAIR(MPI_LONG_INT, long, int);
    IS_PAIR(MPI_2INT, int, int);
    IS_PAIR(MPI_SHORT_INT, short, int);
    IS_PAIR(MPI_LONG_DOUBLE_INT, long double, int);
    IS_PAIR(MPI_2REAL, float, float);
    IS_PAIR(MPI_2DOUBLE_PRECISION, double, double);
    IS_PAIR(MPI_2INTEGER, int, int);
}

static void names(void) {
    char text[MPI_MAX_OBJECT_NAME], longest[300];
    int len;
    MPI_Datatype type;
    OK(MPI_Type_get_name(MPI_DATATYPE_NULL, text, &len));
    CHECK(strcmp(text, "MPI_DATATYPE_NULL") == 0);
    OK(MPI_Type_dup(MPI_INT, &type));
    OK(MPI_Type_get_name(type, text, &len));
    CHECK_EQ(len, 0);
    OK(MPI_Type_set_name(type, "cell"));
    OK(MPI_Type_get_name(type, text, &len));
    CHECK(strcmp(text, "cell") == 0 && len == 4);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    OK(MPI_Type_set_name(type, longest));
    OK(MPI_Type_get_name(type, text, &len));
    CHECK_EQ(len, MPI_MAX_OBJECT_NAME - 1);
    CHECK_EQ(strlen(text), len);
    OK(MPI_Type_free(&type));
    CHECK(type == MPI_DATATYPE_NULL);
}

static void by_kind(void) {
    MPI_Datatype type, again;
    int size;
    OK(MPI_Type_create_f90_real(6, 30, &type));
    OK(MPI_Type_create_f90_real(6, 30, &again));
    CHECK(type == again);
    OK(MPI_Type_size(type, &size));
    CHECK_EQ(size, 4);
    OK(MPI_Type_create_f90_real(15, MPI_UNDEFINED, &type));
    OK(MPI_Type_size(type, &size));
    CHECK_EQ(size, 8);
    OK(MPI_Type_create_f90_real(MPI_UNDEFINED, 400, &type));
    OK(MPI_Type_size(type, &size));
    CHECK_EQ(size, 16);
    OK(MPI_Type_create_f90_complex(7, 30, &type));
    OK(MPI_Type_size(type, &size));
    CHECK_EQ(size, 16);
    const int digits[] = {2, 3, 9, 10, 38}, bytes[] = {1, 2, 4, 8, 16};
    for (int i = 0; i < 5; i++) {
        OK(MPI_Type_create_f90_integer(digits[i], &type));
        OK(MPI_Type_size(type, &size));
        CHECK_EQ(size, bytes[i]);
    }
    FAILS(MPI_Type_free(&type), MPI_ERR_TYPE);
    FAILS(MPI_Type_create_f90_integer(39, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_create_f90_real(34, 1, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_create_f90_real(MPI_UNDEFINED, MPI_UNDEFINED, &type), MPI_ERR_ARG);
    OK(MPI_Type_match_size(MPI_TYPECLASS_REAL, 8, &type));
    CHECK(type == MPI_REAL8);
    OK(MPI_Type_match_size(MPI_TYPECLASS_INTEGER, 2, &type));
    CHECK(type == MPI_INTEGER2);
    OK(MPI_Type_match_size(MPI_TYPECLASS_COMPLEX, 32, &type));
    CHECK(type == MPI_COMPLEX32);
    FAILS(MPI_Type_match_size(MPI_TYPECLASS_COMPLEX, 5, &type), MPI_ERR_ARG);
    FAILS(MPI_Type_match_size(7, 4, &type), MPI_ERR_ARG);
}

static void pairs(void) {
    MPI_Datatype type;
    OK(MPI_Type_get_value_index(MPI_DOUBLE, MPI_INT, &type));
    CHECK(type == MPI_DOUBLE_INT);
    OK(MPI_Type_get_value_index(MPI_INT, MPI_INT, &type));
    CHECK(type == MPI_2INT);
    OK(MPI_Type_get_value_index(MPI_LONG_DOUBLE, MPI_INT, &type));
    CHECK(type == MPI_LONG_DOUBLE_INT);
    OK(MPI_Type_get_value_index(MPI_DOUBLE, MPI_INT64_T, &type));
    CHECK(type == MPI_DATATYPE_NULL);
    OK(MPI_Type_get_value_index(MPI_DOUBLE, MPI_FLOAT, &type));
    CHECK(type == MPI_DATATYPE_NULL);
    OK(MPI_Type_get_value_index(MPI_CHAR, MPI_INT, &type));
    CHECK(type == MPI_DATATYPE_NULL);
    FAILS(MPI_Type_get_value_index(MPI_DATATYPE_NULL, MPI_INT, &type), MPI_ERR_TYPE);
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    named();
    names();
    by_kind();
    pairs();
    MPI_Datatype type = MPI_INT;
    int size;
    FAILS(MPI_Type_free(&type), MPI_ERR_TYPE);
    CHECK(type == MPI_INT);
    FAILS(MPI_Type_size(MPI_DATATYPE_NULL, &size), MPI_ERR_TYPE);
    FAILS(MPI_Type_size((MPI_Datatype)0x204, &size), MPI_ERR_TYPE);
    FAILS(MPI_Type_size(MPI_INT, NULL), MPI_ERR_ARG);
    OK(MPI_Type_contiguous(3, MPI_INT, &type));
    MPI_Datatype freed = type;
    OK(MPI_Type_free(&type));
    FAILS(MPI_Type_size(freed, &size), MPI_ERR_TYPE);
    FAILS(MPI_Type_commit(&freed), MPI_ERR_TYPE);
    OK(MPI_Finalize());
    return 0;
}
