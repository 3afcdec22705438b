/* Checks of the C tests: what fails is said in a line with the rank, and ends the job. */
#ifndef CHECK_H
#define CHECK_H

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static inline void check_failed(const char *file, int line, const char *what) {
    int rank = -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    fprintf(stderr, "%s:%d: rank %d: %s\n", file, line, rank, what);
    _Exit(1);
}

/* A condition that must hold. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) check_failed(__FILE__, __LINE__, "failed: " #condition);                                     \
    } while (0)

/* Two integers that must be equal; both are shown. */
#define CHECK_EQ(left, right)                                                                                          \
    do {                                                                                                               \
        long long check_left = (long long)(left), check_right = (long long)(right);                                    \
        if (check_left != check_right) {                                                                               \
            char check_text[512];                                                                                      \
            snprintf(check_text, sizeof check_text, "%s is %lld, expected %s = %lld", #left, check_left, #right,       \
                     check_right);                                                                                     \
            check_failed(__FILE__, __LINE__, check_text);                                                              \
        }                                                                                                              \
    } while (0)

/* A call that must succeed. */
#define OK(call) CHECK_EQ(call, MPI_SUCCESS)

/* A call that must fail with this class; the error handler must return. */
#define FAILS(call, class)                                                                                             \
    do {                                                                                                               \
        int check_class = -1;                                                                                          \
        MPI_Error_class(call, &check_class);                                                                           \
        if (check_class != (class)) {                                                                                  \
            char check_text[512];                                                                                      \
            snprintf(check_text, sizeof check_text, "%s gave class %d, expected %s", #call, check_class, #class);      \
            check_failed(__FILE__, __LINE__, check_text);                                                              \
        }                                                                                                              \
    } while (0)

#endif
