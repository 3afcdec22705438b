//! Paths that carry frames longer than all paths do, and such that only seem to.

use super::link::{Net, id};
use super::{ms, pattern, transfer};
use crate::endpoint::{EndpointConfig, Event};

const LONG: usize = 32 << 10;

fn net(longest: usize) -> Net {
    let config = EndpointConfig { long_payload: LONG, ..EndpointConfig::default() };
    let mut net = Net::new(2, 1, 7, config);
    net.planes[0].longest = longest;
    net.connect(0, 1);
    net.run(ms(100));
    net
}

/// Data frames that a message took.
fn frames(net: &mut Net, len: usize) -> u64 {
    let count = |net: &mut Net| net.with(0, |e| e.stats(id(1))).map_or(0, |stats| stats.data_frames);
    let before = count(net);
    transfer(net, &pattern(len, 1), ms(500));
    count(net) - before
}

#[test]
fn a_path_that_carries_long_frames_gets_them() {
    let mut net = net(usize::MAX);
    assert_eq!(net.with(0, |e| e.payload(id(1))), LONG);
    assert_eq!(frames(&mut net, 1 << 20), 32);
}

#[test]
fn a_path_that_does_not_gets_the_usual_ones() {
    let mut net = net(LONG - 1);
    assert_eq!(net.with(0, |e| e.payload(id(1))), 4096);
    assert_eq!(frames(&mut net, 1 << 20), 256);
    net.run(ms(10));
    let before = net.frames;
    net.run(ms(1000));
    assert_eq!(net.frames, before, "it is not asked for ever");
}

/// Frames that are lost now and then say nothing about their length.
#[test]
fn a_path_that_loses_frames_keeps_the_long_ones() {
    let mut net = net(usize::MAX);
    net.planes[0].loss = 0.1;
    for salt in 0..20 {
        transfer(&mut net, &pattern(1 << 20, salt), ms(2000));
    }
    assert_eq!(net.with(0, |e| e.payload(id(1))), LONG);
    assert!(!net.events(0).into_iter().any(|event| matches!(event, Event::Disconnected { .. })));
}

/// The way changes under a connection: the connection begins again, so that what was cut into long frames is cut anew.
#[test]
fn a_path_that_no_longer_carries_long_frames_is_used_without() {
    let mut net = net(usize::MAX);
    transfer(&mut net, &pattern(1 << 20, 1), ms(500));
    net.events(0);
    net.planes[0].longest = 4096;
    let now = net.now;
    net.with(0, |e| e.send(now, id(1), pattern(1 << 20, 2))).expect("there is room");
    net.run(ms(200));
    let lost = |event: &Event| matches!(event, Event::Disconnected { .. });
    assert!(net.events(0).iter().any(lost), "the sender is told that the message may be lost");
    assert_eq!(net.with(0, |e| e.payload(id(1))), 4096);
    assert_eq!(frames(&mut net, 1 << 20), 256);
}
