/* job [HOW RANK]: all ranks of a job talk with each other; then, if HOW is given, that RANK ends so while the others wait. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG = 300000 };

static void fail(const char *what) {
    fprintf(stderr, "wrong: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 77);
}

int main(int argc, char **argv) {
    int rank, size, neighbours;
    MPI_Comm node;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &neighbours);
    static int out[LONG], in[LONG];
    for (int turn = 0; turn < 3; turn++) for (int step = 1; step <= size; step++) {
        int count = turn == 0 ? 1 : turn == 1 ? 5000 : LONG, to = (rank + step) % size, from = (rank - step + 2 * size) % size;
        for (int i = 0; i < count; i++) out[i] = rank * 1000003 + turn * 7 + i;
        MPI_Sendrecv(out, count, MPI_INT, to, turn, in, count, MPI_INT, from, turn, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; i < count; i++) if (in[i] != from * 1000003 + turn * 7 + i) fail("a message");
    }
    int sum = 0, one = rank + 1;
    MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (sum != size * (size + 1) / 2) fail("a sum");
    char line[100] = "", cwd[200] = "";
    if (rank == 0 && fgets(line, sizeof line, stdin)) line[strcspn(line, "\n")] = 0;
    MPI_Bcast(line, sizeof line, MPI_CHAR, 0, MPI_COMM_WORLD);
    printf("rank %d of %d, %d here, read '%s', %s in %s, pid %d\n", rank, size, neighbours, line, getenv("COLOUR"), getcwd(cwd, sizeof cwd), (int)getpid());
    fflush(stdout);
    if (argc == 3 && rank == atoi(argv[2])) {
        if (!strcmp(argv[1], "exit")) exit(5);
        if (!strcmp(argv[1], "kill")) raise(SIGKILL);
        if (!strcmp(argv[1], "abort")) MPI_Abort(MPI_COMM_WORLD, 9);
    }
    if (argc > 1) for (;;) pause();
    MPI_Finalize();
    return 0;
}
