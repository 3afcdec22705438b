/* Statuses: their fields, counts of elements, and what a program sets. */
#include "check.h"
#include <limits.h>

int main(int argc, char **argv) {
    MPI_Status status;
    MPI_Datatype type;
    int number;
    MPI_Count count;
    OK(MPI_Init(&argc, &argv));
    OK(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
    OK(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));

    OK(MPI_Recv(NULL, 0, MPI_INT, MPI_PROC_NULL, 1, MPI_COMM_WORLD, &status));
    OK(MPI_Get_count(&status, MPI_INT, &number));
    CHECK_EQ(number, 0);
    OK(MPI_Status_get_source(&status, &number));
    CHECK_EQ(number, MPI_PROC_NULL);
    OK(MPI_Status_get_tag(&status, &number));
    CHECK_EQ(number, MPI_ANY_TAG);

    OK(MPI_Status_set_source(&status, 3));
    OK(MPI_Status_set_tag(&status, 4));
    OK(MPI_Status_set_error(&status, MPI_ERR_ARG));
    CHECK(status.MPI_SOURCE == 3 && status.MPI_TAG == 4 && status.MPI_ERROR == MPI_ERR_ARG);
    OK(MPI_Status_get_error(&status, &number));
    CHECK_EQ(number, MPI_ERR_ARG);
    OK(MPI_Test_cancelled(&status, &number));
    CHECK_EQ(number, 0);
    OK(MPI_Status_set_cancelled(&status, 1));
    OK(MPI_Test_cancelled(&status, &number));
    CHECK(number != 0);

    OK(MPI_Status_set_elements(&status, MPI_INT, 5));
    OK(MPI_Get_count(&status, MPI_INT, &number));
    CHECK_EQ(number, 5);
    OK(MPI_Get_count(&status, MPI_BYTE, &number));
    CHECK_EQ(number, 20);
    OK(MPI_Get_count(&status, MPI_DOUBLE, &number));
    CHECK_EQ(number, MPI_UNDEFINED);

    /* Two ints and a gap: 7 basic elements are 3 and a half. */
    OK(MPI_Type_vector(2, 1, 3, MPI_INT, &type));
    OK(MPI_Status_set_elements(&status, type, 7));
    OK(MPI_Get_elements(&status, type, &number));
    CHECK_EQ(number, 7);
    OK(MPI_Get_elements_x(&status, type, &count));
    CHECK_EQ(count, 7);
    OK(MPI_Get_elements_c(&status, type, &count));
    CHECK_EQ(count, 7);
    OK(MPI_Get_count(&status, type, &number));
    CHECK_EQ(number, MPI_UNDEFINED);
    OK(MPI_Get_count_c(&status, type, &count));
    CHECK_EQ(count, MPI_UNDEFINED);
    OK(MPI_Status_set_elements_x(&status, type, 8));
    OK(MPI_Get_count_c(&status, type, &count));
    CHECK_EQ(count, 4);
    OK(MPI_Status_set_elements_c(&status, type, (MPI_Count)1 << 40));
    OK(MPI_Get_count_c(&status, type, &count));
    CHECK_EQ(count, (MPI_Count)1 << 39);
    OK(MPI_Get_count(&status, type, &number));
    CHECK_EQ(number, MPI_UNDEFINED);
    OK(MPI_Get_elements(&status, type, &number));
    CHECK_EQ(number, MPI_UNDEFINED);
    OK(MPI_Type_free(&type));

    /* Pairs are two basic elements. */
    OK(MPI_Status_set_elements(&status, MPI_SHORT_INT, 3));
    OK(MPI_Get_count(&status, MPI_BYTE, &number));
    CHECK_EQ(number, 8);
    OK(MPI_Get_elements(&status, MPI_SHORT_INT, &number));
    CHECK_EQ(number, 3);

    /* With nothing to wait for, the status is the empty one, with its error field. */
    MPI_Request none = MPI_REQUEST_NULL;
    OK(MPI_Status_set_error(&status, MPI_ERR_RANK));
    OK(MPI_Waitany(1, &none, &number, &status));
    CHECK(number == MPI_UNDEFINED && status.MPI_ERROR == MPI_SUCCESS && status.MPI_TAG == MPI_ANY_TAG);

    FAILS(MPI_Get_count(&status, MPI_DATATYPE_NULL, &number), MPI_ERR_TYPE);
    FAILS(MPI_Status_set_elements(&status, MPI_INT, -1), MPI_ERR_COUNT);
    FAILS(MPI_Status_set_tag(MPI_STATUS_IGNORE, 1), MPI_ERR_ARG);
    FAILS(MPI_Status_set_elements_c(&status, MPI_DOUBLE, LLONG_MAX), MPI_ERR_ARG);
    OK(MPI_Finalize());
    return 0;
}
