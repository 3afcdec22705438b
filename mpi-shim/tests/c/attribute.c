/* Attributes: who calls which function of a key, in which order, with what. */
#include "check.h"

static int copies, deletes, last_deleted, failing;
static MPI_Comm expected_comm = MPI_COMM_NULL;

static int copy_fn(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag) {
    int size;
    (void)key;
    CHECK(extra == &copies);
    CHECK(comm == expected_comm);
    OK(MPI_Comm_size(comm, &size)); /* MPI may be called here */
    copies++;
    if (failing) return failing;
    *(void **)out = (char *)in + 1;
    *flag = in != (void *)0x66;
    return MPI_SUCCESS;
}

static int delete_fn(MPI_Comm comm, int key, void *value, void *extra) {
    int size;
    (void)key;
    CHECK(extra == &copies);
    OK(MPI_Comm_size(comm, &size));
    deletes++;
    last_deleted = (int)(size_t)value;
    return failing;
}

static int type_copy_fn(MPI_Datatype type, int key, void *extra, void *in, void *out, int *flag) {
    (void)type, (void)key, (void)extra;
    *(void **)out = in;
    *flag = 1;
    return MPI_SUCCESS;
}

static void comms(void) {
    MPI_Comm base, copy;
    int key, same, none, flag;
    void *value;
    OK(MPI_Comm_dup(MPI_COMM_WORLD, &base));
    expected_comm = base;
    OK(MPI_Comm_create_keyval(copy_fn, delete_fn, &key, &copies));
    OK(MPI_Comm_create_keyval(MPI_COMM_DUP_FN, MPI_COMM_NULL_DELETE_FN, &same, NULL));
    OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &none, NULL));
    OK(MPI_Comm_get_attr(base, key, &value, &flag));
    CHECK(!flag);
    OK(MPI_Comm_set_attr(base, key, (void *)0x10));
    OK(MPI_Comm_set_attr(base, same, (void *)0x20));
    OK(MPI_Comm_set_attr(base, none, (void *)0x30));
    OK(MPI_Comm_dup(base, &copy));
    CHECK_EQ(copies, 1);
    OK(MPI_Comm_get_attr(copy, key, &value, &flag));
    CHECK(flag && value == (void *)0x11);
    OK(MPI_Comm_get_attr(copy, same, &value, &flag));
    CHECK(flag && value == (void *)0x20);
    OK(MPI_Comm_get_attr(copy, none, &value, &flag));
    CHECK(!flag);
    OK(MPI_Comm_free(&copy));
    CHECK_EQ(deletes, 1);
    CHECK_EQ(last_deleted, 0x11);
    /* Setting again deletes the old value; the function may say that there is to be no copy. */
    OK(MPI_Comm_set_attr(base, key, (void *)0x66));
    CHECK_EQ(last_deleted, 0x10);
    OK(MPI_Comm_dup(base, &copy));
    OK(MPI_Comm_get_attr(copy, key, &value, &flag));
    CHECK(!flag);
    OK(MPI_Comm_free(&copy));
    /* What the functions return is what the call returns. */
    failing = MPI_ERR_NO_MEM;
    FAILS(MPI_Comm_dup(base, &copy), MPI_ERR_NO_MEM);
    FAILS(MPI_Comm_delete_attr(base, key), MPI_ERR_NO_MEM);
    FAILS(MPI_Comm_free(&base), MPI_ERR_NO_MEM);
    failing = 0;
    OK(MPI_Comm_get_attr(base, key, &value, &flag));
    CHECK(flag && value == (void *)0x66);
    /* The key is forgotten, its attribute is not. */
    int stale = key;
    OK(MPI_Comm_free_keyval(&key));
    CHECK_EQ(key, MPI_KEYVAL_INVALID);
    FAILS(MPI_Comm_get_attr(base, stale, &value, &flag), MPI_ERR_KEYVAL);
    /* Those that were set later are gone: the last one is deleted first. */
    deletes = 0;
    OK(MPI_Comm_get_attr(base, same, &value, &flag));
    CHECK(!flag);
    FAILS(MPI_Comm_delete_attr(base, same), MPI_ERR_KEYVAL);
    OK(MPI_Comm_free(&base));
    CHECK_EQ(deletes, 1);
    OK(MPI_Comm_free_keyval(&same));
    OK(MPI_Comm_free_keyval(&none));
    FAILS(MPI_Comm_set_attr(MPI_COMM_WORLD, MPI_TAG_UB, NULL), MPI_ERR_KEYVAL);
    FAILS(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_KEYVAL_INVALID, &value, &flag), MPI_ERR_KEYVAL);
}

static void old_names(void) {
    int key, flag;
    void *value;
    OK(MPI_Keyval_create(MPI_DUP_FN, MPI_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Attr_put(MPI_COMM_SELF, key, (void *)0x40));
    OK(MPI_Attr_get(MPI_COMM_SELF, key, &value, &flag));
    CHECK(flag && value == (void *)0x40);
    OK(MPI_Attr_delete(MPI_COMM_SELF, key));
    OK(MPI_Attr_get(MPI_COMM_SELF, key, &value, &flag));
    CHECK(!flag);
    OK(MPI_Keyval_free(&key));
}

static void types(void) {
    MPI_Datatype pair, copy;
    int key, comm_key, flag;
    void *value;
    OK(MPI_Type_create_keyval(type_copy_fn, MPI_TYPE_NULL_DELETE_FN, &key, NULL));
    OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, MPI_COMM_NULL_DELETE_FN, &comm_key, NULL));
    OK(MPI_Type_contiguous(2, MPI_INT, &pair));
    OK(MPI_Type_set_attr(pair, key, (void *)0x50));
    FAILS(MPI_Type_set_attr(pair, comm_key, NULL), MPI_ERR_KEYVAL);
    OK(MPI_Type_dup(pair, &copy));
    OK(MPI_Type_free(&pair));
    OK(MPI_Type_get_attr(copy, key, &value, &flag));
    CHECK(flag && value == (void *)0x50);
    OK(MPI_Type_delete_attr(copy, key));
    OK(MPI_Type_get_attr(copy, key, &value, &flag));
    CHECK(!flag);
    OK(MPI_Type_free(&copy));
    OK(MPI_Type_free_keyval(&key));
    OK(MPI_Comm_free_keyval(&comm_key));
}

static void facts(void) {
    int *value, flag, size;
    OK(MPI_Comm_size(MPI_COMM_WORLD, &size));
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &value, &flag));
    CHECK(flag && *value >= 32767);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_WTIME_IS_GLOBAL, &value, &flag));
    CHECK(flag && *value == 1);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_IO, &value, &flag));
    CHECK(flag && *value == MPI_ANY_SOURCE);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_HOST, &value, &flag));
    CHECK(flag && *value == MPI_PROC_NULL);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &value, &flag));
    CHECK(flag && *value >= size);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_LASTUSEDCODE, &value, &flag));
    CHECK(flag && *value >= MPI_ERR_LASTCODE);
    OK(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &value, &flag));
    CHECK(!flag || *value == 0);
}

static int order[3], ended;
static int at_end(MPI_Comm comm, int key, void *value, void *extra) {
    int flag;
    (void)key, (void)extra;
    CHECK(comm == MPI_COMM_SELF);
    OK(MPI_Finalized(&flag));
    CHECK(!flag);
    order[ended++] = (int)(size_t)value;
    return MPI_SUCCESS;
}

int main(void) {
    OK(MPI_Init(NULL, NULL));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    comms();
    old_names();
    types();
    facts();
    int keys[3];
    for (int i = 0; i < 3; i++) {
        OK(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, at_end, &keys[i], NULL));
        OK(MPI_Comm_set_attr(MPI_COMM_SELF, keys[i], (void *)(size_t)i));
    }
    OK(MPI_Finalize());
    if (ended != 3 || order[0] != 2 || order[1] != 1 || order[2] != 0) {
        fprintf(stderr, "%d attributes deleted at the end: %d %d %d\n", ended, order[0], order[1], order[2]);
        return 1;
    }
    return 0;
}
