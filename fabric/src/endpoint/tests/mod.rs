//! The endpoint over the small network of [`link`].

mod crowded;
mod faults;
mod figures;
mod hostile;
mod link;
mod model;
mod peers;
mod port;
mod rig;
mod soundings;

use super::*;
use bytes::Bytes;
use link::{Net, Plane, id};
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Bytes that follow from their length and a salt, so that any mix-up shows.
fn pattern(len: usize, salt: u64) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(salt ^ len as u64);
    let mut bytes = vec![0u8; len];
    rng.fill(&mut bytes);
    bytes.into()
}

fn messages(events: Vec<Event>) -> Vec<Bytes> {
    let message = |e| if let Event::Message { message, .. } = e { Some(message) } else { None };
    events.into_iter().filter_map(message).collect()
}

/// Sends one message and returns how long it took until it was there.
fn transfer(net: &mut Net, message: &Bytes, limit: Duration) -> Duration {
    let (start, until) = (net.now, net.now + limit);
    net.with(0, |e| e.send(start, id(1), message.clone())).unwrap();
    while net.step(until) {
        for event in net.events(1) {
            if let Event::Message { message: got, .. } = event {
                assert!(got == *message, "the message differs");
                return net.now - start;
            }
        }
        net.events(0);
    }
    panic!("not delivered in {limit:?}: {:?}", net.with(0, |e| e.stats(id(1))));
}

#[test]
fn a_message_arrives_and_is_reported() {
    let mut net = Net::new(2, 1, 1, EndpointConfig::default());
    net.connect(0, 1);
    let sent = net.with(0, |e| e.send(crate::time::Time::ZERO, id(1), Bytes::from_static(b"hello"))).unwrap();
    net.run(ms(1));
    let hello = Event::Message { peer: id(0), message: Bytes::from_static(b"hello") };
    assert_eq!(net.events(1), [Event::Connected { peer: id(0) }, hello]);
    assert_eq!(net.events(0), [Event::Connected { peer: id(1) }, Event::Delivered { peer: id(1), id: sent }]);
}

#[test]
fn a_restarted_peer_is_an_event_and_gets_no_old_message() {
    let mut net = Net::new(2, 1, 2, EndpointConfig::default());
    net.connect(0, 1);
    net.run(ms(1));
    net.power_off(1);
    let now = net.now;
    net.with(0, |e| e.send(now, id(1), Bytes::from_static(b"old"))).unwrap();
    net.run(ms(5));
    net.power_on(1);
    net.run(ms(50));
    assert_eq!(
        net.events(0),
        [Event::Connected { peer: id(1) }, Event::PeerRestarted { peer: id(1) }, Event::Connected { peer: id(1) }]
    );
    let now = net.now;
    net.with(0, |e| e.send(now, id(1), Bytes::from_static(b"new"))).unwrap();
    net.run(ms(1));
    assert_eq!(messages(net.events(1)), [Bytes::from_static(b"new")]);
}

/// The side that did not ask for the connection learns of a restart too, and drops what it had for the old incarnation.
#[test]
fn a_restarted_opener_is_an_event() {
    let mut net = Net::new(2, 1, 2, EndpointConfig::default());
    net.connect(0, 1);
    net.run(ms(1));
    assert_eq!(net.events(1), [Event::Connected { peer: id(0) }]);
    net.power_on(0);
    let now = net.now;
    net.with(1, |e| e.send(now, id(0), Bytes::from_static(b"old"))).unwrap();
    net.run(ms(5));
    net.connect(0, 1);
    net.run(ms(5));
    assert_eq!(net.events(1), [Event::PeerRestarted { peer: id(0) }, Event::Connected { peer: id(0) }]);
    assert_eq!(messages(net.events(0)), [] as [Bytes; 0]);

    net.power_off(0);
    net.power_on(0);
    net.with(1, |e| e.send(now, id(0), Bytes::from_static(b"never"))).unwrap();
    net.run(ms(2100));
    assert_eq!(net.events(1), [Event::Disconnected { peer: id(0) }], "it did not come back");
}

/// An open of a predecessor that arrives late does not displace the living opener's.
#[test]
fn a_late_open_costs_nothing() {
    let mut net = Net::new(2, 1, 2, EndpointConfig::default());
    // It arrives between the other one's accept and the frame that confirms it.
    net.planes[0] = Plane { delay: us(3), jitter: Duration::from_nanos(1), ..Plane::default() };
    net.connect(0, 1);
    net.run(us(1));
    net.power_on(0);
    net.planes[0].delay = us(1);
    net.connect(0, 1);
    net.run(ms(3));
    assert_eq!(net.events(0), [Event::Connected { peer: id(1) }]);
    assert_eq!(net.events(1), [Event::Connected { peer: id(0) }]);
}

#[test]
fn a_window_that_opens_again_is_used_at_once() {
    let mut net = Net::new(2, 1, 2, EndpointConfig { window: 4, ..EndpointConfig::default() });
    net.connect(0, 1);
    net.run(ms(1));
    let now = net.now;
    for i in 0..8u8 {
        net.with(0, |e| e.send(now, id(1), vec![i].into())).unwrap();
    }
    net.run(ms(1_000));
    assert_eq!(messages(net.events(1)).len(), 4, "as many as the window has");
    net.run(us(50));
    assert_eq!(messages(net.events(1)).len(), 4, "the others follow without a ping's wait");
}

#[test]
fn keepalive_finds_a_peer_that_is_gone() {
    let config = EndpointConfig { keepalive: Some(ms(50)), peer_timeout: ms(20), ..EndpointConfig::default() };
    let mut net = Net::new(2, 1, 2, config);
    net.connect(0, 1);
    net.run(ms(200));
    assert_eq!(net.events(0), [Event::Connected { peer: id(1) }]);
    net.power_off(1);
    net.run(ms(100));
    assert!(matches!(net.events(0)[..], [Event::PeerUnreachable { .. }]));
}

/// Who was stopped for longer than anybody waits for a peer does not blame the peer; who is gone is still found.
#[test]
fn who_was_away_itself_waits_again() {
    let mut net = Net::new(2, 1, 2, EndpointConfig::default());
    net.connect(0, 1);
    net.run(ms(1));
    net.events(0);
    let now = net.now;
    let id_of_message = net.with(0, |e| e.send(now, id(1), Bytes::from_static(b"sent before"))).unwrap();
    net.now += ms(3_000);
    net.run(ms(50));
    assert_eq!(net.events(0), [Event::Delivered { peer: id(1), id: id_of_message }]);

    net.power_off(1);
    let now = net.now;
    net.with(0, |e| e.send(now, id(1), Bytes::from_static(b"lost"))).unwrap();
    net.now += ms(3_000);
    net.run(ms(1_900));
    assert_eq!(net.events(0), []);
    net.now += ms(3_000);
    net.run(ms(50));
    assert!(matches!(net.events(0)[..], [Event::PeerUnreachable { .. }]), "it is excused once");
}

#[test]
fn a_peer_that_is_disconnected_is_told() {
    let mut net = Net::new(2, 1, 2, EndpointConfig::default());
    net.connect(0, 1);
    net.run(ms(1));
    net.with(0, |e| e.disconnect(id(1)));
    net.run(ms(1));
    assert_eq!(net.events(1), [Event::Connected { peer: id(0) }, Event::Disconnected { peer: id(0) }]);
    assert!(net.with(1, |e| e.peers().next().is_none()) && net.with(0, |e| e.peers().next().is_none()));
}

#[test]
fn a_peer_that_is_gone_is_unreachable_and_says_why() {
    let mut net = Net::new(2, 2, 3, EndpointConfig::default());
    net.power_off(1);
    net.connect(0, 1);
    net.run(ms(2100));
    let reason = UnreachableReason::NoAnswer(Duration::from_secs(2));
    assert_eq!(net.events(0), [Event::PeerUnreachable { peer: id(1), reason }]);

    net.power_on(1);
    net.connect(0, 1);
    net.run(ms(10));
    net.power_off(1);
    let now = net.now;
    net.with(0, |e| e.send(now, id(1), Bytes::from_static(b"lost"))).unwrap();
    net.run(ms(2100));
    let events = net.events(0);
    assert!(
        matches!(
            events[..],
            [Event::Connected { .. }, Event::PeerUnreachable { reason: UnreachableReason::Silent(_), .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn a_cut_path_fails_over_and_comes_back() {
    let mut net = Net::new(2, 2, 4, EndpointConfig::default());
    net.connect(0, 1);
    net.run(ms(1));
    net.events(0);
    let first = net.routes(0, 1)[0];
    net.planes[0].cut = true;
    let took = transfer(&mut net, &pattern(10_000, 1), ms(10));
    assert!(took < ms(2), "{took:?}");
    net.run(ms(1));
    let events = net.events(0);
    net.planes[0].cut = false;
    net.run(ms(500));
    assert_eq!(net.events(0), [Event::PathUp { peer: id(1), path: first }], "after {events:?}");
}

/// Of a link's rate, with 4,096 bytes of message in frames of 4,135 bytes, 0.9906 could be reached without loss.
#[test]
fn goodput_is_the_link_rate_less_headers_and_losses() {
    for (planes, loss) in [(1, 0.0), (1, 0.01), (1, 0.05), (1, 0.1), (4, 0.0), (4, 0.01), (4, 0.05)] {
        let mut net = Net::new(2, planes, 7, EndpointConfig::default());
        for (i, plane) in net.planes.iter_mut().enumerate() {
            *plane = Plane { loss, delay: us(2 + 3 * i as u64), ..Plane::default() };
        }
        net.connect(0, 1);
        net.run(ms(5));
        let len = 8 << 20;
        let time = transfer(&mut net, &pattern(len, 3), Duration::from_secs(20));
        let share = len as f64 * 4.0 / time.as_nanos() as f64;
        let stats = net.with(0, |e| e.stats(id(1))).unwrap();
        assert!(share > 0.99 * (1.0 - loss) - 0.015, "{planes} planes, loss {loss}: {share:.4}, {stats:?}");
    }
}
