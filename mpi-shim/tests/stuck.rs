//! What `mpirun` says of jobs that stand still.

mod common;

use common::{build, mpirun};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A job of `stuck HOW`, which has not said anything yet.
fn start(options: &[&str], how: &[&str]) -> Child {
    let mut job = mpirun(options);
    job.arg(build("stuck")).args(how).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun starts")
}

fn tell(job: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &job.id().to_string()]).status().expect("kill").success());
}

/// Reads the job's errors until a line has this text; all lines. Asks by a signal at first, and again whenever an answer has begun, if
/// that is wanted. Then the job is ended.
fn until(mut job: Child, ask: bool, text: &str) -> Vec<String> {
    let mut reader = BufReader::new(job.stderr.take().expect("it is a pipe"));
    // Kept open to the end: the other ranks speak as well.
    let mut output = BufReader::new(job.stdout.take().expect("it is a pipe"));
    let mut lines = Vec::new();
    if ask {
        // A rank speaks when it is where it shall be; mpirun hears signals by then.
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        tell(&job, "-USR1");
    }
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).expect("text"), 0, "expected {text}: {lines:#?}");
        if ask && line.ends_with("what the ranks wait for:\n") {
            tell(&job, "-USR1");
        }
        lines.push(line.trim_end().to_owned());
        if line.contains(text) {
            break;
        }
    }
    tell(&job, "-TERM");
    // The rest of the answer.
    lines.extend(reader.lines().map(|line| line.expect("text")));
    job.wait().expect("it ends");
    lines
}

#[track_caller]
fn expect(lines: &[String], parts: &[&str]) {
    for part in parts {
        assert!(lines.iter().any(|line| line.contains(part)), "expected {part}: {lines:#?}");
    }
}

#[test]
fn a_circle_of_receives_is_named_by_itself() {
    let lines = until(start(&["--stuck-after", "1", "-n", "3"], &["circle"]), false, "deadlock");
    let expected = [
        "mpirun: the job is stuck; what the ranks wait for:",
        "mpirun:   rank 0: MPI_Recv waits for a message from rank 1 with tag 5 on MPI_COMM_WORLD, for ",
        "mpirun:   rank 2: MPI_Recv waits for a message from rank 0 with tag 5 on MPI_COMM_WORLD, for ",
        "mpirun: deadlock: rank 0 waits for a message from rank 1, rank 1 waits for a message from rank 2, \
         rank 2 waits for a message from rank 0",
    ];
    expect(&lines, &expected);
}

#[test]
fn sends_that_nobody_receives_are_named() {
    let lines = until(start(&["--stuck-after", "1", "-n", "2"], &["sends"]), false, "deadlock");
    let first = "rank 0: MPI_Send waits for rank 1 to receive a message of 4800000 bytes with tag 6 on MPI_COMM_WORLD";
    expect(&lines, &[first, "rank 0 waits until its message is received by rank 1, rank 1 waits until"]);
}

#[test]
fn who_does_not_come_to_a_barrier_is_named() {
    for (how, text) in [
        ("barrier", "ranks 0-2: MPI_Barrier waits for rank 3 of MPI_COMM_WORLD, which has not come, for "),
        // Another rank may be on its way yet.
        ("ibarrier", "MPI_Wait waits for MPI_Barrier: rank 3 in a collective on MPI_COMM_WORLD, for "),
    ] {
        let lines = until(start(&["-n", "4"], &[how]), true, text);
        expect(&lines, &["mpirun: what the ranks wait for:", "3: outside MPI, or polling ("]);
        assert!(!lines.iter().any(|line| line.contains("deadlock")), "{lines:#?}");
    }
}

#[test]
fn a_rank_that_polls_or_computes_is_not_taken_for_stuck() {
    let lines = until(start(&["-n", "2"], &["polls"]), true, "ranks 0, 1: outside MPI, or polling (running)");
    assert!(!lines.iter().any(|line| line.contains("deadlock") || line.contains("stuck")), "{lines:#?}");
}

#[test]
fn one_rank_that_waits_for_long_is_said_if_that_is_asked_for() {
    let lines = until(start(&["--stuck-after", "1", "-n", "3"], &["either"]), false, "rank 2:");
    let expected = [
        "mpirun: a rank has waited for long; what the ranks wait for:",
        "rank 0: outside MPI, or polling (asleep)",
        "rank 1: MPI_Waitany waits for a message from rank 2 (rank 0 of the job) with tag 0 on a communicator of ranks 0-2 \
         or for a message from rank 0 (rank 2 of the job) with tag 1",
    ];
    expect(&lines, &expected);
}

#[test]
fn a_receive_and_a_broadcast_wait_for_one_another() {
    let lines = until(start(&["--stuck-after", "1", "-n", "3"], &["mixed"]), false, "deadlock");
    let expected = [
        "rank 0: MPI_Recv waits for a message from rank 1 with tag 7 on the solver's, for ",
        "ranks 1, 2: MPI_Bcast waits for rank 0 of the solver's, which has not come",
        "deadlock: rank 0 waits for a message from rank 1, rank 1 waits in a collective for rank 0",
    ];
    expect(&lines, &expected);
}

#[test]
fn who_has_finalised_sends_nothing_any_more() {
    let lines = until(start(&["--stuck-after", "1", "-n", "3"], &["finalized"]), false, "deadlock");
    let expected = [
        "rank 0: MPI_Probe waits for a message from any rank with any tag on MPI_COMM_WORLD",
        "rank 0 waits for a message from rank 1, which has finalised MPI",
    ];
    expect(&lines, &expected);
}

#[test]
fn the_limit_of_time_says_what_the_ranks_wait_for() {
    let mut job = mpirun(&["--timeout", "2", "--stuck-after", "0", "-n", "2"]);
    let output = job.arg(build("stuck")).arg("circle").output().expect("mpirun starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(124), "{text}");
    for part in [
        "mpirun: the time limit is over; the job is ended; what the ranks wait for:\n",
        "rank 1: MPI_Recv waits for a message from rank 0 with tag 5",
        "mpirun: deadlock: ",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_rank_that_catches_the_signal_gets_it() {
    let mut job = start(&["-n", "1"], &["barrier", "catch"]);
    let mut reader = BufReader::new(job.stdout.take().expect("it is a pipe"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("text");
    assert_eq!(line, "computing\n");
    tell(&job, "-USR1");
    line.clear();
    reader.read_line(&mut line).expect("text");
    assert_eq!(line, "caught\n");
    tell(&job, "-TERM");
    assert_eq!(job.wait().expect("it ends").code(), Some(128 + 15));
}
