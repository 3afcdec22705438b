//! Cables that are cut, hosts that end or do not read, and what is counted.

use super::*;
use crate::conformance::LIMIT;
use crate::raw::{self, BROADCAST};
use crate::topology::PortId;
use crate::topology::generate::{Clos, pink};
use crate::wire::frame;
use std::time::Duration;

fn small() -> Running {
    Running::new(small_clos(), ServerConfig::default())
}

fn small_clos() -> Topology {
    Clos { hosts: 16, radix: 8, levels: 2, oversubscription: 1.0 }.build().unwrap()
}

fn name(running: &Running, host: u32) -> String {
    running.topology.host(HostId(host)).name.clone()
}

fn attach(running: &Running, host: u32) -> XbarPort {
    running.attach(&name(running, host), Attachment::Rings)
}

/// Waits until something has come true; the server acts in its own time.
fn until(what: &str, mut holds: impl FnMut() -> bool, port: &mut XbarPort) {
    let deadline = port.now() + LIMIT;
    while !holds() {
        assert!(port.now() < deadline, "{what} did not happen in {LIMIT:?}");
        std::thread::yield_now();
    }
}

#[test]
fn cables_and_crossbars_break_and_are_mended() {
    let running = small();
    let mut control = running.control();
    let (mut a, mut b) = (attach(&running, 0), attach(&running, 15));
    let way = route(&running.topology, HostId(0), HostId(15));
    let cable = running.topology.port_name(running.topology.peer(PortId::new(HostId(15), 0)).unwrap()).to_string();
    let crossbar = cable.split_once(':').unwrap().0.to_owned();
    let broken = [
        (format!("cut:{cable}"), format!("mend:{}", name(&running, 15))),
        (format!("kill:{crossbar}"), format!("revive:{crossbar}")),
    ];
    for (i, (harm, repair)) in broken.iter().enumerate() {
        let nonce = i as u32 * 10;
        send(&mut a, way, packet(nonce, 100));
        expect(&mut b, nonce);
        let before = running.drops(DropCause::DeadLink);
        control.strike(harm).unwrap();
        send(&mut a, way, packet(nonce + 1, 100));
        until("the drop", || running.drops(DropCause::DeadLink) == before + 1, &mut a);
        control.strike(repair).unwrap();
        send(&mut a, way, packet(nonce + 2, 100));
        expect(&mut b, nonce + 2);
    }
}

#[test]
fn a_command_that_makes_no_sense_is_refused_with_the_reason() {
    let running = small();
    let mut control = running.control();
    let host = name(&running, 3);
    for (command, reason) in [
        ("cut:x9.9:1".to_owned(), "x9.9"),
        ("loss:0.5".to_owned(), "cut and mend"),
        (format!("cut:{host}@5ms"), "leave the time out"),
        ("nonsense".to_owned(), "nonsense"),
    ] {
        let error = control.strike(&command).unwrap_err().to_string();
        assert!(error.contains(reason), "{command}: {error}");
    }
    control.strike(&format!("cut:{host}")).unwrap();
}

#[test]
fn every_port_on_the_way_counts() {
    let running = Running::new(pink(), ServerConfig::default());
    let (mut a, mut b) = (attach(&running, 0), attach(&running, 1000));
    let way = route(&running.topology, HostId(0), HostId(1000));
    send(&mut a, way, packet(1, 1000));
    expect(&mut b, 1);
    let counted = running.control().counters().unwrap();
    let bytes: u64 = counted.iter().map(|line| line.counters.bytes).sum();
    assert_eq!(counted.iter().map(|line| line.counters.frames).sum::<u64>(), 6);
    assert_eq!(bytes, 6 * (12 + 1000 + 4) + 5 + 4 + 3 + 2 + 1);
    let first = counted.iter().find(|line| line.port == a.host_name()).unwrap();
    assert_eq!((first.counters.frames, first.counters.bytes), (1, 12 + 1000 + 4 + 5));
}

#[test]
fn a_host_is_attached_once_and_can_come_back() {
    let running = small();
    let mut other = attach(&running, 1);
    let first = attach(&running, 0);
    let named = name(&running, 0);
    let error = running.try_attach(&named, Attachment::Datagrams).unwrap_err().to_string();
    assert!(error.contains(&named) && error.contains(&std::process::id().to_string()), "{error}");
    let error = running.try_attach("nobody", Attachment::Rings).unwrap_err().to_string();
    assert!(error.contains("nobody"), "{error}");
    drop(first);
    let control = || running.control().hosts().unwrap();
    until("the end", || control()[0].attached.is_none(), &mut other);
    let mut again = attach(&running, 0);
    assert_eq!(control()[0].attached, Some((Attachment::Rings, std::process::id() as i32)));
    send(&mut other, route(&running.topology, HostId(1), HostId(0)), packet(5, 10));
    expect(&mut again, 5);
}

/// What a host has handed in before it ends is on its way.
#[test]
fn the_last_words_of_a_host_arrive() {
    let running = small();
    let mut b = attach(&running, 9);
    for round in 0..20 {
        let mut a = attach(&running, 0);
        for nonce in 0..10 {
            send(&mut a, route(&running.topology, HostId(0), HostId(9)), packet(round * 100 + nonce, 64));
        }
        drop(a);
        expect(&mut b, round * 100 + 9);
        until("the end", || running.control().hosts().unwrap()[0].attached.is_none(), &mut b);
    }
}

/// One host floods another that never reads. A third and a fourth exchange as many frames as they like meanwhile, and
/// so does the one that floods, once the first of its frames has been given up.
#[test]
fn who_never_reads_costs_the_others_nothing() {
    for deaf_kind in [Attachment::Rings, Attachment::Datagrams, Attachment::Card] {
        let running = small();
        let deaf = running.attach(&name(&running, 1), deaf_kind);
        let (mut flood, mut c, mut d) = (attach(&running, 0), attach(&running, 6), attach(&running, 12));
        let t = &running.topology;
        let (to_deaf, to_d) = (route(t, HostId(0), HostId(1)), route(t, HostId(6), HostId(12)));
        for nonce in 0..5_000 {
            send(&mut flood, to_deaf, packet(nonce, 4096));
            if nonce.is_multiple_of(10) {
                send(&mut c, to_d, packet(nonce, 64));
                expect(&mut d, nonce);
            }
        }
        send(&mut flood, route(t, HostId(0), HostId(12)), packet(7, 64));
        expect(&mut d, 7);
        assert!(running.drops(DropCause::QueueFull) > 4_000, "{}", running.drops(DropCause::QueueFull));
        drop(deaf);
    }
}

/// One host sends to another, whose queue is short, more than it reads, and to a third. What the third gets does not wait for what the
/// second takes: only for the share of the patience that the second earns by each frame that it takes, here a 128th of 250 ms.
#[test]
fn who_reads_slowly_does_not_set_the_pace_of_the_others() {
    let config = ServerConfig { patience: Duration::from_millis(250), ..ServerConfig::default() };
    let running = Running::new(small_clos(), config);
    let options = AttachOptions { host: Some(name(&running, 1)), ring_bytes: 32 << 10, ..AttachOptions::default() };
    let mut slow = XbarPort::attach(&running.path(), &options).unwrap();
    let (mut a, mut b) = (attach(&running, 0), attach(&running, 12));
    let [to_slow, to_b] = [1, 12].map(|to| route(&running.topology, HostId(0), HostId(to)));
    let end = a.now() + LIMIT;
    for nonce in 0..300 {
        (0..3).for_each(|_| send(&mut a, to_slow, packet(nonce, 4096)));
        send(&mut a, to_b, packet(nonce, 64));
        expect(&mut b, nonce);
        slow.recv().unwrap();
        assert!(a.now() < end, "after {LIMIT:?} only {nonce} frames have come");
    }
    let drops = running.drops(DropCause::QueueFull);
    assert!((500..=600).contains(&drops), "{drops}");
}

/// A frame to a host that nobody is goes nowhere, and is counted.
#[test]
fn nobody_gets_what_is_for_nobody() {
    let running = small();
    let mut a = attach(&running, 0);
    send(&mut a, route(&running.topology, HostId(0), HostId(5)), packet(1, 64));
    until("the drop", || running.drops(DropCause::NoHost) == 1, &mut a);
}

/// What an operating system sends of its own accord goes nowhere, and is counted; so is what is no frame.
#[test]
fn a_card_sends_nothing_but_frames() {
    let running = small();
    let mut a = attach(&running, 1);
    let plug = running.plug(0);
    let card = plug.frames();
    let arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x08, 0x06], &[0; 46]].concat();
    let cut = raw::seal(BROADCAST, raw::CROSSBARS, &[0x81; 20])[..30].to_vec();
    for (datagram, cause) in [(arp, DropCause::Foreign), (cut, DropCause::Malformed)] {
        rustix::net::send(card, &datagram, rustix::net::SendFlags::empty()).unwrap();
        until("the drop", || running.drops(cause) == 1, &mut a);
    }
    let way = route(&running.topology, HostId(0), HostId(1));
    let frame = raw::seal(BROADCAST, raw::CROSSBARS, &frame::encode(&way, &packet(3, 10)));
    rustix::net::send(card, &frame, rustix::net::SendFlags::empty()).unwrap();
    expect(&mut a, 3);
    drop(plug);
    until("the end", || running.control().hosts().unwrap()[0].attached.is_none(), &mut a);
}

/// A server that ends is noticed by its hosts, and leaves nothing at its path.
#[test]
fn the_end_of_the_server_is_noticed() {
    let running = small();
    let mut ports =
        [Attachment::Rings, Attachment::Datagrams].map(|kind| running.attach(&name(&running, kind as u32), kind));
    let path = running.stop();
    assert!(!path.exists());
    for port in &mut ports {
        let error = port.wait(port.now() + LIMIT).unwrap_err().to_string();
        assert!(error.contains("ended"), "{error}");
    }
    let error = XbarPort::attach(&path, &AttachOptions::default()).unwrap_err().to_string();
    assert!(error.contains("no xbar runs at") && error.contains("xbar serve"), "{error}");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let running = small();
    let again = || Server::bind(&running.path(), Topology::new(""), ServerConfig::default());
    assert!(matches!(again(), Err(ServeError::InUse(_))));
    let stale = running.path().with_file_name("stale");
    drop(socket::listen_at(&stale).unwrap());
    assert!(stale.exists(), "a socket outlives its process");
    drop(Server::bind(&stale, Topology::new(""), ServerConfig::default()).unwrap());
    assert!(!stale.exists());
    let file = running.path().with_file_name("file");
    std::fs::write(&file, "mine").unwrap();
    let error = Server::bind(&file, Topology::new(""), ServerConfig::default()).unwrap_err();
    assert!(matches!(error, ServeError::NotASocket(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

/// Who was told that there is no room is woken by it also when it has come back before the wait begins; and only once.
#[test]
fn room_that_comes_back_before_it_is_waited_for_ends_the_wait() {
    for attachment in [Attachment::Rings, Attachment::Datagrams] {
        let running = small();
        let mut port = running.attach(&name(&running, 0), attachment);
        let way = route(&running.topology, HostId(0), HostId(15));
        running.hold(true);
        let mut sent = 0;
        while port.can_send() {
            port.send(Transmit::new(way, packet(sent, 100))).unwrap();
            sent += 1;
        }
        port.flush().unwrap();
        running.hold(false);
        until("the way out", || running.drops(DropCause::NoHost) == u64::from(sent), &mut port);
        let deadline = port.now() + LIMIT;
        port.wait(deadline).unwrap();
        assert!(port.now() < deadline, "{attachment}: the room was not seen");
        let soon = port.now() + Duration::from_millis(5);
        port.wait(soon).unwrap();
        assert!(port.now() >= soon, "{attachment}: nothing has come");
    }
}
