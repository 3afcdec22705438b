//! Headers, and connections that are lost.

use super::*;
use crate::launch::seats;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use twowire_fabric::topology::Topology;
use twowire_fabric::xbar::{Server, ServerConfig};

/// Two hosts on a crossbar.
const CABLES: &str = "topo 1\ncrossbar x 4\nhost a 0xa1\nhost b 0xb2\ncable a x:0\ncable b x:1\n";
const SEATS: &str = "rank 0 a 0xa1\nrank 1 b 0xb2\nroute 0 1 81\nroute 1 0 ff\n";
/// Messages in each direction.
const MESSAGES: u64 = 600;

/// One side of a test: sends messages of many lengths, and checks what comes.
struct Side {
    remote: Remote,
    other: u32,
    sent: u64,
    came: u64,
    /// It loses the connection after so many messages that came.
    cuts: Vec<u64>,
}

impl Side {
    fn step(&mut self) {
        for _ in 0..3 {
            let number = self.sent;
            if number == MESSAGES {
                break;
            }
            let header = RemoteHeader { kind: 1, tag: 7, context: number, numbers: ([0; NUMBERS], 0) };
            let len = (number * 97 % 9000) as usize;
            if !self.remote.send(self.other, header, len, |bytes| bytes.fill(number as u8)).expect("a message is taken")
            {
                break;
            }
            self.sent += 1;
        }
        while let Some(came) = self.remote.poll().expect("the fabric works") {
            assert_eq!((came.process, came.header.context), (self.other, self.came), "once, and in order");
            assert_eq!(came.payload, vec![self.came as u8; (self.came * 97 % 9000) as usize]);
            self.came += 1;
            if self.cuts.contains(&self.came) {
                self.cut();
            }
        }
    }

    /// The connection is gone, as if the endpoint had lost it.
    fn cut(&mut self) {
        let card = self.remote.peers[self.other as usize].card;
        self.remote.endpoint.disconnect(card);
        self.remote.send_again(card).expect("there is room for what was sent before");
    }

    fn is_done(&self) -> bool {
        self.sent == MESSAGES && self.came == MESSAGES && self.remote.is_settled()
    }
}

/// Lets two processes sit on crossbars while a test runs.
fn on_crossbars(test: impl FnOnce([Remote; 2])) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("x");
    let mut server =
        Server::bind(&socket, Topology::parse(CABLES).expect("cables"), ServerConfig::default()).expect("crossbars");
    let over = Arc::new(AtomicBool::new(false));
    let stop = over.clone();
    let serving = thread::spawn(move || server.run(|| stop.load(Ordering::Relaxed)));
    test([0, 1].map(|rank| {
        let text = format!("seats 1 xbar:{}\n{SEATS}", socket.display());
        Remote::open(&seats::parse(&text, rank, 2).expect("a seat"), rank).expect("a port")
    }));
    over.store(true, Ordering::Relaxed);
    serving.join().expect("the crossbars end").expect("they worked");
}

/// A connection that is lost while messages are under way both ways: all arrive, once, and in order.
#[test]
fn what_a_lost_connection_had_under_way_arrives_once() {
    on_crossbars(|[a, b]| {
        let side = |remote, other, cuts: &[u64]| Side { remote, other, sent: 0, came: 0, cuts: cuts.to_vec() };
        let mut sides = [side(a, 1, &[50, 51, 300]), side(b, 0, &[120, 301, 599])];
        while !sides.iter().all(Side::is_done) {
            for side in &mut sides {
                side.step();
                side.remote.wait(Duration::from_micros(50)).expect("the fabric works");
            }
        }
    });
}

/// Who has taken leave is told nothing more, and not waited for, whatever was on its way to it.
#[test]
fn who_has_left_is_told_nothing() {
    on_crossbars(|[mut stays, mut leaves]| {
        let header = RemoteHeader { kind: 1, tag: 7, context: 0, numbers: ([0; NUMBERS], 0) };
        assert!(leaves.send(0, header, 5, |bytes| bytes.fill(1)).expect("it is taken"));
        leaves.say_bye().expect("the fabric works");
        let mut came = 0;
        while !stays.peers[1].gone || !leaves.is_settled() {
            came += u32::from(stays.poll().expect("the fabric works").is_some());
            leaves.poll().expect("the fabric works");
        }
        assert_eq!(came, 1);
        assert!(stays.send(1, header, 5, |bytes| bytes.fill(1)).expect("it is dropped"));
        stays.leave().expect("the fabric works");
        assert!(stays.is_settled() && stays.peers[1].next.0 == 0, "nothing was sent");
    });
}

proptest! {
    #[test]
    fn a_header_is_read_as_it_was_written(kind: u8, tag: i32, context: u64, all: [u64; NUMBERS], sequence: u16, count in 0..=NUMBERS, len in 0..100usize) {
        let mut numbers = [0; NUMBERS];
        numbers[..count].copy_from_slice(&all[..count]);
        let header = RemoteHeader { kind, tag, context, numbers: (numbers, count) };
        let mut bytes = header.to_bytes(sequence).to_vec();
        let start = bytes.len();
        bytes.resize(start + len, 7);
        prop_assert_eq!(RemoteHeader::parse(&bytes), Some((header, sequence, start)));
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Some((_, _, len)) = RemoteHeader::parse(&bytes) {
            prop_assert!(len <= bytes.len());
        }
    }
}
