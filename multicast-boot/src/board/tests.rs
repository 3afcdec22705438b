use super::groups::{groups, table};
use super::journal::Journal;
use super::metrics::{Exporter, MetricsTarget, text};
use super::*;
use crate::session::strangers::Distrust;
use crate::session::{FailureReason, NodeFailure, Progress, StageTimes};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};
use twowire_fabric::id::UniqueId;
use twowire_fabric::time::Time;

fn reached(stage: Stage, percent: u8) -> Reached {
    Reached { stage, percent }
}

fn silent(node: i32, percent: u8, after: u64) -> NodeFailure {
    NodeFailure {
        node: NodeNumber(node),
        reached: reached(Stage::Receiving, percent),
        reason: FailureReason::NoProgress(Duration::from_secs(after)),
        at: Time::ZERO,
    }
}

fn node(number: i32, stage: Stage, percent: u8) -> NodeView<'static> {
    NodeView {
        number: NodeNumber(number),
        reached: reached(stage, percent),
        times: StageTimes::default(),
        failure: None,
        boots: Boots::Normal,
    }
}

/// Five nodes: three ready, two failed for the same reason after different times.
fn sample() -> (Board, Vec<Change>) {
    let mut board = Board::default();
    let failures = [silent(3, 40, 2), silent(9, 70, 3)];
    let ready = [0, 1, 2].map(|n| node(n, Stage::Ready, 100));
    let failed = failures.iter().map(|f| NodeView {
        reached: f.reached,
        failure: Some(f),
        ..node(f.node.0, f.reached.stage, 0)
    });
    let changes = board.update(1500, ready.into_iter().chain(failed));
    (board, changes)
}

#[test]
fn only_what_has_changed_is_told() {
    let (mut board, changes) = sample();
    assert_eq!(changes.len(), 5);
    let last = serde_json::to_string(&changes[4]).unwrap();
    assert_eq!(
        last,
        r#"{"at_ms":1500,"node":"n9","state":"failed","percent":70,"reason":"at `receiving (70 %)`: it made no progress for 3s"}"#
    );
    let again = |stage, percent| [node(3, stage, percent)].into_iter();
    assert_eq!(board.update(1600, again(Stage::Receiving, 41)).len(), 1, "it is back");
    assert_eq!(board.update(1700, again(Stage::Receiving, 49)), [], "less than a tenth of the image");
    assert_eq!(board.update(1800, again(Stage::Receiving, 50)).len(), 1);
    assert_eq!(board.ready(), 3);
}

#[test]
fn nodes_with_the_same_trouble_are_one_group() {
    let (board, _) = sample();
    let groups = groups(&board);
    let seen: Vec<_> = groups.iter().map(|g| (g.count, g.least_percent, g.nodes.to_string())).collect();
    assert_eq!(seen, [(2, 40, "n3 n9".to_owned()), (3, 100, "n0-n2".to_owned())]);
    let table = table(&groups);
    assert!(table.contains("failed at `receiving`: it made no progress for …"), "{table}");
    assert_eq!(table.lines().count(), 3);
}

#[test]
fn each_node_has_a_log_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("logs"), SystemTime::UNIX_EPOCH).unwrap();
    sample().1.iter().for_each(|change| journal.write(change).unwrap());
    journal.write(&sample().1[0]).unwrap();
    let log = |node: &str| std::fs::read_to_string(dir.path().join(format!("logs/{node}.log"))).unwrap();
    assert_eq!(log("n0"), "1970-01-01T00:00:01.500Z ready\n".repeat(2));
    assert!(log("n3").starts_with("1970-01-01T00:00:01.500Z failed at `receiving (40 %)`: it made no progress"));
}

#[test]
fn those_who_are_refused_are_named_once_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), SystemTime::UNIX_EPOCH).unwrap();
    let (mut board, mut strangers) = (Board::default(), Strangers::default());
    assert_eq!(board.refused(), None);
    let mut told = Vec::new();
    for (at_ms, node) in [(10, 5), (20, 5), (30, -1)] {
        strangers.add(UniqueId(0xa0), NodeNumber(node), Distrust::NoSecret);
        told.extend(board.update_strangers(at_ms, &strangers).to_vec());
    }
    let named: Vec<(u64, &str)> = told.iter().map(|refusal| (refusal.at_ms, refusal.refused.as_str())).collect();
    assert_eq!(named, [(10, "n5"), (30, "card 0x00000000000000a0")]);
    let line = board.refused().unwrap();
    assert_eq!(
        line,
        "refused: 3 joins of 2 that are no members; the newest is card 0x00000000000000a0: it has no cluster secret"
    );
    told.iter().for_each(|refusal| journal.write_refusal(refusal).unwrap());
    let log = std::fs::read_to_string(dir.path().join("refused.log")).unwrap();
    assert!(log.starts_with("1970-01-01T00:00:00.010Z n5: it has no cluster secret\n"), "{log}");
}

#[test]
fn prometheus_reads_the_numbers_from_a_server_or_a_file() {
    let (board, _) = sample();
    let text = text(&board, &Progress { frames_sent: 7, ..Progress::default() });
    for line in [
        "twowire_boot_nodes{state=\"ready\"} 3",
        "twowire_boot_nodes{state=\"failed\"} 2",
        "twowire_boot_frames_sent 7",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("boot.prom");
    let exporter = Exporter::start(&file.to_str().unwrap().parse().unwrap()).unwrap();
    exporter.update(text.clone()).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), text);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exporter = Exporter::start(&free.to_string().parse().unwrap()).unwrap();
    exporter.update(text.clone()).unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(free).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/metrics").ends_with(&text));
    assert!(get("/").starts_with("HTTP/1.0 404"));
    let taken = MetricsTarget::Http(free);
    assert!(Exporter::start(&taken).is_err_and(|e| e.to_string().contains("give another port")));
}
