/* Sessions: alone, beside the world model, and after it. */
#include "check.h"
#include <string.h>

static void use(const char *tag) {
    MPI_Session session;
    MPI_Info info;
    MPI_Group group;
    MPI_Comm comm;
    char name[MPI_MAX_PSET_NAME_LEN], value[32];
    int sets, length, flag, size, rank, room = sizeof value, found = 0;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "thread_level", "MPI_THREAD_FUNNELED"));
    OK(MPI_Session_init(info, MPI_ERRORS_RETURN, &session));
    OK(MPI_Info_free(&info));
    OK(MPI_Session_get_info(session, &info));
    OK(MPI_Info_get_string(info, "thread_level", &room, value, &flag));
    CHECK(flag && !strcmp(value, "MPI_THREAD_FUNNELED"));
    OK(MPI_Info_free(&info));
    OK(MPI_Session_get_num_psets(session, MPI_INFO_NULL, &sets));
    CHECK(sets >= 2);
    for (int i = 0; i < sets; i++) {
        length = 0;
        OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, NULL));
        OK(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, i, &length, name));
        CHECK_EQ(length, strlen(name) + 1);
        found += !strcmp(name, "mpi://WORLD") + !strcmp(name, "mpi://SELF") + !strcmp(name, "twowire://node");
        OK(MPI_Group_from_session_pset(session, name, &group));
        OK(MPI_Group_size(group, &size));
        OK(MPI_Session_get_pset_info(session, name, &info));
        room = sizeof value;
        OK(MPI_Info_get_string(info, "mpi_size", &room, value, &flag));
        CHECK(flag && atoi(value) == size);
        OK(MPI_Info_free(&info));
        OK(MPI_Comm_create_from_group(group, tag, MPI_INFO_NULL, MPI_ERRORS_RETURN, &comm));
        OK(MPI_Group_free(&group));
        OK(MPI_Comm_rank(comm, &rank));
        int got = -1;
        OK(MPI_Sendrecv(&rank, 1, MPI_INT, (rank + 1) % size, 0, &got, 1, MPI_INT, (rank + size - 1) % size, 0, comm,
                        MPI_STATUS_IGNORE));
        CHECK_EQ(got, (rank + size - 1) % size);
        OK(MPI_Comm_disconnect(&comm));
    }
    CHECK_EQ(found, 3);
    FAILS(MPI_Group_from_session_pset(session, "mpi://nobody", &group), MPI_ERR_ARG);
    FAILS(MPI_Session_get_nth_pset(session, MPI_INFO_NULL, sets, &length, name), MPI_ERR_ARG);
    OK(MPI_Session_finalize(&session));
    CHECK(session == MPI_SESSION_NULL);
}

int main(int argc, char **argv) {
    int flag, alone = argc > 1;
    (void)argv;
    use("first");
    OK(MPI_Initialized(&flag));
    CHECK(!flag);
    if (alone) return 0;
    MPI_Session across;
    OK(MPI_Session_init(MPI_INFO_NULL, MPI_ERRORS_RETURN, &across));
    OK(MPI_Init(NULL, NULL));
    use("second");
    OK(MPI_Finalize());
    use("third"); /* the session across the end of the world model goes on */
    OK(MPI_Session_finalize(&across));
    use("fourth");
    return 0;
}
