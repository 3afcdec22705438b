//! `mpirun`: what it passes on, and how jobs end.

mod common;

use common::{build, mpirun, shown};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

fn lines(output: &Output) -> BTreeSet<String> {
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn expect(output: &Output, code: i32, message: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(code) && text.contains(message),
        "expected {code} {message}: {}",
        shown(output)
    );
}

#[test]
fn every_rank_runs_once() {
    let output = common::run("ranks", 7);
    assert_eq!(lines(&output), (0..7).map(|rank| format!("rank {rank} of 7")).collect());
}

#[test]
fn without_mpirun_a_program_is_a_job_of_one() {
    let output = Command::new(build("ranks")).env_remove("TWOWIRE_JOB").output().unwrap();
    assert_eq!(lines(&output), ["rank 0 of 1".to_owned()].into());
}

#[test]
fn labels_and_programs_between_colons() {
    let ranks = build("ranks");
    let mut job = mpirun(&["-l", "-n", "2"]);
    let output = job.arg(&ranks).arg("a").args([":", "-n", "1"]).arg(&ranks).arg("b").output().unwrap();
    let expected = ["[0] rank 0 of 3: a", "[1] rank 1 of 3: a", "[2] rank 2 of 3: b"];
    assert_eq!(lines(&output), expected.map(str::to_owned).into(), "{}", shown(&output));
}

#[test]
fn a_line_without_an_end_is_labelled_too() {
    let output = mpirun(&["-l", "-n", "1", "printf", "one\\ntwo"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[0] one\n[0] two\n");
}

#[test]
fn the_place_survives_a_shell_and_closed_descriptors() {
    let script = format!("exec {}", build("ranks").display());
    let output = mpirun(&["-n", "2", "sh", "-c", &script]).output().unwrap();
    assert_eq!(lines(&output).len(), 2, "{}", shown(&output));
    // Closed on the way, as some programs do with what they do not know.
    let script = format!("fd=$(echo $TWOWIRE_JOB | cut -d, -f5); eval \"exec $fd>&-\" 2>/dev/null; {script}");
    let output = mpirun(&["-n", "2", "bash", "-c", &script]).output().unwrap();
    let expected = ["rank 0 of 2".to_owned(), "rank 1 of 2".to_owned()];
    assert_eq!(lines(&output), expected.into(), "{}", shown(&output));
}

#[test]
fn a_rank_runs_one_mpi_program() {
    let ranks = build("ranks");
    let script = format!("{0}; {0}", ranks.display());
    let output = mpirun(&["-n", "1", "sh", "-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("a rank runs one MPI program"), "{}", shown(&output));
}

#[test]
fn each_rank_says_by_which_way_it_reaches_which_others() {
    let mut job = mpirun(&["-n", "3", "-x", "TWOWIRE_DEBUG=transport,nonsense"]);
    let output = job.arg(build("ranks")).arg("together").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    for (rank, others) in [(0, "ranks 1, 2"), (1, "ranks 0, 2"), (2, "ranks 0, 1")] {
        let start = format!(
            "transport: rank {rank} to {others}: shared memory, as they are on one host; messages of more than "
        );
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{start}: {text}"));
        assert!(line.contains("(process_vm_readv"), "{line}");
    }
    assert_eq!(text.matches("TWOWIRE_DEBUG: unknown: `nonsense`; there are: `transport`").count(), 1, "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn collectives_copy_from_process_to_process_wherever_that_works() {
    let program = build("ranks");
    let said = |word: &str| {
        let mut job = mpirun(&["-n", "4", "-x", &format!("TWOWIRE_DEBUG={word}")]);
        let output = job.arg(&program).arg("together").output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let works = said("transport").contains("(process_vm_readv works)");
    // Ranks come in any order.
    for _ in 0..5 {
        let text = said("collectives");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.starts_with("collectives: communicator ") && text.contains(" of 4 ranks: through shared"),
            "{text}"
        );
        assert_eq!(text.contains("(process_vm_readv works)"), works, "{text}");
    }
}

#[test]
fn a_way_that_is_not_there_is_said_with_its_reason() {
    let unshare = ["unshare", "--pid", "--fork"];
    let may = Command::new(unshare[0]).args(&unshare[1..]).arg("true").output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this user may not make namespaces of process ids");
        return;
    }
    let mut job = mpirun(&["-n", "2", "-x", "TWOWIRE_DEBUG=transport"]);
    let output = job.args(unshare).arg(build("ranks")).arg("together").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let why = "pass through it in pieces (process_vm_readv cannot be used between namespaces of process ids)";
    assert_eq!(text.matches(why).count(), 2, "{}", shown(&output));
}

#[test]
fn standard_input_goes_to_rank_0() {
    let mut job = mpirun(&["-l", "-n", "3", "cat"]);
    let mut job = job.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    job.stdin.take().unwrap().write_all(b"a line\n").unwrap();
    assert_eq!(lines(&job.wait_with_output().unwrap()), ["[0] a line".to_owned()].into());
}

#[test]
fn variables_and_folders() {
    let script = "echo $A $B $(pwd)";
    let job = ["-genv", "A", "1", "-n", "1", "--wdir", "/", "-x", "B=2", "sh", "-c", script];
    assert_eq!(lines(&mpirun(&job).output().unwrap()), ["1 2 /".to_owned()].into());
}

#[test]
fn bound_ranks_have_one_processor() {
    let job = ["--bind-to", "core", "-n", "2", "sh", "-c", "nproc"];
    assert_eq!(lines(&mpirun(&job).output().unwrap()), ["1".to_owned()].into());
}

#[test]
fn the_job_ends_with_the_first_failure() {
    let program = build("misbehave");
    for (how, code, message) in [
        ("segfault", 139, "was killed by signal 11 (segmentation fault); the job is ended"),
        ("exit-5", 5, "ended with exit code 5; the job is ended"),
        ("exit-0", 1, "ended without MPI_Finalize; the job is ended"),
        ("never-init", 1, "ended without MPI_Init, which others called; the job is ended"),
        ("late", 6, "ended with exit code 6\n"),
    ] {
        let output = mpirun(&["-n", "3"]).arg(&program).args(["1", how]).output().unwrap();
        expect(&output, code, message);
        expect(&output, code, "mpirun: rank 1 (pid ");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{}", shown(&output));
    }
}

#[test]
fn a_rank_that_aborts_says_so_itself() {
    let output = mpirun(&["-n", "3"]).arg(build("misbehave")).args(["1", "abort"]).output().unwrap();
    expect(&output, 9, "MPI_Abort on rank 1: the job is ended with code 9\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "{}", shown(&output));
}

#[test]
fn a_program_that_cannot_be_started_is_said() {
    expect(
        &mpirun(&["-n", "2", "/nonexistent"]).output().unwrap(),
        127,
        "rank 0 cannot be started: /nonexistent: No such",
    );
    expect(&mpirun(&["-n", "x"]).output().unwrap(), 2, "-n x: expected a number");
}

#[test]
fn a_limit_of_time() {
    let output = mpirun(&["--timeout", "1", "-n", "2", "sleep", "100"]).output().unwrap();
    expect(&output, 124, "the time limit is over");
}

/// A job of ranks that wait, and the processes of its ranks. With a `wrapper`, a shell stands before each.
fn waiting(ranks: u32, how: &str, wrapper: bool) -> (Child, Vec<i32>) {
    let mut job = mpirun(&["-n", &ranks.to_string()]);
    let program = build("misbehave");
    match wrapper {
        true => job.args(["sh", "-c", "\"$0\" \"$@\"; exit $?"]).arg(program),
        false => job.arg(program),
    };
    let job = job.args(["-1", how]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut job = job.spawn().unwrap();
    let mut reader = BufReader::new(job.stdout.as_mut().unwrap());
    let mut processes = Vec::new();
    for _ in 0..ranks {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        processes.push(line.trim_end().trim_start_matches("ready ").parse().expect("a process id"));
    }
    (job, processes)
}

/// Waits for a job that was told to end; what it said.
fn end(mut job: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    job.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (job.wait().unwrap().code(), text)
}

fn kill(signal: &str, process: i32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Waits until a process that was told to end has ended; false if it does not.
fn gone(process: i32) -> bool {
    let pid = Pid::from_raw(process).expect("a process id");
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(end) => {
            let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
            poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&limit)) == Ok(1)
        }
        Err(_) => true,
    }
}

#[test]
fn a_killed_rank_ends_the_job() {
    let rounds = std::env::var("MPI_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    for round in 0..rounds {
        let (job, processes) = waiting(4, "wait", false);
        let victim = round % processes.len();
        kill("-9", processes[victim]);
        let (code, text) = end(job);
        // Ranks are started in order, so their process ids rise.
        let started: BTreeSet<i32> = processes.iter().copied().collect();
        let rank = started.iter().position(|&process| process == processes[victim]).unwrap();
        let (victim, signal) = (processes[victim], "was killed by signal 9 (kill)");
        let expected = format!("mpirun: rank {rank} (pid {victim}) {signal}; the job is ended\n");
        assert_eq!((code, text), (Some(137), expected));
        assert!(processes.into_iter().all(gone), "round {round} left processes behind");
    }
}

#[test]
fn ranks_that_do_not_listen_are_killed() {
    let (job, processes) = waiting(3, "deaf", false);
    kill("-9", processes[0]);
    assert_eq!(end(job).0, Some(137));
    assert!(processes.into_iter().all(gone));
}

#[test]
fn signals_are_passed_on() {
    let (job, ranks) = waiting(2, "wait", false);
    kill("-USR2", job.id().cast_signed());
    assert_eq!(end(job).0, Some(128 + 12));
    assert!(ranks.into_iter().all(gone));
    let (job, processes) = waiting(2, "wait", false);
    kill("-TERM", job.id().cast_signed());
    assert_eq!(end(job), (Some(128 + 15), String::new()));
    assert!(processes.into_iter().all(gone));
}

#[test]
fn nothing_is_left_when_mpirun_is_killed() {
    for wrapper in [false, true] {
        let (mut job, processes) = waiting(3, "wait", wrapper);
        job.kill().unwrap();
        job.wait().unwrap();
        assert!(processes.into_iter().all(gone), "behind a shell: {wrapper}");
    }
}

#[test]
fn what_a_rank_starts_ends_with_it() {
    let script = "sleep 1000 & echo $!";
    let output = mpirun(&["-n", "2", "sh", "-c", script]).output().unwrap();
    let processes: Vec<i32> = lines(&output).iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(processes.len(), 2);
    assert!(processes.into_iter().all(gone));
}
