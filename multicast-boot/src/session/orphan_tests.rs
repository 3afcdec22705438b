//! A root whose nodes are played by the test: who gets another parent.

use super::testing::{image, plan, star};
use super::{BootEvent, BootRoot, RootConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Protocol;
use twowire_fabric::time::Time;
use twowire_fabric::topology::HostId;
use twowire_fabric::wire::boot::{Answer, Assign, Join, PROOF_LEN, Report, Stage, TREES};
use twowire_fabric::wire::{Header, Packet};

const NODES: usize = 6;

/// All nodes play along.
struct Play {
    root: BootRoot,
    session: u32,
    now: Time,
    /// What those that are offered the image are to send back.
    echoes: BTreeMap<NodeNumber, Option<[u8; PROOF_LEN]>>,
    assigned: BTreeMap<NodeNumber, Assign>,
    serial: u32,
}

impl Play {
    /// All have joined, and each is told who feeds it.
    fn new() -> Play {
        let plan = plan(&Arc::new(star(NODES)), HostId(0), 1);
        let nodes: Vec<NodeNumber> = (1..NODES).map(NodeNumber::from_index).collect();
        let mut root = BootRoot::new(RootConfig::default(), image(100_000), plan, &nodes, 1);
        root.start(Time::ZERO);
        let session = root.session();
        let (echoes, assigned) = (BTreeMap::new(), BTreeMap::new());
        let mut play = Play { root, session, now: Time::ZERO, echoes, assigned, serial: 0 };
        play.speaks();
        for from in nodes {
            let (answer, proof) = (Answer::Accepts, play.echoes[&from].expect("a front end without a secret"));
            play.hears(Join { session, from, incarnation: 1, epoch: 1, answer, key_id: 0, proof });
        }
        assert_eq!(play.assigned.len(), NODES - 1, "all are told");
        play
    }

    /// The root hears this a little later.
    fn hears(&mut self, header: impl Into<Header>) {
        self.now += Duration::from_micros(10);
        self.root.handle_packet(self.now, &Packet::new(header));
        self.speaks();
    }

    /// The root says what it has to say.
    fn speaks(&mut self) {
        self.root.handle_timeout(self.now);
        while let Some(sent) = self.root.poll_transmit(self.now) {
            match sent.packet.header {
                Header::Assign(assign) => {
                    self.assigned.insert(assign.to, assign);
                }
                Header::Offer(offer) => {
                    self.echoes.insert(offer.to, offer.challenge.and_then(|asked| asked.echo()));
                }
                _ => {}
            }
        }
    }

    fn reports(&mut self, from: NodeNumber, orphaned: [bool; TREES]) {
        self.serial += 1;
        let (session, serial, revision) = (self.session, self.serial, self.assigned[&from].revision);
        let (incarnation, stage, percent) = (1, Stage::Receiving, 1);
        let (wants_answer, repaired, rejected) = (false, 0, 0);
        self.hears(Report {
            session,
            from,
            incarnation,
            serial,
            revision,
            stage,
            percent,
            orphaned,
            wants_answer,
            repaired,
            rejected,
        });
    }

    /// Some node that another one feeds in the first tree, and that one.
    fn edge(&self) -> (NodeNumber, NodeNumber) {
        let parent = |assign: &Assign| Some(assign.parents[0]?.0).filter(|&parent| parent != NodeNumber::FRONT_END);
        self.assigned.values().find_map(|assign| Some((assign.to, parent(assign)?))).expect("trees are deep")
    }

    fn adopted(&mut self) -> Vec<NodeNumber> {
        let event = std::iter::from_fn(|| self.root.poll_event());
        event
            .filter_map(|event| if let BootEvent::Adopted { child, .. } = event { Some(child) } else { None })
            .collect()
    }
}

#[test]
fn a_node_that_cannot_hear_a_living_parent_gets_another_one() {
    let mut play = Play::new();
    let (child, parent) = play.edge();
    play.reports(child, [true, false]);
    assert_eq!(play.adopted(), [], "the parent is asked first");
    play.reports(parent, [false; TREES]);
    assert_eq!(play.adopted(), [child]);
    assert_ne!(play.assigned[&child].parents[0].map(|(parent, _)| parent), Some(parent));
}

#[test]
fn one_that_hears_its_parent_again_keeps_it() {
    let mut play = Play::new();
    let (child, parent) = play.edge();
    play.reports(child, [true, false]);
    play.reports(child, [false; TREES]);
    play.reports(parent, [false; TREES]);
    assert_eq!(play.adopted(), []);
    assert_eq!(play.edge(), (child, parent));
}
