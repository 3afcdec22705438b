//! Programs of this library under the launchers of other MPIs, where they are installed.

mod common;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

/// Runs `tests/c/NAME.c` under another launcher; nothing if that is not there.
fn under(launcher: &[&str], name: &str, arguments: &[&str]) -> Option<Output> {
    let mut job = Command::new("timeout");
    job.arg("60").args(launcher).arg(common::build(name)).args(arguments).stdin(Stdio::null());
    match Command::new(launcher[0]).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: no {}", launcher[0]);
            None
        }
        _ => Some(job.output().expect("timeout, of coreutils")),
    }
}

fn starts(launcher: &[&str], ranks: u32) {
    let Some(output) = under(launcher, "ranks", &[]) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let expected: BTreeSet<String> = (0..ranks).map(|rank| format!("rank {rank} of {ranks}")).collect();
    assert!(output.status.success() && lines == expected, "{launcher:?}: {}", common::shown(&output));
}

const HYDRA: [&str; 3] = ["mpiexec.hydra", "-n", "4"];
/// Hydra lets programs choose the version of PMI.
const HYDRA_2: [&str; 6] = ["mpiexec.hydra", "-genv", "TWOWIRE_PMI", "2", "-n", "4"];
const OPENMPI: [&str; 5] = ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", "3"];
const PRRTE: [&str; 6] = ["prterun", "--allow-run-as-root", "--map-by", ":OVERSUBSCRIBE", "-n", "3"];

#[test]
fn hydra_starts_ranks_by_pmi1() {
    starts(&HYDRA, 4);
}

#[test]
fn hydra_starts_ranks_by_pmi2() {
    starts(&HYDRA_2, 4);
}

#[test]
fn open_mpi_starts_ranks_by_pmix() {
    starts(&OPENMPI, 3);
}

#[test]
fn prrte_starts_ranks_by_pmix() {
    starts(&PRRTE, 3);
}

#[test]
fn an_abort_ends_the_job_of_another_launcher() {
    for launcher in [&HYDRA[..], &OPENMPI, &PRRTE] {
        let Some(output) = under(launcher, "misbehave", &["1", "abort"]) else { continue };
        assert_eq!(output.status.code(), Some(9), "{launcher:?}: {}", common::shown(&output));
    }
}

#[test]
fn an_abort_ends_a_job_of_pmi2() {
    let Some(output) = under(&HYDRA_2, "misbehave", &["1", "abort"]) else { return };
    // Hydra 4 ends the job because it does not know the message, and may lose what the rank has said.
    assert!(!output.status.success(), "{}", common::shown(&output));
}
