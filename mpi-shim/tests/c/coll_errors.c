/* Wrong arguments are found before anything is sent: one rank's error leaves the others' collectives alone. */
#include "check.h"

int main(int argc, char **argv) {
    int rank, ranks, data[64] = { 0 }, other[64] = { 0 }, counts[64] = { 0 }, bad[64] = { -1 };
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    OK(MPI_Comm_size(MPI_COMM_WORLD, &ranks));
    MPI_Comm comm = MPI_COMM_WORLD;
    OK(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN)); /* for calls without a communicator */
    MPI_Datatype raw;
    OK(MPI_Type_contiguous(2, MPI_INT, &raw));
    MPI_Request request;
    FAILS(MPI_Bcast(data, 1, MPI_INT, ranks, comm), MPI_ERR_ROOT);
    FAILS(MPI_Bcast(data, 1, MPI_INT, -1, comm), MPI_ERR_ROOT);
    FAILS(MPI_Bcast(data, 1, MPI_INT, MPI_ROOT, comm), MPI_ERR_ROOT);
    FAILS(MPI_Bcast(data, -1, MPI_INT, 0, comm), MPI_ERR_COUNT);
    FAILS(MPI_Bcast_c(data, -1, MPI_INT, 0, comm), MPI_ERR_COUNT);
    FAILS(MPI_Bcast(data, 1, MPI_DATATYPE_NULL, 0, comm), MPI_ERR_TYPE);
    FAILS(MPI_Bcast(data, 1, raw, 0, comm), MPI_ERR_TYPE);
    FAILS(MPI_Bcast(NULL, 1, MPI_INT, 0, comm), MPI_ERR_BUFFER);
    FAILS(MPI_Bcast(MPI_IN_PLACE, 1, MPI_INT, 0, comm), MPI_ERR_BUFFER);
    FAILS(MPI_Ibcast(data, -1, MPI_INT, 0, comm, &request), MPI_ERR_COUNT);
    FAILS(MPI_Bcast_init(data, -1, MPI_INT, 0, comm, MPI_INFO_NULL, &request), MPI_ERR_COUNT);
    FAILS(MPI_Barrier(MPI_COMM_NULL), MPI_ERR_COMM);
    FAILS(MPI_Allreduce(data, other, 1, MPI_INT, MPI_OP_NULL, comm), MPI_ERR_OP);
    FAILS(MPI_Allreduce(data, other, 1, MPI_DOUBLE, MPI_BAND, comm), MPI_ERR_OP);
    FAILS(MPI_Allreduce(data, other, -1, MPI_INT, MPI_SUM, comm), MPI_ERR_COUNT);
    FAILS(MPI_Allreduce(data, data, 1, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
    FAILS(MPI_Allreduce(data, MPI_IN_PLACE, 1, MPI_INT, MPI_SUM, comm), MPI_ERR_BUFFER);
    FAILS(MPI_Reduce(data, other, 1, MPI_INT, MPI_SUM, ranks + 3, comm), MPI_ERR_ROOT);
    if (rank) FAILS(MPI_Reduce(MPI_IN_PLACE, other, 1, MPI_INT, MPI_SUM, 0, comm), MPI_ERR_BUFFER);
    FAILS(MPI_Gather(data, 2, MPI_INT, other, 1, MPI_INT, rank, comm), MPI_ERR_TRUNCATE);
    FAILS(MPI_Allgather(data, 2, MPI_INT, other, 1, MPI_INT, comm), MPI_ERR_TRUNCATE);
    FAILS(MPI_Alltoallv(data, bad, counts, MPI_INT, other, counts, counts, MPI_INT, comm), MPI_ERR_COUNT);
    FAILS(MPI_Allgatherv(data, 0, MPI_INT, other, NULL, counts, MPI_INT, comm), MPI_ERR_ARG);
    FAILS(MPI_Reduce_scatter(data, other, bad, MPI_INT, MPI_SUM, comm), MPI_ERR_COUNT);
    FAILS(MPI_Neighbor_allgather(data, 1, MPI_INT, other, 1, MPI_INT, comm), MPI_ERR_TOPOLOGY);
    /* MPI_BOTTOM on both sides is no alias: the datatypes hold the addresses. */
    MPI_Aint from, to;
    MPI_Datatype absolute[2];
    int one = 1, zero = 0;
    OK(MPI_Get_address(&rank, &from));
    OK(MPI_Get_address(&other[1], &to));
    OK(MPI_Type_create_hindexed(1, &one, &from, MPI_INT, &absolute[0]));
    OK(MPI_Type_create_hindexed(1, &one, &to, MPI_INT, &absolute[1]));
    for (int i = 0; i < 2; i++) OK(MPI_Type_commit(&absolute[i]));
    OK(MPI_Alltoallw(MPI_BOTTOM, &one, &zero, &absolute[0], MPI_BOTTOM, &one, &zero, &absolute[1], MPI_COMM_SELF));
    CHECK_EQ(other[1], rank);
    for (int i = 0; i < 2; i++) OK(MPI_Type_free(&absolute[i]));
    /* And the communicator still works. */
    data[0] = rank + 1;
    OK(MPI_Allreduce(data, other, 1, MPI_INT, MPI_SUM, comm));
    CHECK_EQ(other[0], ranks * (ranks + 1) / 2);
    OK(MPI_Type_free(&raw));
    OK(MPI_Finalize());
    return 0;
}
