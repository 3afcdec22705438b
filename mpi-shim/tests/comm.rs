//! Groups, communicators, attributes, info objects, errors, sessions and topologies, as C programs use them.

mod common;

use common::{build, mpirun, shown};

common::c_tests! {
    attribute(1, 3);
    comm(1, 2, 3, 5);
    error(1, 2);
    group(1, 2, 3, 5);
    info(1, 2);
    inter(2, 3, 4, 5);
    process(1, 2);
    session(1, 2, 4);
    topology(1, 2, 3, 4, 5);
}

#[test]
fn sessions_do_without_the_world_model() {
    let output = mpirun(&["-n", "3"]).arg(build("session")).arg("alone").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn a_fatal_error_is_one_line_that_names_the_call_and_the_rank() {
    let output = mpirun(&["-n", "3"]).arg(build("error")).arg("fatal").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let line = "MPI_Comm_create_group on rank 2: the tag -1; it must be 0 to MPI_TAG_UB (MPI_ERR_TAG)";
    assert!(!output.status.success() && text.lines().any(|printed| printed == line), "{}", shown(&output));
}

#[test]
fn an_abort_ends_the_job_with_its_code() {
    let output = mpirun(&["-n", "2"]).arg(build("error")).arg("abort").output().unwrap();
    assert_eq!(output.status.code(), Some(42), "{}", shown(&output));
}
