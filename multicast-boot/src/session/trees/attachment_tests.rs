//! One attachment, from both sides.

use super::super::positions::Positions;
use super::super::timing::Timing;
use super::feed::Feed;
use super::forwarder::{Forwarder, Source};
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Path;
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Header;
use twowire_fabric::wire::boot::{Attach, Receipt, Span, put_span};

const SESSION: u32 = 5;
const CHILD: NodeNumber = NodeNumber(3);
const INTERVAL: Duration = Duration::from_micros(32);

/// Has something at every position.
struct Everything;

impl Source for Everything {
    fn bytes(&self, _tree: usize, _position: u32) -> Option<Bytes> {
        Some(Bytes::from_static(b"chunk"))
    }
}

fn us(us: u64) -> Time {
    Time::from_nanos(us * 1000)
}

fn path() -> Path {
    "88".parse::<Route>().expect("a route").into()
}

fn attach(parent: &mut Forwarder, now: Time, edge: u16) {
    let attach = Attach { session: SESSION, from: CHILD, edge, tree: 0, alternate: 0, late: false };
    parent.attach(now, &attach, &[], &Positions::none(1000), path(), &Timing::default());
}

/// A parent with one child that asked for this attachment, for which there are so many frames.
fn parent(edge: u16, frames: u32) -> Forwarder {
    let mut parent = Forwarder::new(SESSION, INTERVAL, 1);
    attach(&mut parent, us(0), edge);
    (0..frames).for_each(|position| parent.announce(0, position));
    parent
}

/// When the parent sends frames, asked in every microsecond, and their sequence numbers.
fn sent(parent: &mut Forwarder, from_us: u64, to_us: u64) -> Vec<(u64, u32)> {
    let mut sent = Vec::new();
    for at in from_us..to_us {
        while let Some(transmit) = parent.poll_transmit(us(at), &Everything, &Timing::default()) {
            if let Header::Block(block) = transmit.packet.header {
                sent.push((at, block.sequence));
            }
        }
    }
    sent
}

#[test]
fn repeats_go_at_even_intervals_too() {
    let mut parent = parent(9, 20);
    let before = sent(&mut parent, 0, 320);
    assert_eq!(before.len(), 10);
    let mut lost = Vec::new();
    put_span(&mut lost, Span { start: 0, end: 4 });
    let receipt = Receipt { session: SESSION, from: CHILD, edge: 9, serial: 1, settled: 0, next: 8, complete: false };
    parent.on_receipt(us(320), &receipt, &lost);
    let after = sent(&mut parent, 320, 320 + 14 * 32);
    assert_eq!((after.len(), parent.repeats_sent), (14, 4));
    assert!(after.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 32), "{after:?}");
}

#[test]
fn a_request_that_comes_twice_does_not_start_the_attachment_over() {
    let mut parent = parent(9, 20);
    assert_eq!(sent(&mut parent, 0, 320).len(), 10);
    attach(&mut parent, us(320), 9);
    assert_eq!(sent(&mut parent, 320, 350)[0].1, 10);
    attach(&mut parent, us(350), 10);
    assert_eq!(sent(&mut parent, 350, 500)[0].1, 0, "under another name it starts over");
}

/// A child that has had frames 0 and 2 and lacks so many positions.
fn child(missing: u32) -> Feed {
    let (timing, mut feed) = (Timing::default(), Feed::new(NodeNumber(0), 0, false, 9));
    feed.attach_sent(us(0), path());
    feed.on_data(us(10), 0, 0, &timing);
    feed.receipt(us(10));
    feed.set_missing(us(10), missing, &timing);
    feed.on_data(us(20), 2, 1, &timing);
    feed
}

fn says_by(feed: &mut Feed, at: Time) -> bool {
    assert!(!feed.on_timeout(at, &Timing::default()), "the parent is not silent");
    feed.receipt_due
}

#[test]
fn losses_are_put_together_until_little_is_missing() {
    let mut feed = child(5000);
    assert!(!says_by(&mut feed, us(500)));
    assert!(says_by(&mut feed, us(1020)));
    assert!(says_by(&mut child(50), us(120)));
    let mut feed = child(5000);
    feed.set_missing(us(500), 50, &Timing::default());
    assert!(says_by(&mut feed, us(600)), "what was lost before is said soon, too");
}
