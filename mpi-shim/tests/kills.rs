//! A rank is killed at a random moment, while the job sends messages, does collectives, and sleeps: the job ends, with one line, and leaves nothing.
//!
//! `MPI_KILL_ROUNDS=100` says how often, and then each end must take less than two seconds; `MPI_KILL_SEED` repeats a run.
#![allow(clippy::disallowed_methods)] // A random moment has to be waited for, and the time of an end be taken.

mod common;

use common::{build, mpirun};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Rounds without `MPI_KILL_ROUNDS`.
const ROUNDS: u64 = 5;
/// The longest time from a kill to the end of the job.
const LIMIT: Duration = Duration::from_secs(2);

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A job's processes, and what was left of them.
struct Round {
    took: Duration,
    said: String,
    code: Option<i32>,
    victim: (usize, i32),
    processes: Vec<i32>,
}

fn round(random: &mut fastrand::Rng) -> Round {
    let ranks = random.usize(2..=6);
    let (size, seed) = (ranks.to_string(), random.u16(..).to_string());
    let mut job = mpirun(&["-n", &size]);
    let mut job =
        job.arg(build("work")).arg(seed).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun starts");
    let reader = BufReader::new(job.stdout.take().expect("a pipe"));
    let processes = reader.lines().take(ranks).map(|line| {
        let line = line.expect("text");
        line.strip_prefix("ready ").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no process id: {line}"))
    });
    // Ranks are started in order, so their process ids rise.
    let processes: Vec<i32> = processes.collect::<BTreeSet<i32>>().into_iter().collect();
    std::thread::sleep(Duration::from_micros(random.u64(0..300_000)));
    let victim = random.usize(..ranks);
    let began = Instant::now();
    kill_process(Pid::from_raw(processes[victim]).expect("an id"), Signal::KILL).expect("it runs");
    let mut said = String::new();
    job.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    let code = job.wait().expect("it ends").code();
    Round { took: began.elapsed(), said, code, victim: (victim, processes[victim]), processes }
}

/// Whether a process ends before long.
fn gone(process: i32) -> bool {
    let pid = Pid::from_raw(process).expect("an id");
    let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
    pidfd_open(pid, PidfdFlags::empty())
        .map_or(true, |end| poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&limit)) == Ok(1))
}

/// Shared memory with a name, as jobs would leave it behind.
fn named_memory() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("twowire") || name.contains("mpi")).collect()
}

#[test]
fn a_rank_is_killed_at_a_random_moment() {
    let rounds = variable("MPI_KILL_ROUNDS");
    let seed = variable("MPI_KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let before = named_memory();
    let mut slowest = Duration::ZERO;
    for number in 0..rounds.unwrap_or(ROUNDS) {
        let Round { took, said, code, victim: (rank, process), processes } = round(&mut random);
        let at = format!("round {number} of MPI_KILL_SEED={seed}, {} ranks", processes.len());
        let expected = format!("mpirun: rank {rank} (pid {process}) was killed by signal 9 (kill); the job is ended\n");
        assert_eq!((code, said), (Some(137), expected), "{at}");
        assert!(rounds.is_none() || took < LIMIT, "{at}: the end took {took:?}");
        assert!(processes.into_iter().all(gone), "{at}: processes are left");
        slowest = slowest.max(took);
    }
    assert_eq!(named_memory(), before, "MPI_KILL_SEED={seed}: memory is left");
    println!("the slowest end took {slowest:?} (MPI_KILL_SEED={seed})");
}
