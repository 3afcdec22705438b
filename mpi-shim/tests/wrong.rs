//! Calls with wrong arguments: one line with the call, the rank and the argument, whichever ranks are wrong, and never a crash.

mod common;

use common::{build, mpirun, shown};

/// What is wrong, and what the line says behind the rank.
const WRONG: [(&str, &str, &str); 42] = [
    ("rank", "MPI_Send", "rank 7 is outside of a communicator of 3 (MPI_ERR_RANK)"),
    ("rank-recv", "MPI_Recv", "rank -7 is outside of a communicator of 3 (MPI_ERR_RANK)"),
    ("rank-probe", "MPI_Probe", "rank 3 is outside of a communicator of 3 (MPI_ERR_RANK)"),
    ("rank-sendrecv", "MPI_Sendrecv", "rank 3 is outside of a communicator of 3 (MPI_ERR_RANK)"),
    ("count", "MPI_Send", "a count of -1 where 0 or more is expected (MPI_ERR_COUNT)"),
    ("count-recv", "MPI_Irecv", "a count of -5 where 0 or more is expected (MPI_ERR_COUNT)"),
    ("count-bcast", "MPI_Bcast", "a count of -2 where 0 or more is expected (MPI_ERR_COUNT)"),
    ("tag", "MPI_Send", "tag -3, where 0 to 1073741823 (MPI_TAG_UB) is expected (MPI_ERR_TAG)"),
    ("tag-high", "MPI_Send", "tag 2147483647, where 0 to 1073741823 (MPI_TAG_UB) is expected (MPI_ERR_TAG)"),
    ("buffer", "MPI_Send", "a null buffer for 1 elements (MPI_ERR_BUFFER)"),
    ("type", "MPI_Send", "a null or unknown handle 0x200 where a datatype is expected (MPI_ERR_TYPE)"),
    ("type-raw", "MPI_Send", "the datatype is not committed: call MPI_Type_commit first (MPI_ERR_TYPE)"),
    ("type-freed", "MPI_Send", "where a datatype is expected (MPI_ERR_TYPE)"),
    ("comm", "MPI_Barrier", "a null or unknown handle 0x100 where a communicator is expected (MPI_ERR_COMM)"),
    ("comm-foreign", "MPI_Send", "where a communicator is expected (MPI_ERR_COMM)"),
    ("comm-freed", "MPI_Send", "where a communicator is expected (MPI_ERR_COMM)"),
    ("request", "MPI_Wait", "a freed or foreign handle 0x777777 where a request is expected (MPI_ERR_REQUEST)"),
    ("request-freed", "MPI_Wait", "where a request is expected (MPI_ERR_REQUEST)"),
    ("requests", "MPI_Waitall", "a null pointer where requests are expected (MPI_ERR_ARG)"),
    ("group-freed", "MPI_Group_size", "where a group is expected (MPI_ERR_GROUP)"),
    (
        "op",
        "MPI_Allreduce",
        "MPI_BAND is not defined for MPI_DOUBLE; make an operation with MPI_Op_create (MPI_ERR_OP)",
    ),
    ("root", "MPI_Bcast", "root 3, where a rank below 3 is expected (MPI_ERR_ROOT)"),
    ("result", "MPI_Comm_size", "a null pointer where a result is to be written (MPI_ERR_ARG)"),
    ("bsend", "MPI_Bsend", "a buffered send needs a buffer: attach one with MPI_Buffer_attach (MPI_ERR_BUFFER)"),
    ("init", "MPI_Init", "MPI was initialised before; a process can do that once (MPI_ERR_OTHER)"),
    (
        "after",
        "MPI_Send",
        "MPI is not running: call MPI_Init or MPI_Session_init first, and MPI_Finalize last (MPI_ERR_OTHER)",
    ),
    ("cart", "MPI_Cart_create", "a grid of 99 places for a communicator of 3 (MPI_ERR_DIMS)"),
    ("color", "MPI_Comm_split", "the color -5; it must be 0 or more, or MPI_UNDEFINED (MPI_ERR_ARG)"),
    (
        "truncate",
        "MPI_Recv on rank 1",
        "a message of 40 bytes with tag 4 does not fit into the 20 of the receive (MPI_ERR_TRUNCATE)",
    ),
    ("truncate-long", "MPI_Recv on rank 1", "a message of 1048580 bytes with tag 4 does not fit into the 400"),
    (
        "bcast-fewer",
        "MPI_Bcast",
        "this rank calls MPI_Bcast with 16 bytes and root 0, and rank 0 MPI_Bcast with 32 bytes and root 0 (MPI_ERR_NOT_SAME)",
    ),
    (
        "bcast-more",
        "MPI_Bcast",
        "this rank calls MPI_Bcast with 32 bytes and root 0, and rank 0 MPI_Bcast with 16 bytes and root 0",
    ),
    ("bcast-long", "MPI_Bcast", "and rank 0 MPI_Bcast with 262144 bytes and root 0"),
    (
        "reduce",
        "MPI_Reduce on rank 0",
        "this rank calls MPI_Reduce with 32 bytes and root 0, and rank 1 MPI_Reduce with 16 bytes",
    ),
    ("allreduce", "MPI_Allreduce", " MPI_Allreduce with 16 bytes for each rank"),
    ("allreduce-long", "MPI_Allreduce", " MPI_Allreduce with 131072 bytes for each rank"),
    ("allgather", "MPI_Allgather", " MPI_Allgather with 32 bytes for each rank"),
    ("alltoall", "MPI_Alltoall", " MPI_Alltoall with 32 bytes for each rank"),
    ("alltoall-long", "MPI_Alltoall", " MPI_Alltoall with 262144 bytes for each rank"),
    ("gather-more", "MPI_Gather", "MPI_Gather with 32 bytes and root 0"),
    ("barrier-bcast", "MPI_B", "MPI_Barrier"),
    ("allreduce-alltoall", "MPI_All", "MPI_Alltoall with 4 bytes for each rank"),
];

#[test]
fn one_line_says_what_is_wrong() {
    let program = build("wrong");
    for (how, call, text) in WRONG {
        let output = mpirun(&["-n", "3", "--stuck-after", "0"]).arg(&program).arg(how).output().expect("mpirun starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.starts_with(call) && said.contains(" on rank ") && said.contains(text),
            "{how}: {}",
            shown(&output)
        );
        assert_eq!(said.lines().count(), 1, "{how}: {}", shown(&output));
        let code = output.status.code().expect("an exit code");
        assert!(code != 0 && code < 124, "{how}: {}", shown(&output));
    }
}
