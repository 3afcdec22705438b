//! Frames that nobody should send, to every machine of a group: none makes it panic, and none makes a node hold what was
//! not signed.

mod frames;

use super::{Geometry, Receiver, Sender, SenderConfig};
use crate::image::PackedImage;
use crate::session::testing::{image, key};
use crate::session::{
    BootClient, BootNode, BootRoot, ChunkStores, Credentials, GroupConfig, NODES, NodeConfig, NodeState, SharedStores,
    Timing,
};
use bytes::Bytes;
use frames::{frame, of_session};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Group, Path, Protocol};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Call, Offering, Symbol};
use twowire_fabric::wire::{Header, Packet};

const CARD: UniqueId = UniqueId(5);
const PORT: usize = 1430;

/// The call of a front end whose image has a short manifest.
pub(super) fn offered_call(session: u32) -> Call {
    let (challenge, offering) = (None, Offering::Normal);
    Call {
        session,
        root: UniqueId(9),
        report_ms: 100,
        symbol: 1426,
        group: NODES,
        challenge,
        offering,
        part: 0,
        parts: 1,
    }
}

/// Hands a frame to a machine, and lets it do what is due.
fn feed(machine: &mut impl Protocol, now: Time, packet: &Packet) {
    machine.handle_packet(now, packet);
    machine.handle_timeout(now);
    for _ in 0..50 {
        if machine.poll_transmit(now).is_none() {
            break;
        }
    }
}

/// A node that has accepted the call of a session.
fn node(image: &PackedImage, session: u32) -> BootNode {
    let config = NodeConfig { timing: Timing::real(), ..NodeConfig::default() };
    let credentials = Credentials { card: CARD, key: key().public(), secret: None };
    let mut node = BootNode::for_group(config, credentials, Arc::new(SharedStores::default()), PORT, 1);
    let manifest: Bytes = image.signed_manifest().as_bytes().clone();
    node.handle_packet(Time::ZERO, &Packet::with_payload(offered_call(session), manifest));
    let Some(Header::Enlist(enlist)) = node.poll_transmit(Time::ZERO).map(|t| t.packet.header) else {
        panic!("the node answers a call")
    };
    let (incarnation, number) = (enlist.incarnation, NodeNumber(1));
    node.handle_packet(Time::ZERO, &Packet::new(Admit { session, card: CARD, incarnation, cookie: 0, number }));
    assert_eq!(node.state(), NodeState::Joined);
    node
}

/// The source symbols of a block that holds these bytes.
fn symbols(session: u32, geometry: &Geometry, block: u32, bytes: &Bytes) -> Vec<Packet> {
    let symbol = |index| {
        let symbol = Symbol { session, sequence: u32::from(index), block, index, to_one: true };
        Packet::with_payload(symbol, bytes.slice(geometry.symbol(bytes.len(), index)))
    };
    (0..geometry.symbols(block)).map(symbol).collect()
}

/// A node and a receiver of its own.
struct Victims {
    node: BootNode,
    receiver: Receiver,
}

impl Victims {
    fn take(&mut self, now: Time, packet: &Packet) {
        feed(&mut self.node, now, packet);
        match &packet.header {
            Header::Symbol(symbol) => self.receiver.on_symbol(symbol, &packet.payload),
            Header::Poll(poll) => self.receiver.on_poll(poll),
            _ => {}
        }
        let _ = self.receiver.poll_status(PORT);
    }

    /// Hands them what the first page is not, with all that it takes to find that out.
    fn take_forged_page(&mut self, now: Time, image: &PackedImage, session: u32) {
        let geometry = *self.receiver.geometry();
        for block in geometry.blocks_of_page(0) {
            let forged: Bytes = image.payload()[geometry.place(block)].iter().map(|byte| !byte).collect();
            symbols(session, &geometry, block, &forged).iter().for_each(|packet| self.take(now, packet));
        }
        let list = image.tree().page(0).expect("every image has a page");
        // Some of what was sent as this list before is wrong, and is forgotten once the list is full.
        for _ in 0..3 {
            let list = symbols(session, &geometry, geometry.page_block(0), &list);
            list.iter().for_each(|packet| self.take(now, packet));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 0, ..ProptestConfig::default() })]
    #[test]
    fn no_frame_makes_a_machine_panic_or_hold_what_is_not_signed(
        frames in prop::collection::vec(frame(), 1..300),
        len in 1usize..700_000,
    ) {
        let image = image(len);
        let mut root = BootRoot::for_group(GroupConfig::new(UniqueId(9), PORT), image.clone(), 1).expect("room");
        root.start(Time::ZERO);
        root.handle_timeout(Time::ZERO);
        let Some(Header::Call(call)) = root.poll_transmit(Time::ZERO).map(|t| t.packet.header) else {
            panic!("a root calls first")
        };
        let geometry = Geometry::for_port(image.tree().shape(), PORT).expect("large enough");
        let mut sender = Sender::new(SenderConfig::default(), call.session, NODES, image.clone(), geometry);
        sender.add_receiver(1, Path::Group(Group(1)));
        let store = SharedStores::default().open(image.manifest()).expect("memory");
        let receiver = Receiver::new(call.session, NodeNumber(1), image.manifest().clone(), geometry, store, None);
        let mut victims = Victims { node: node(&image, call.session), receiver };
        let top = image.tree().top(0).expect("every image has a top list");
        let top = symbols(call.session, &geometry, geometry.top_block(0), &top);
        top.iter().for_each(|packet| victims.take(Time::ZERO, packet));
        let mut now = Time::ZERO;
        for frame in frames {
            now += Duration::from_micros(700);
            let packet = of_session(frame, call.session);
            feed(&mut root, now, &packet);
            victims.take(now, &packet);
            if let Header::Status(status) = &packet.header {
                sender.on_status(now, 1, status, &packet.payload);
            }
            sender.on_timeout(now);
            (0..50).for_each(|_| drop(sender.poll_transmit(now)));
        }
        let before = [victims.node.counters().rejected, victims.receiver.counters().rejected];
        victims.take_forged_page(now, &image, call.session);
        let Victims { node, receiver } = victims;
        prop_assert!(node.image().is_none() && !receiver.is_complete() && receiver.percent() == 0);
        let forged: u64 = geometry.blocks_of_page(0).map(|block| u64::from(geometry.symbols(block))).sum();
        let rejected = [node.counters().rejected - before[0], receiver.counters().rejected - before[1]];
        prop_assert!(rejected.iter().all(|&rejected| rejected >= forged), "{rejected:?} of {forged}");
    }
}
