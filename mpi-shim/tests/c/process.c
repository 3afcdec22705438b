/* What a process asks about itself and the library, and handles as ints. */
#include "check.h"
#include <stdint.h>
#include <string.h>

static void asking(void) {
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length, major, minor, flag;
    MPI_Info info;
    OK(MPI_Get_processor_name(text, &length));
    CHECK(length > 0 && (int)strlen(text) == length);
    OK(MPI_Get_version(&major, &minor));
    CHECK(major == MPI_VERSION && minor == MPI_SUBVERSION);
    OK(MPI_Get_library_version(text, &length));
    CHECK(strstr(text, "Twowire") == text && (int)strlen(text) == length);
    OK(MPI_Abi_get_version(&major, &minor));
    CHECK(major == MPI_ABI_VERSION && minor == MPI_ABI_SUBVERSION);
    OK(MPI_Abi_get_info(&info));
    length = sizeof text;
    OK(MPI_Info_get_string(info, "mpi_count_size", &length, text, &flag));
    CHECK(flag && atoi(text) == sizeof(MPI_Count));
    OK(MPI_Info_free(&info));
    OK(MPI_Abi_get_fortran_info(&info));
    CHECK(info == MPI_INFO_NULL);
    OK(MPI_Abi_get_fortran_booleans(4, text, text, &flag));
    CHECK(!flag);
    OK(MPI_Get_hw_resource_info(&info));
    OK(MPI_Info_get_nkeys(info, &length));
    CHECK(length > 0);
    OK(MPI_Info_free(&info));
    OK(MPI_Pcontrol(1, "more", 2));
    double before = MPI_Wtime(), tick = MPI_Wtick();
    CHECK(tick > 0 && tick < 1e-3);
    CHECK(MPI_Wtime() >= before);
    void *memory;
    OK(MPI_Alloc_mem(1000, MPI_INFO_NULL, &memory));
    CHECK((uintptr_t)memory % 64 == 0);
    memset(memory, 1, 1000);
    OK(MPI_Free_mem(memory));
    OK(MPI_Alloc_mem(0, MPI_INFO_NULL, &memory));
    OK(MPI_Free_mem(memory));
    FAILS(MPI_Alloc_mem(-1, MPI_INFO_NULL, &memory), MPI_ERR_ARG);
    FAILS(MPI_Alloc_mem(PTRDIFF_MAX, MPI_INFO_NULL, &memory), MPI_ERR_NO_MEM);
    OK(MPI_Is_thread_main(&flag));
    CHECK(flag);
}

/* A handle survives the way to an int and back. */
#define ROUND(kind, handle) CHECK(MPI_##kind##_fromint(MPI_##kind##_toint(handle)) == (handle))

static void ints(void) {
    MPI_Comm comm;
    MPI_Group group;
    MPI_Info info;
    MPI_Session session;
    MPI_Request request;
    MPI_Datatype type;
    ROUND(Comm, MPI_COMM_WORLD);
    ROUND(Comm, MPI_COMM_NULL);
    CHECK_EQ(MPI_Comm_toint(MPI_COMM_WORLD), (int)(uintptr_t)MPI_COMM_WORLD);
    for (int i = 0; i < 3; i++) {
        OK(MPI_Comm_dup(MPI_COMM_SELF, &comm));
        ROUND(Comm, comm);
        OK(MPI_Comm_free(&comm));
    }
    OK(MPI_Comm_group(MPI_COMM_WORLD, &group));
    ROUND(Group, group);
    OK(MPI_Group_free(&group));
    OK(MPI_Info_create(&info));
    ROUND(Info, info);
    OK(MPI_Info_free(&info));
    OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &session));
    ROUND(Session, session);
    OK(MPI_Session_finalize(&session));
    OK(MPI_Comm_idup(MPI_COMM_SELF, &comm, &request));
    ROUND(Request, request);
    OK(MPI_Wait(&request, MPI_STATUS_IGNORE));
    OK(MPI_Comm_free(&comm));
    OK(MPI_Type_contiguous(3, MPI_INT, &type));
    ROUND(Type, type);
    OK(MPI_Type_free(&type));
    ROUND(Type, MPI_DOUBLE);
    ROUND(Op, MPI_SUM);
    ROUND(Errhandler, MPI_ERRORS_RETURN);
    ROUND(Message, MPI_MESSAGE_NO_PROC);
    ROUND(File, MPI_FILE_NULL);
    ROUND(Win, MPI_WIN_NULL);
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    asking();
    ints();
    OK(MPI_Finalize());
    return 0;
}
