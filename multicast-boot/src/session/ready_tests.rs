use super::*;
use crate::session::testing::{Ground, image, key, star};
use crate::session::{BootClient, BootNode, BootRoot, Credentials, NodeConfig, NodeState, RootConfig, SharedStores};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::routes::RouteTable;

fn ticket() -> Ticket {
    let paths = vec![Path::Hops("88f887".parse().unwrap()), Path::Hops("89".parse().unwrap())];
    Ticket { session: 0xdead_beef, node: NodeNumber(17), incarnation: 0x1f, serial: 0x400, paths }
}

fn instruct(answers: u32, report_now: bool) -> Packet {
    let (ticket, hand_over) = (ticket(), false);
    let Ticket { session, node, incarnation, .. } = ticket;
    Packet::new(Instruct { session, to: node, incarnation, answers, report_now, hand_over })
}

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

#[test]
fn a_ticket_is_a_word_of_a_command_line() {
    assert_eq!(ticket().to_string(), "deadbeef/n17/1f/400/88f887,89");
    let card = Ticket { paths: vec![Path::Card(UniqueId(0x0200_0000_0001))], ..ticket() };
    assert_eq!(card.to_string(), "deadbeef/n17/1f/400/0x0000020000000001");
    for ticket in [ticket(), card] {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
}

#[test]
fn a_ticket_names_a_few_paths_that_a_text_can_hold() {
    use twowire_fabric::protocol::Group;
    let hops = Path::Hops("88".parse().unwrap());
    let new = |paths: &[Path]| Ticket::new(1, NodeNumber(0), 2, 3, paths);
    assert_eq!(new(&[Path::Group(Group(1))]), None);
    assert_eq!(new(&[Path::Group(Group(1)), hops]).unwrap().paths, [hops]);
    assert_eq!(new(&[hops; 9]).unwrap().paths.len(), MAX_PATHS);
}

#[test]
fn what_is_no_ticket_is_refused_with_the_reason() {
    let refused = |text: &str, reason: &str| {
        let error = text.parse::<Ticket>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    };
    refused("", "expected SESSION/NODE");
    refused("1/n0/2/3/88/5", "expected SESSION/NODE");
    refused("1g/n0/2/3/88", "`1g`");
    refused("123456789/n0/2/3/88", "32 bits");
    refused("1/17/2/3/88", "`17` is not a node's name");
    refused("1/n0/2/3/", "hexadecimal");
    refused("1/n0/2/3/08", "top bit");
    refused("1/n0/2/3/0xz", "unique id");
    refused("1/n0/2/3/88,88,88,88,88", "at most 4 paths, got 5");
}

#[test]
fn it_is_said_along_each_path_ever_more_slowly_until_the_front_end_has_heard() {
    let mut report = ReadyReport::new(ticket(), Timing::default());
    let mut sent = Vec::new();
    let mut now = Time::ZERO;
    for _ in 0..8 {
        report.handle_timeout(now);
        let transmit = report.poll_transmit(now).unwrap();
        let Header::Report(frame) = transmit.packet.header else { panic!("{transmit:?}") };
        assert!(frame.wants_answer && frame.stage == Stage::Ready);
        assert_eq!(report.poll_transmit(now), None);
        sent.push((now.as_nanos() / 1_000_000, frame.serial, transmit.path));
        now = report.poll_timeout().unwrap();
    }
    let [a, b] = ticket().paths[..] else { unreachable!() };
    assert_eq!(sent[..4], [(0, 0x400, a), (3, 0x401, b), (9, 0x402, a), (21, 0x403, b)]);
    assert_eq!(sent[7].0 - sent[6].0, 3 << MOST_DOUBLINGS);

    // Answers to phase 1, to what was never sent and to others do not count.
    let Header::Instruct(to_us) = instruct(0x407, false).header else { unreachable!() };
    let to_other = Packet::new(Instruct { session: 1, ..to_us });
    for other in [instruct(0x3ff, false), instruct(0x408, false), to_other] {
        report.handle_packet(now, &other);
        assert!(!report.is_heard());
    }
    report.handle_packet(now, &instruct(0x407, false));
    assert!(report.is_heard());
    assert_eq!(report.poll_timeout(), None);
    report.handle_timeout(now + Duration::from_secs(9));
    assert_eq!(report.poll_transmit(now), None);

    // Asked, it answers, and wants no answer.
    report.handle_packet(now, &instruct(0x407, true));
    let Header::Report(frame) = report.poll_transmit(now).unwrap().packet.header else { panic!() };
    assert!(!frame.wants_answer && frame.serial == 0x408);
}

/// A front end with one node, and nothing between them.
struct Pair {
    root: BootRoot,
    node: Box<dyn Protocol>,
    now: Time,
}

impl Pair {
    /// What each has to say reaches the other, for so long.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_micros(50);
            self.root.handle_timeout(self.now);
            self.node.handle_timeout(self.now);
            while let Some(transmit) = self.root.poll_transmit(self.now) {
                self.node.handle_packet(self.now, &transmit.packet);
            }
            while let Some(transmit) = self.node.poll_transmit(self.now) {
                self.root.handle_packet(self.now, &transmit.packet);
            }
        }
    }
}

/// A node that takes part until its kernel is another one.
struct Shared(std::rc::Rc<std::cell::RefCell<BootNode>>);

impl Protocol for Shared {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.0.borrow_mut().handle_packet(now, packet);
    }
    fn handle_timeout(&mut self, now: Time) {
        self.0.borrow_mut().handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.0.borrow_mut().poll_transmit(now)
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.0.borrow().poll_timeout()
    }
}

/// A front end and a node that has the image and starts its kernel; what it leaves to that.
fn handed_over(config: RootConfig) -> (Pair, Ticket) {
    let ground = Ground::new(star(1));
    let plan = ground.plan.clone();
    let mut root = BootRoot::new(config, image(50_000), plan.clone(), &ground.nodes(), 5);
    root.start(ms(0));
    let config = NodeConfig { hand_over: None, ..NodeConfig::default() };
    let credentials = Credentials { card: UniqueId(101), key: key().public(), secret: None };
    let node = BootNode::with_stores(config, credentials, Arc::new(SharedStores::default()), 6);
    let node = std::rc::Rc::new(std::cell::RefCell::new(node));
    let mut routes = RouteTable::new(plan.epoch, NodeNumber(0));
    for to in [NodeNumber::FRONT_END, NodeNumber(0)] {
        routes.push(plan.routes.routes(NodeNumber(0), to));
    }
    node.borrow_mut().set_routes(routes);
    assert_eq!(node.borrow().ticket(), None);
    let mut pair = Pair { root, node: Box::new(Shared(node.clone())), now: ms(0) };
    pair.run(Duration::from_millis(100));
    assert_eq!(node.borrow().state(), NodeState::HandingOver);
    let ticket = node.borrow().ticket().unwrap();
    (pair, ticket)
}

#[test]
fn the_front_end_counts_a_node_as_ready_when_its_phase_2_says_so() {
    let (mut pair, ticket) = handed_over(RootConfig::default());
    // The kernel starts: nobody answers for a while, and the front end waits.
    pair.node = Box::new(ReadyReport::new(ticket, Timing::default()));
    assert_eq!(pair.root.progress().failed, 0);
    assert!(!pair.root.is_done());
    pair.run(Duration::from_millis(5));
    assert_eq!((pair.root.outcome().ready, pair.root.progress().failed), (1, 0));
    assert!(pair.root.is_done());
    assert_eq!(pair.node.poll_timeout(), None, "it has been heard");
}

#[test]
fn nobody_is_waited_for_once_the_last_node_that_was_given_up_is_ready_after_all() {
    let timing = Timing {
        hand_over_timeout: Duration::from_millis(20),
        rejoin_wait: Duration::from_secs(3600),
        ..Timing::default()
    };
    let (mut pair, ticket) = handed_over(RootConfig { timing, ..RootConfig::default() });
    pair.node = Box::new(Silent);
    pair.run(Duration::from_millis(100));
    assert_eq!(pair.root.progress().failed, 1);
    assert!(!pair.root.is_done(), "it may come back");
    pair.node = Box::new(ReadyReport::new(ticket, Timing::default()));
    pair.run(Duration::from_millis(5));
    assert_eq!((pair.root.outcome().ready, pair.root.progress().failed), (1, 0));
    assert!(pair.root.is_done());
}

/// A node whose kernel takes its time.
struct Silent;

impl Protocol for Silent {
    fn handle_packet(&mut self, _: Time, _: &Packet) {}
    fn handle_timeout(&mut self, _: Time) {}
    fn poll_transmit(&mut self, _: Time) -> Option<Transmit> {
        None
    }
    fn poll_timeout(&self) -> Option<Time> {
        None
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r"[0-9a-fnx/,\-é]{0,40}") {
        let _ = text.parse::<Ticket>();
    }
}
