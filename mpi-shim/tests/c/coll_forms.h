/* Every form of a collective: blocking, non-blocking, persistent (started twice), and these with large counts. */
#ifndef COLL_FORMS_H
#define COLL_FORMS_H

#include "check.h"

enum { FORMS = 6 };
static int form;

#define ARGS(...) __VA_ARGS__

#define PERSISTENT(init, ...)                                                                                          \
    do {                                                                                                               \
        MPI_Request request;                                                                                           \
        OK(init(__VA_ARGS__, MPI_INFO_NULL, &request));                                                                \
        for (int round = 0; round < PERSISTENT_ROUNDS; round++) {                                                      \
            OK(MPI_Start(&request));                                                                                   \
            OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                                 \
        }                                                                                                              \
        OK(MPI_Request_free(&request));                                                                                \
    } while (0)

#define STARTED(call, ...)                                                                                             \
    do {                                                                                                               \
        MPI_Request request;                                                                                           \
        OK(call(__VA_ARGS__, &request));                                                                               \
        OK(MPI_Wait(&request, MPI_STATUS_IGNORE));                                                                     \
    } while (0)

/* A call in the form that is being tested: its name twice, its arguments for either type of counts. */
#define CALL2(upper, lower, plain, large)                                                                              \
    do {                                                                                                               \
        switch (form) {                                                                                                \
        case 0: OK(MPI_##upper(plain)); break;                                                                         \
        case 1: STARTED(MPI_I##lower, plain); break;                                                                   \
        case 2: PERSISTENT(MPI_##upper##_init, plain); break;                                                          \
        case 3: OK(MPI_##upper##_c(large)); break;                                                                     \
        case 4: STARTED(MPI_I##lower##_c, large); break;                                                               \
        case 5: PERSISTENT(MPI_##upper##_init_c, large); break;                                                        \
        }                                                                                                              \
    } while (0)

/* The same where both types of counts are written alike. */
#define CALL(upper, lower, ...) CALL2(upper, lower, ARGS(__VA_ARGS__), ARGS(__VA_ARGS__))

#endif
