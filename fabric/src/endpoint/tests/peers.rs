//! One endpoint and very many peers.

use super::link::{Net, id};
use super::{ms, pattern};
use crate::endpoint::{EndpointConfig, Event};

/// As a front end does: a message to each of 100 hosts at once. They are served in turn, frame by frame.
#[test]
fn peers_take_turns() {
    let hosts = 60;
    let mut net = Net::new(hosts + 1, 1, 5, EndpointConfig::default());
    for host in 1..=hosts {
        net.connect(0, host);
    }
    net.run(ms(2));
    let message = pattern(80_000, 9);
    let start = net.now;
    for host in 1..=hosts {
        net.with(0, |e| e.send(start, id(host), message.clone())).unwrap();
    }
    let mut arrived = vec![None; hosts + 1];
    while arrived[1..].iter().any(Option::is_none) {
        assert!(net.step(start + ms(200)), "not all have it: {arrived:?}");
        for (host, at) in arrived.iter_mut().enumerate().skip(1) {
            let message = net.events(host).into_iter().any(|e| matches!(e, Event::Message { .. }));
            if message {
                *at = Some(net.now - start);
            }
        }
    }
    let (first, last) = (arrived[1..].iter().flatten().min().unwrap(), arrived[1..].iter().flatten().max().unwrap());
    assert!(first.as_secs_f64() > 0.9 * last.as_secs_f64(), "first {first:?}, last {last:?}: not in turns");
    let frames = 20 * hosts as u64;
    let at_link_rate = frames * (80_000 / 20 + 43) * 4;
    assert!(last.as_nanos() < u128::from(at_link_rate) * 103 / 100, "{last:?}, {at_link_rate} ns at link rate");
}
