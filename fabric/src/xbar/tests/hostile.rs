//! Hosts that break every rule of the protocol between the processes.

use super::super::message::Message;
use super::super::ring::{self, mapping_len};
use super::super::sys::SharedMemory;
use super::*;
use crate::topology::generate::Clos;
use proptest::prelude::*;
use rustix::net::RecvFlags;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

fn small() -> Running {
    let clos = Clos { hosts: 16, radix: 8, levels: 2, oversubscription: 1.0 };
    Running::new(clos.build().unwrap(), ServerConfig::default())
}

/// Attaches by hand: the socket, the rings' memory and their size.
fn attach_by_hand(running: &Running, host: u32) -> Option<(OwnedFd, SharedMemory, usize)> {
    let socket = socket::connect_to(&running.path()).unwrap();
    let name = running.topology.host(HostId(host)).name.clone();
    let ask = Message::Attach { attachment: Attachment::Rings, ring_bytes: 0, name };
    socket::send(&socket, &ask, None).unwrap();
    match socket::receive(&socket, RecvFlags::empty()).unwrap() {
        (Message::Attached { ring_bytes, .. }, Some(fd)) => {
            let capacity = ring_bytes as usize;
            let memory = SharedMemory::map(&fd, mapping_len(capacity)).unwrap();
            Some((socket, memory, capacity))
        }
        // The one before it has not been noticed to have ended.
        (Message::Refused(_), None) => None,
        other => panic!("{other:?}"),
    }
}

/// Something that a hostile host writes into its rings' memory.
#[derive(Clone, Debug)]
enum Vandalism {
    Number { offset: usize, value: u64 },
    Bytes { at: prop::sample::Index, bytes: Vec<u8> },
    Doorbell,
}

fn any_vandalism() -> impl Strategy<Value = Vandalism> {
    let position = prop_oneof![0u64..40_000, any::<u64>(), (0u64..5_000).prop_map(|n| n * 8)];
    let number = (prop::sample::select(vec![0, 128, 256, 384, 512, 640, 768, 896]), position)
        .prop_map(|(offset, value)| Vandalism::Number { offset, value });
    let bytes = (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..64))
        .prop_map(|(at, bytes)| Vandalism::Bytes { at, bytes });
    prop_oneof![4 => number, 2 => bytes, 1 => Just(Vandalism::Doorbell)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Whatever a host writes into its rings, the server lives, and two others exchange frames.
    #[test]
    fn no_host_can_harm_the_others(acts in prop::collection::vec(any_vandalism(), 1..40)) {
        let running = small();
        let t = running.topology.clone();
        let (mut a, mut b) = (attach(&running, 0), attach(&running, 15));
        let there = route(&t, HostId(0), HostId(15));
        let to_vandal = route(&t, HostId(0), HostId(7));
        let mut vandal = attach_by_hand(&running, 7);
        for (nonce, act) in acts.into_iter().enumerate() {
            if vandal.is_none() {
                vandal = attach_by_hand(&running, 7);
            }
            if let Some((socket, memory, capacity)) = &vandal {
                match act {
                    Vandalism::Number { offset, value } => memory.number(offset).store(value, Ordering::SeqCst),
                    Vandalism::Bytes { at, bytes } => {
                        let at = ring::HEADER + at.index(2 * capacity - bytes.len());
                        memory.write(at, &bytes);
                    }
                    Vandalism::Doorbell => {
                        let _ = socket::ring(socket);
                    }
                }
                if matches!(socket::receive(socket, RecvFlags::DONTWAIT), Ok((Message::Refused(_), _))) {
                    vandal = None;
                }
            }
            send(&mut a, to_vandal, packet(0, 100));
            send(&mut a, there, packet(nonce as u32 + 1, 100));
            expect(&mut b, nonce as u32 + 1);
        }
    }

    /// Messages of any bytes are answered, or end the connection, and harm nobody.
    #[test]
    fn no_message_can_harm_the_server(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..64), 1..20)) {
        let running = small();
        let socket = socket::connect_to(&running.path()).unwrap();
        for mut bytes in messages {
            if let (true, Some(version)) = (bytes[0] % 2 == 0, bytes.get_mut(1)) {
                *version = 1;
            }
            if rustix::net::send(&socket, &bytes, rustix::net::SendFlags::NOSIGNAL | rustix::net::SendFlags::DONTWAIT).is_err() {
                break;
            }
        }
        let hosts = running.control().hosts().unwrap();
        prop_assert_eq!(hosts.len(), 16);
    }
}

fn attach(running: &Running, host: u32) -> XbarPort {
    running.attach(&running.topology.host(HostId(host)).name, Attachment::Rings)
}

/// A host whose ring cannot be is told so.
#[test]
fn a_vandal_is_cut_off_with_the_reason() {
    let running = small();
    let (socket, memory, _) = attach_by_hand(&running, 3).unwrap();
    memory.number(0).store(1 << 40, Ordering::SeqCst);
    socket::ring(&socket).unwrap();
    let (message, _) = socket::receive(&socket, RecvFlags::empty()).unwrap();
    let Message::Refused(reason) = message else { panic!("{message:?}") };
    assert!(reason.contains("cut off") && reason.contains(&(1u64 << 40).to_string()), "{reason}");
}
