/* Operations without communication: against C's own arithmetic, and programs' operations. */
#include "check.h"
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { N = 67 };

static uint64_t state = 1;

static double next(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(state >> 33) / (1u << 30) - 1.0) * 1000;
}

/* Each of these compares MPI_Reduce_local with what C calculates; in is always the left argument. */
#define COMPARE(type, ctype, op, expression)                                                                           \
    do {                                                                                                               \
        ctype left[N], right[N], expected[N];                                                                          \
        memset(left, 0, sizeof left);                                                                                  \
        memset(right, 0, sizeof right);                                                                                \
        for (int i = 0; i < N; i++) {                                                                                  \
            ctype a = (ctype)next(), b = i % 5 ? (ctype)next() : a;                                                    \
            left[i] = a, right[i] = b;                                                                                 \
            expected[i] = (expression);                                                                                \
        }                                                                                                              \
        OK(MPI_Reduce_local(left, right, N, type, op));                                                                \
        for (int i = 0; i < N; i++)                                                                                    \
            if (right[i] != expected[i]) check_failed(__FILE__, __LINE__, #type " " #op);                              \
    } while (0)

#define ARITHMETIC(type, ctype)                                                                                        \
    do {                                                                                                               \
        COMPARE(type, ctype, MPI_SUM, (ctype)(a + b));                                                                 \
        COMPARE(type, ctype, MPI_PROD, (ctype)(a * b));                                                                \
    } while (0)

#define ORDERED(type, ctype)                                                                                           \
    do {                                                                                                               \
        ARITHMETIC(type, ctype);                                                                                       \
        COMPARE(type, ctype, MPI_MIN, a < b ? a : b);                                                                  \
        COMPARE(type, ctype, MPI_MAX, a > b ? a : b);                                                                  \
    } while (0)

#define BITS(type, ctype)                                                                                              \
    do {                                                                                                               \
        COMPARE(type, ctype, MPI_BAND, (ctype)(a & b));                                                                \
        COMPARE(type, ctype, MPI_BOR, (ctype)(a | b));                                                                 \
        COMPARE(type, ctype, MPI_BXOR, (ctype)(a ^ b));                                                                \
    } while (0)

#define TRUTH(type, ctype)                                                                                             \
    do {                                                                                                               \
        COMPARE(type, ctype, MPI_LAND, (ctype)(a && b));                                                               \
        COMPARE(type, ctype, MPI_LOR, (ctype)(a || b));                                                                \
        COMPARE(type, ctype, MPI_LXOR, (ctype)(!a != !b));                                                             \
    } while (0)

static void predefined(void) {
    ORDERED(MPI_INT, int);
    BITS(MPI_INT, int);
    TRUTH(MPI_INT, int);
    ORDERED(MPI_LONG, long);
    BITS(MPI_LONG, long);
    TRUTH(MPI_LONG, long);
    ORDERED(MPI_SHORT, short);
    TRUTH(MPI_SHORT, short);
    ORDERED(MPI_SIGNED_CHAR, signed char);
    /* Not among the standard's types for reductions, but benchmarks add it up. */
    ORDERED(MPI_CHAR, char);
    BITS(MPI_CHAR, char);
    TRUTH(MPI_CHAR, char);
    ORDERED(MPI_UNSIGNED_CHAR, unsigned char);
    ORDERED(MPI_UNSIGNED, unsigned);
    BITS(MPI_UNSIGNED, unsigned);
    ORDERED(MPI_UINT64_T, uint64_t);
    ORDERED(MPI_AINT, MPI_Aint);
    BITS(MPI_OFFSET, MPI_Offset);
    BITS(MPI_BYTE, unsigned char);
    TRUTH(MPI_C_BOOL, bool);
    ORDERED(MPI_FLOAT, float);
    ORDERED(MPI_DOUBLE, double);
    ORDERED(MPI_LONG_DOUBLE, long double);
    ORDERED(MPI_INTEGER16, __int128);
    ARITHMETIC(MPI_C_DOUBLE_COMPLEX, double complex);
    ARITHMETIC(MPI_C_FLOAT_COMPLEX, float complex);
    ARITHMETIC(MPI_C_LONG_DOUBLE_COMPLEX, long double complex);
#ifdef __SIZEOF_FLOAT128__
    ORDERED(MPI_REAL16, __float128);
#endif
}

/* Precise numbers, whose last bits are rounded. */
static void precise(void) {
    long double a[N], b[N], sum[N], product[N];
    for (int i = 0; i < N; i++) {
        a[i] = (long double)next() / 3, b[i] = (long double)next() / (i % 3 ? 7 : 7e10L);
        sum[i] = b[i], product[i] = b[i];
    }
    OK(MPI_Reduce_local(a, sum, N, MPI_LONG_DOUBLE, MPI_SUM));
    OK(MPI_Reduce_local(a, product, N, MPI_LONG_DOUBLE, MPI_PROD));
    for (int i = 0; i < N; i++) CHECK(sum[i] == a[i] + b[i] && product[i] == a[i] * b[i]);
#ifdef __SIZEOF_FLOAT128__
    __float128 qa[N], qb[N], qsum[N], qproduct[N];
    for (int i = 0; i < N; i++) {
        qa[i] = (__float128)next() / 3, qb[i] = (__float128)next() / (i % 3 ? 7 : 7e20L);
        qsum[i] = qb[i], qproduct[i] = qb[i];
    }
    OK(MPI_Reduce_local(qa, qsum, N, MPI_REAL16, MPI_SUM));
    OK(MPI_Reduce_local(qa, qproduct, N, MPI_REAL16, MPI_PROD));
    for (int i = 0; i < N; i++) CHECK(qsum[i] == qa[i] + qb[i] && qproduct[i] == qa[i] * qb[i]);
#endif
}

static void locations(void) {
    struct {
        double value;
        int index;
    } left[3] = {{1, 9}, {2, 8}, {3, 7}}, right[3] = {{3, 1}, {2, 2}, {1, 3}};
    OK(MPI_Reduce_local(left, right, 3, MPI_DOUBLE_INT, MPI_MAXLOC));
    CHECK(right[0].value == 3 && right[0].index == 1);
    CHECK(right[1].value == 2 && right[1].index == 2);
    CHECK(right[2].value == 3 && right[2].index == 7);
    int a[4] = {5, 7, 5, 1}, b[4] = {5, 3, 4, 2};
    OK(MPI_Reduce_local_c(a, b, 2, MPI_2INT, MPI_MINLOC));
    CHECK(b[0] == 5 && b[1] == 3 && b[2] == 4 && b[3] == 2);
}

static MPI_Datatype seen;

/* invec - inoutvec, for any number of ints in an element. */
static void minus(void *in, void *inout, int *len, MPI_Datatype *datatype) {
    int size;
    seen = *datatype;
    OK(MPI_Type_size(*datatype, &size));
    for (int i = 0; i < *len * size / 4; i++) ((int *)inout)[i] = ((int *)in)[i] - ((int *)inout)[i];
}

static void minus_c(void *in, void *inout, MPI_Count *len, MPI_Datatype *datatype) {
    MPI_Count size;
    OK(MPI_Type_size_c(*datatype, &size));
    for (int i = 0; i < *len * size / 4; i++) ((int *)inout)[i] = ((int *)in)[i] - ((int *)inout)[i];
}

static void programs(void) {
    MPI_Op op;
    MPI_Datatype three;
    int left[6] = {10, 20, 30, 40, 50, 60}, right[6] = {1, 2, 3, 4, 5, 6}, commute = -1;
    OK(MPI_Op_create(minus, 0, &op));
    OK(MPI_Op_commutative(op, &commute));
    CHECK_EQ(commute, 0);
    OK(MPI_Type_contiguous(3, MPI_INT, &three));
    OK(MPI_Type_commit(&three));
    OK(MPI_Reduce_local(left, right, 2, three, op));
    for (int i = 0; i < 6; i++) CHECK_EQ(right[i], 9 * (i + 1));
    CHECK(seen == three);
    OK(MPI_Reduce_local_c(left, right, 6, MPI_INT, op));
    for (int i = 0; i < 6; i++) CHECK_EQ(right[i], i + 1);
    CHECK(seen == MPI_INT);
    OK(MPI_Op_free(&op));
    CHECK(op == MPI_OP_NULL);
    OK(MPI_Op_create_c(minus_c, 1, &op));
    OK(MPI_Op_commutative(op, &commute));
    CHECK_EQ(commute, 1);
    OK(MPI_Reduce_local(left, right, 6, MPI_INT, op));
    for (int i = 0; i < 6; i++) CHECK_EQ(right[i], 9 * (i + 1));
    OK(MPI_Op_free(&op));
    OK(MPI_Type_free(&three));
}

static void wrong(void) {
    int a[2] = {1, 2}, b[2] = {3, 4}, commute;
    MPI_Op op = MPI_SUM;
    MPI_Datatype type;
    FAILS(MPI_Op_free(&op), MPI_ERR_OP);
    FAILS(MPI_Op_create(NULL, 1, &op), MPI_ERR_ARG);
    FAILS(MPI_Op_commutative(MPI_OP_NULL, &commute), MPI_ERR_OP);
    FAILS(MPI_Reduce_local(a, b, 1, MPI_WCHAR, MPI_SUM), MPI_ERR_OP);
    FAILS(MPI_Reduce_local(a, b, 2, MPI_FLOAT, MPI_BAND), MPI_ERR_OP);
    FAILS(MPI_Reduce_local(a, b, 2, MPI_INT, MPI_MAXLOC), MPI_ERR_OP);
    FAILS(MPI_Reduce_local(a, b, 2, MPI_INT, MPI_REPLACE), MPI_ERR_OP);
    FAILS(MPI_Reduce_local(a, b, -1, MPI_INT, MPI_SUM), MPI_ERR_COUNT);
    FAILS(MPI_Reduce_local(a, a, 1, MPI_INT, MPI_SUM), MPI_ERR_BUFFER);
    FAILS(MPI_Reduce_local(a, b, 2, MPI_DATATYPE_NULL, MPI_SUM), MPI_ERR_TYPE);
    OK(MPI_Type_contiguous(2, MPI_INT, &type));
    FAILS(MPI_Reduce_local(a, b, 1, type, MPI_SUM), MPI_ERR_OP);
    OK(MPI_Type_free(&type));
    OK(MPI_Op_commutative(MPI_SUM, &commute));
    CHECK_EQ(commute, 1);
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    predefined();
    precise();
    locations();
    programs();
    wrong();
    OK(MPI_Finalize());
    return 0;
}
