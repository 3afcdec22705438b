/* Info objects, before, while and after MPI runs. */
#include "check.h"
#include <string.h>

static void entries(void) {
    MPI_Info info, copy;
    char value[MPI_MAX_INFO_VAL], key[MPI_MAX_INFO_KEY];
    int flag, count, room;
    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "colour", "red"));
    OK(MPI_Info_set(info, "shape", "round"));
    OK(MPI_Info_set(info, "colour", "blue"));
    OK(MPI_Info_dup(info, &copy));
    OK(MPI_Info_delete(info, "colour"));
    OK(MPI_Info_get_nkeys(info, &count));
    CHECK_EQ(count, 1);
    OK(MPI_Info_get_nthkey(info, 0, key));
    CHECK(!strcmp(key, "shape"));
    OK(MPI_Info_get_nkeys(copy, &count));
    CHECK_EQ(count, 2);
    OK(MPI_Info_get_nthkey(copy, 0, key));
    CHECK(!strcmp(key, "colour"));
    room = sizeof value;
    OK(MPI_Info_get_string(copy, "colour", &room, value, &flag));
    CHECK(flag && !strcmp(value, "blue") && room == 5);
    room = 3; /* too small: cut, and the room that is needed is told */
    OK(MPI_Info_get_string(copy, "colour", &room, value, &flag));
    CHECK(flag && !strcmp(value, "bl") && room == 5);
    room = 0;
    strcpy(value, "untouched");
    OK(MPI_Info_get_string(copy, "colour", &room, value, &flag));
    CHECK(flag && !strcmp(value, "untouched") && room == 5);
    OK(MPI_Info_get_string(copy, "size", &room, value, &flag));
    CHECK(!flag);
    OK(MPI_Info_get(copy, "shape", 3, value, &flag));
    CHECK(flag && !strcmp(value, "rou"));
    OK(MPI_Info_get_valuelen(copy, "shape", &count, &flag));
    CHECK(flag && count == 5);
    OK(MPI_Info_free(&copy));
    CHECK(copy == MPI_INFO_NULL);
    OK(MPI_Info_free(&info));
}

static void environment(void) {
    MPI_Info info;
    char value[MPI_MAX_INFO_VAL], *words[] = {"prog", "one", "two", NULL};
    int flag, room = sizeof value;
    OK(MPI_Info_create_env(3, words, &info));
    OK(MPI_Info_get_string(info, "command", &room, value, &flag));
    CHECK(flag && !strcmp(value, "prog"));
    room = sizeof value;
    OK(MPI_Info_get_string(info, "argv", &room, value, &flag));
    CHECK(flag && !strcmp(value, "one two"));
    OK(MPI_Info_free(&info));
    OK(MPI_Info_create_env(0, NULL, &info));
    OK(MPI_Info_free(&info));
}

static void wrong_use(void) {
    MPI_Info info, null = MPI_INFO_NULL, env = MPI_INFO_ENV, stale;
    char longer[2000], key[MPI_MAX_INFO_KEY];
    int count;
    memset(longer, 'x', sizeof longer);
    longer[1999] = 0;
    OK(MPI_Info_create(&info));
    FAILS(MPI_Info_set(info, longer, "v"), MPI_ERR_INFO_KEY);
    FAILS(MPI_Info_set(info, "", "v"), MPI_ERR_INFO_KEY);
    FAILS(MPI_Info_set(info, "k", longer), MPI_ERR_INFO_VALUE);
    FAILS(MPI_Info_delete(info, "k"), MPI_ERR_INFO_NOKEY);
    FAILS(MPI_Info_get_nthkey(info, 0, key), MPI_ERR_ARG);
    FAILS(MPI_Info_free(&null), MPI_ERR_INFO);
    FAILS(MPI_Info_free(&env), MPI_ERR_INFO);
    FAILS(MPI_Info_set(MPI_INFO_ENV, "k", "v"), MPI_ERR_INFO);
    stale = info;
    OK(MPI_Info_free(&info));
    FAILS(MPI_Info_get_nkeys(stale, &count), MPI_ERR_INFO);
}

int main(void) {
    entries();
    environment();
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    entries();
    wrong_use();
    char value[MPI_MAX_INFO_VAL];
    int flag, size, room = sizeof value;
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Info_get_string(MPI_INFO_ENV, "maxprocs", &room, value, &flag));
    CHECK(flag && atoi(value) == size);
    room = sizeof value;
    OK(MPI_Info_get_string(MPI_INFO_ENV, "thread_level", &room, value, &flag));
    CHECK(flag && !strcmp(value, "MPI_THREAD_SINGLE"));
    OK(MPI_Finalize());
    entries();
    return 0;
}
