/* Error classes, codes and handlers. */
#include "check.h"
#include <string.h>

static int called, seen_code;
static MPI_Comm seen_comm;
static MPI_Session seen_session;

static void comm_handler(MPI_Comm *comm, int *code, ...) {
    int size;
    called++;
    seen_comm = *comm;
    seen_code = *code;
    OK(MPI_Comm_size(*comm, &size)); /* MPI may be called here */
}

static void session_handler(MPI_Session *session, int *code, ...) {
    called++;
    seen_session = *session;
    seen_code = *code;
}

static void file_handler(MPI_File *file, int *code, ...) { (void)file, (void)code; }
static void win_handler(MPI_Win *win, int *code, ...) { (void)win, (void)code; }

static void codes(void) {
    char text[MPI_MAX_ERROR_STRING];
    int class, code, found, length, flag, *last;
    for (int i = MPI_SUCCESS; i <= MPI_ERR_ABI; i++) {
        OK(MPI_Error_class(i, &found));
        CHECK_EQ(found, i);
        OK(MPI_Error_string(i, text, &length));
        CHECK(length > 0 && (int)strlen(text) == length);
    }
    OK(MPI_Error_string(MPI_ERR_RANK, text, &length));
    CHECK(strstr(text, "MPI_ERR_RANK"));
    OK(MPI_Add_error_class(&class));
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &last, &flag));
    CHECK_EQ(*last, class);
    OK(MPI_Add_error_code(class, &code));
    CHECK_EQ(*last, class);
    OK(MPI_Error_class(code, &found));
    CHECK_EQ(found, class);
    OK(MPI_Error_string(code, text, &length));
    CHECK_EQ(length, 0);
    OK(MPI_Add_error_string(code, "too hot"));
    OK(MPI_Error_string(code, text, &length));
    CHECK(!strcmp(text, "too hot"));
    FAILS(MPI_Remove_error_class(class), MPI_ERR_ARG);
    FAILS(MPI_Remove_error_code(code), MPI_ERR_ARG);
    OK(MPI_Remove_error_string(code));
    OK(MPI_Remove_error_code(code));
    OK(MPI_Remove_error_class(class));
    FAILS(MPI_Error_class(class, &found), MPI_ERR_ARG);
    FAILS(MPI_Add_error_string(MPI_ERR_RANK, "mine"), MPI_ERR_ARG);
}

static void comm_handlers(void) {
    MPI_Errhandler handler, found, stale, session;
    MPI_Comm base, child;
    int size, own_code;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &base));
    OK(MPI_Comm_create_errhandler(comm_handler, &handler));
    OK(MPI_Session_create_errhandler(session_handler, &session));
    OK(MPI_Comm_set_errhandler(base, handler));
    FAILS(MPI_Comm_set_errhandler(MPI_COMM_SELF, session), MPI_ERR_ERRHANDLER);
    OK(MPI_Errhandler_free(&session));
    stale = handler;
    OK(MPI_Errhandler_free(&handler));
    CHECK(handler == MPI_ERRHANDLER_NULL);
    FAILS(MPI_Comm_set_errhandler(MPI_COMM_SELF, stale), MPI_ERR_ERRHANDLER);
    /* The communicator keeps what the handle no longer names, and its children have it. */
    FAILS(MPI_Comm_size(base, NULL), MPI_ERR_ARG);
    CHECK_EQ(called, 1);
    CHECK(seen_comm == base && seen_code == MPI_ERR_ARG);
    OK(MPI_Comm_dup(base, &child));
    FAILS(MPI_Comm_remote_size(child, &size), MPI_ERR_COMM);
    CHECK(called == 2 && seen_comm == child && seen_code == MPI_ERR_COMM);
    OK(MPI_Add_error_code(MPI_ERR_OTHER, &own_code));
    OK(MPI_Comm_call_errhandler(base, own_code));
    CHECK(called == 3 && seen_code == own_code);
    OK(MPI_Comm_get_errhandler(base, &found));
    OK(MPI_Comm_set_errhandler(base, MPI_ERRORS_RETURN));
    OK(MPI_Comm_call_errhandler(base, MPI_ERR_RANK));
    CHECK_EQ(called, 3);
    OK(MPI_Comm_set_errhandler(base, found));
    OK(MPI_Errhandler_free(&found));
    OK(MPI_Comm_call_errhandler(base, MPI_ERR_RANK));
    CHECK_EQ(called, 4);
    OK(MPI_Comm_get_errhandler(MPI_COMM_SELF, &found));
    CHECK(found == MPI_ERRORS_RETURN);
    OK(MPI_Errhandler_free(&found));
    CHECK(found == MPI_ERRHANDLER_NULL);
    OK(MPI_Comm_free(&child));
    OK(MPI_Comm_free(&base));
}

static void other_handlers(void) {
    MPI_Session session;
    MPI_Errhandler handler, found;
    char *name = "mpi://nobody";
    MPI_Info info;
    called = 0;
    OK(MPI_Session_create_errhandler(session_handler, &handler));
    OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));
    OK(MPI_Session_set_errhandler(session, handler));
    FAILS(MPI_Session_get_pset_info(session, name, &info), MPI_ERR_ARG);
    CHECK(called == 1 && seen_session == session && seen_code == MPI_ERR_ARG);
    OK(MPI_Session_call_errhandler(session, MPI_ERR_NAME));
    CHECK(called == 2 && seen_code == MPI_ERR_NAME);
    OK(MPI_Session_get_errhandler(session, &found));
    OK(MPI_Errhandler_free(&found));
    OK(MPI_Errhandler_free(&handler));
    OK(MPI_Session_finalize(&session));
    OK(MPI_File_create_errhandler(file_handler, &handler));
    OK(MPI_File_set_errhandler(MPI_FILE_NULL, handler));
    OK(MPI_File_get_errhandler(MPI_FILE_NULL, &found));
    OK(MPI_Errhandler_free(&found));
    OK(MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN));
    OK(MPI_Errhandler_free(&handler));
    OK(MPI_Win_create_errhandler(win_handler, &handler));
    OK(MPI_Errhandler_free(&handler));
}

int main(int argc, char **argv) {
    OK(MPI_Init(&argc, &argv));
    if (argc > 1) {
        int rank, size;
        OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
        OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
        if (!strcmp(argv[1], "abort")) MPI_Abort(MPI_COMM_WORLD, 42);
        if (rank == size - 1) MPI_Comm_create_group(MPI_COMM_WORLD, MPI_GROUP_EMPTY, -1, NULL);
        /* The error is fatal: the others wait for what never comes. */
        MPI_Recv(&rank, 1, MPI_INT, size - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        return 0;
    }
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    codes();
    comm_handlers();
    other_handlers();
    OK(MPI_Finalize());
    return 0;
}
