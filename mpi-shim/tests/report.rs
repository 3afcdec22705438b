//! `mpirun --report`: what is counted, and the forms in which it comes.

mod common;

use common::{build, mpirun, shown};
use std::path::PathBuf;

/// A file of this test's own.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("twowire-{}-{name}", std::process::id()))
}

#[test]
fn calls_and_messages_are_counted() {
    let svg = file("bytes.svg");
    let option = format!("--report={}", svg.display());
    let output = mpirun(&["-n", "3", &option, "--json"]).arg(build("traffic")).output().expect("mpirun starts");
    assert!(output.status.success(), "{}", shown(&output));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("{\"size\":3,\"ranks\":[{\"rank\":0,"), "{text}");
    for rank in 0..3 {
        let (own, next, short) =
            (format!("{{\"to\":{rank},\"eager\":{{\"messages\":1,\"bytes\":7}}"), (rank + 1) % 3, rank + 1);
        let eager = format!("\"eager\":{{\"messages\":{short},\"bytes\":{}}}", short * 100);
        let sent = format!("{{\"to\":{next},{eager},\"rendezvous\":{{\"messages\":1,\"bytes\":5000000}}");
        let calls = format!("{{\"name\":\"MPI_Send\",\"count\":{},", short + 1);
        for part in [own, sent, calls, "{\"name\":\"MPI_Barrier\",\"count\":3,".to_owned()] {
            assert!(text.contains(&part), "{part}: {text}");
        }
    }
    let picture = std::fs::read_to_string(&svg).expect("it was written");
    std::fs::remove_file(&svg).expect("it is ours");
    assert!(picture.contains("<title>rank 2 to rank 0: 4.8 MiB") && picture.contains(">receiver</text>"), "{picture}");
}

#[test]
fn tables_and_ranks_that_say_nothing() {
    let output = mpirun(&["-n", "2", "--report"]).arg(build("traffic")).output().expect("mpirun starts");
    let text = String::from_utf8_lossy(&output.stderr);
    for part in
        ["mpirun: report, from MPI_Init to MPI_Finalize\nrank ", "\ncall ", "\nMPI_Barrier ", "\nfrom  to  messages"]
    {
        assert!(text.contains(part), "{part}: {}", shown(&output));
    }
    let output =
        mpirun(&["-n", "2", "--report"]).arg(build("misbehave")).args(["1", "exit-5"]).output().expect("mpirun");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("not in the report, for want of MPI_Finalize: ranks 0, 1"), "{text}");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn nothing_is_reported_unless_that_is_asked_for() {
    let output =
        mpirun(&["-n", "2", "-x", "TWOWIRE_REPORT=1,2,3"]).arg(build("traffic")).output().expect("mpirun starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", shown(&output));
}
