/* Packing, natively and in external32, and arithmetic of addresses. */
#include "check.h"
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

static void native(void) {
    int numbers[3] = {1, 2, 3}, back[3] = {0}, position = 0, size;
    double value = 2.5, other = 0;
    char buffer[64];
    OK(MPI_Pack_size(3, MPI_INT, MPI_COMM_WORLD, &size));
    CHECK_EQ(size, 12);
    OK(MPI_Pack(numbers, 3, MPI_INT, buffer, 20, &position, MPI_COMM_WORLD));
    CHECK_EQ(position, 12);
    OK(MPI_Pack(&value, 1, MPI_DOUBLE, buffer, 20, &position, MPI_COMM_WORLD));
    CHECK_EQ(position, 20);
    FAILS(MPI_Pack(numbers, 1, MPI_INT, buffer, 20, &position, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    CHECK_EQ(position, 20);
    OK(MPI_Pack(numbers, 0, MPI_INT, buffer, 20, &position, MPI_COMM_WORLD));
    position = 0;
    OK(MPI_Unpack(buffer, 20, &position, back, 3, MPI_INT, MPI_COMM_WORLD));
    OK(MPI_Unpack(buffer, 20, &position, &other, 1, MPI_DOUBLE, MPI_COMM_WORLD));
    CHECK(back[0] == 1 && back[1] == 2 && back[2] == 3 && other == 2.5 && position == 20);
    FAILS(MPI_Unpack(buffer, 20, &position, back, 1, MPI_INT, MPI_COMM_WORLD), MPI_ERR_TRUNCATE);
    position = 21;
    FAILS(MPI_Unpack(buffer, 20, &position, back, 0, MPI_INT, MPI_COMM_WORLD), MPI_ERR_ARG);
    position = 0;
    FAILS(MPI_Pack(numbers, -1, MPI_INT, buffer, 20, &position, MPI_COMM_WORLD), MPI_ERR_COUNT);
    FAILS(MPI_Pack(numbers, 1, MPI_INT, buffer, 20, &position, MPI_COMM_NULL), MPI_ERR_COMM);
    FAILS(MPI_Pack_size(1, MPI_DATATYPE_NULL, MPI_COMM_WORLD, &size), MPI_ERR_TYPE);
    OK(MPI_Pack_size(1 << 30, MPI_INT, MPI_COMM_WORLD, &size));
    CHECK_EQ(size, MPI_UNDEFINED);

    MPI_Count count_size = 0, count_position = 4;
    OK(MPI_Pack_size_c((MPI_Count)1 << 30, MPI_INT, MPI_COMM_WORLD, &count_size));
    CHECK_EQ(count_size, (MPI_Count)1 << 32);
    OK(MPI_Pack_c(numbers + 1, 2, MPI_INT, buffer, 64, &count_position, MPI_COMM_WORLD));
    CHECK_EQ(count_position, 12);
    count_position = 4;
    memset(back, 0, sizeof back);
    OK(MPI_Unpack_c(buffer, 64, &count_position, back, 2, MPI_INT, MPI_COMM_WORLD));
    CHECK(back[0] == 2 && back[1] == 3 && count_position == 12);
}

/* One element of a type in external32: its bytes, and back again. */
static void external(int line, MPI_Datatype type, const void *value, size_t len, size_t n, const unsigned char *bytes) {
    unsigned char outside[64], back[64];
    MPI_Aint size = -1, position = 3;
    MPI_Count count_size = -1, count_position = 0;
    memset(back, 0, sizeof back);
    OK(MPI_Pack_external_size("external32", 1, type, &size));
    CHECK_EQ(size, n);
    OK(MPI_Pack_external_size_c("external32", 5, type, &count_size));
    CHECK_EQ(count_size, 5 * n);
    OK(MPI_Pack_external("external32", value, 1, type, outside, 3 + n, &position));
    CHECK_EQ(position, 3 + n);
    if (memcmp(outside + 3, bytes, n) != 0) check_failed(__FILE__, line, "other bytes in external32");
    position = 3;
    OK(MPI_Unpack_external("external32", outside, 3 + n, &position, back, 1, type));
    CHECK_EQ(position, 3 + n);
    if (memcmp(back, value, len) != 0) check_failed(__FILE__, line, "external32 does not come back");
    OK(MPI_Pack_external_c("external32", value, 1, type, outside, n, &count_position));
    CHECK_EQ(count_position, n);
    count_position = 0;
    memset(back, 0, sizeof back);
    OK(MPI_Unpack_external_c("external32", outside, n, &count_position, back, 1, type));
    CHECK_EQ(count_position, n);
    CHECK(memcmp(back, value, len) == 0);
}

#define EXTERNAL(type, ctype, value, len, ...)                                                                         \
    external(__LINE__, type, &(ctype){value}, len, sizeof((unsigned char[]){__VA_ARGS__}),                             \
             (unsigned char[]){__VA_ARGS__})

static void portable(void) {
    EXTERNAL(MPI_CHAR, char, 'a', 1, 'a');
    EXTERNAL(MPI_WCHAR, wchar_t, 0x20ac, 4, 0x20, 0xac);
    EXTERNAL(MPI_SHORT, short, -2, 2, 0xff, 0xfe);
    EXTERNAL(MPI_INT, int, 0x01020304, 4, 1, 2, 3, 4);
    EXTERNAL(MPI_LONG, long, -2, 8, 0xff, 0xff, 0xff, 0xfe);
    EXTERNAL(MPI_UNSIGNED_LONG, unsigned long, 0xfffffffe, 8, 0xff, 0xff, 0xff, 0xfe);
    EXTERNAL(MPI_LONG_LONG, long long, -2, 8, 255, 255, 255, 255, 255, 255, 255, 254);
    EXTERNAL(MPI_INT64_T, int64_t, 5, 8, 0, 0, 0, 0, 0, 0, 0, 5);
    EXTERNAL(MPI_AINT, MPI_Aint, 5, 8, 0, 0, 0, 0, 0, 0, 0, 5);
    EXTERNAL(MPI_C_BOOL, bool, true, 1, 1);
    EXTERNAL(MPI_FLOAT, float, 1.5f, 4, 0x3f, 0xc0, 0, 0);
    EXTERNAL(MPI_DOUBLE, double, -2.0, 8, 0xc0, 0, 0, 0, 0, 0, 0, 0);
    EXTERNAL(MPI_LONG_DOUBLE, long double, 1.5L, 10, 0x3f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    EXTERNAL(MPI_C_FLOAT_COMPLEX, float complex, 1.5f + 2.0f * I, 8, 0x3f, 0xc0, 0, 0, 0x40, 0, 0, 0);
    struct {
        double value;
        int index;
    } pair = {1.0, 7};
    external(__LINE__, MPI_DOUBLE_INT, &pair, 12, 12, (unsigned char[]){0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7});

    unsigned char bytes[8];
    long wide = 1L << 40;
    MPI_Aint position = 0, size;
    FAILS(MPI_Pack_external("external32", &wide, 1, MPI_LONG, bytes, 8, &position), MPI_ERR_CONVERSION);
    FAILS(MPI_Pack_external("external32", &wide, 1, MPI_INT64_T, bytes, 7, &position), MPI_ERR_TRUNCATE);
    FAILS(MPI_Pack_external("native", &wide, 1, MPI_LONG, bytes, 8, &position), MPI_ERR_UNSUPPORTED_DATAREP);
    FAILS(MPI_Pack_external_size("internal", 1, MPI_LONG, &size), MPI_ERR_UNSUPPORTED_DATAREP);
    FAILS(MPI_Unpack_external("external32", bytes, 3, &position, &wide, 1, MPI_INT), MPI_ERR_TRUNCATE);
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    native();
    portable();
    int place[4];
    MPI_Aint first, third;
    OK(MPI_Get_address(&place[0], &first));
    OK(MPI_Get_address(&place[2], &third));
    CHECK_EQ(MPI_Aint_diff(third, first), 8);
    CHECK_EQ(MPI_Aint_add(first, 8), third);
    CHECK_EQ(MPI_Aint_diff(MPI_Aint_add(first, -16), first), -16);
    FAILS(MPI_Get_address(place, NULL), MPI_ERR_ARG);
    OK(MPI_Finalize());
    return 0;
}
