//! The front end's state machines side by side, from route loading to the last roll call.

pub mod roll_call;

use crate::phase1::announce::Announcement;
use crate::session::BootService;
use roll_call::{Answer, RollCall, RollCallConfig};
use std::collections::BTreeMap;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::map::distribute::{LoadTarget, RouteLoader, Stage, TableSource};
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::responder::Responder;
use twowire_fabric::time::Time;
use twowire_fabric::wire::probe::FIRST_SEARCH_SESSION;
use twowire_fabric::wire::{Family, Header, Packet};

/// The card of a node that has not answered.
pub const UNKNOWN_CARD: UniqueId = UniqueId(0);

/// How often nodes that are missing are looked for.
const WATCH_INTERVAL: Duration = Duration::from_millis(5);

/// Route loading, the boot transfer, and the watch for nodes that are missing.
///
/// A node that was absent, restarted, or got another card makes itself known (it has a record in its NVRAM), or is
/// found by the watch. Either way its routes are loaded, and with them it joins the transfer by itself.
pub struct FrontEnd<S> {
    /// Loads the routes.
    pub loader: RouteLoader<S>,
    /// Distributes the images, once the routes are loaded.
    pub boot: Option<BootService>,
    /// A roll call that is being held.
    pub roll_call: Option<RollCall>,
    /// Answers nodes that look for the front end.
    responder: Responder,
    routes: BTreeMap<NodeNumber, Vec<Path>>,
    cards: BTreeMap<NodeNumber, UniqueId>,
    watch: Option<RollCall>,
    next_watch: Time,
    rng: fastrand::Rng,
}

impl<S: TableSource> FrontEnd<S> {
    /// A front end with its routes to all nodes, and the cards that answered when the fabric was mapped.
    pub fn new(loader: RouteLoader<S>, targets: Vec<LoadTarget>, seed: u64) -> FrontEnd<S> {
        let (mut routes, mut cards) = (BTreeMap::new(), BTreeMap::new());
        for target in targets {
            routes.insert(target.node, target.paths);
            if target.id != UNKNOWN_CARD {
                cards.insert(target.node, target.id);
            }
        }
        FrontEnd {
            responder: Responder::front_end(loader.endpoint.unique_id()),
            loader,
            boot: None,
            roll_call: None,
            routes,
            cards,
            watch: None,
            next_watch: Time::MAX,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Starts to load the routes of all nodes whose card is known, and to watch for the others.
    pub fn load_routes(&mut self, now: Time) {
        let targets: Vec<LoadTarget> = self.cards.iter().map(|(&node, &id)| self.target(node, id)).collect();
        self.loader.distributor.load_all(now, targets, &mut self.loader.endpoint);
        self.next_watch = now + WATCH_INTERVAL;
    }

    /// Calls the roll of these nodes.
    pub fn call_the_roll(&mut self, nodes: impl IntoIterator<Item = NodeNumber>) {
        self.roll_call = Some(self.new_roll_call(RollCallConfig::default(), nodes));
    }

    /// The card that was last seen at a node's place.
    pub fn card(&self, node: NodeNumber) -> Option<UniqueId> {
        self.cards.get(&node).copied()
    }

    /// How far a node came that has not got its routes; `None` if it has.
    pub fn stage_before_boot(&self, node: NodeNumber) -> Option<String> {
        match self.loader.distributor.stage(node) {
            Some(Stage::Committed) => None,
            Some(_) => Some("load".to_owned()),
            None => Some("map".to_owned()),
        }
    }

    fn new_roll_call(&mut self, config: RollCallConfig, nodes: impl IntoIterator<Item = NodeNumber>) -> RollCall {
        let with_routes = |node| (node, self.routes.get(&node).cloned().unwrap_or_default());
        RollCall::new(config, self.rng.u32(1..FIRST_SEARCH_SESSION), nodes.into_iter().map(with_routes))
    }

    fn target(&self, node: NodeNumber, id: UniqueId) -> LoadTarget {
        LoadTarget { node, id, paths: self.routes.get(&node).cloned().unwrap_or_default() }
    }

    /// Nodes that were never found, were given up while their routes were loaded, or fell out of the transfer.
    fn missing(&self) -> Vec<NodeNumber> {
        let fallen =
            |boot: &BootService| boot.nodes().filter(|node| node.failure.is_some()).map(|node| node.number).collect();
        let fallen: Vec<NodeNumber> = self.boot.as_ref().map(fallen).unwrap_or_default();
        let unloaded = |node: &NodeNumber| {
            matches!(self.loader.distributor.stage(*node), None | Some(Stage::Failed)) || fallen.contains(node)
        };
        self.routes.keys().copied().filter(unloaded).collect()
    }

    /// A node is there: it gets its routes, unless it is the one that we know, with the routes that it should have.
    fn found(&mut self, now: Time, node: NodeNumber, answer: Answer) {
        let distributor = &self.loader.distributor;
        let under_way = !matches!(distributor.stage(node), None | Some(Stage::Failed | Stage::Committed));
        let same_card = self.cards.get(&node) == Some(&answer.id);
        let holds_routes = distributor.stage(node) == Some(Stage::Committed) && answer.epoch == distributor.epoch();
        if !self.routes.contains_key(&node) || same_card && (under_way || holds_routes) {
            return;
        }
        self.cards.insert(node, answer.id);
        let target = self.target(node, answer.id);
        self.loader.distributor.load_one(now, target, &mut self.loader.endpoint);
    }

    /// A record's epoch says nothing of the routes that a node holds now: it announces itself because it has none.
    fn announced(&mut self, now: Time, announcement: Announcement) {
        self.found(now, announcement.node, Answer { id: announcement.id, epoch: 0 });
    }

    fn keep_watch(&mut self, now: Time) {
        if let Some(watch) = self.watch.take_if(|watch| watch.is_done()) {
            let found: Vec<_> = watch.answers().filter_map(|(node, answer)| Some((node, answer?))).collect();
            found.into_iter().for_each(|(node, answer)| self.found(now, node, answer));
        }
        if self.watch.is_none() && self.next_watch <= now {
            self.next_watch = now + WATCH_INTERVAL;
            let missing = self.missing();
            if !missing.is_empty() {
                let config = RollCallConfig { tries: 2, ..RollCallConfig::default() };
                self.watch = Some(self.new_roll_call(config, missing));
            }
        }
    }

    fn roll_calls(&mut self) -> impl Iterator<Item = &mut RollCall> {
        self.roll_call.iter_mut().chain(&mut self.watch)
    }
}

impl<S: TableSource> Protocol for FrontEnd<S> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        if let Some(announcement) = Announcement::read(packet) {
            return self.announced(now, announcement);
        }
        match packet.header.kind().family() {
            Family::Discovery => {
                // One's own probes, should they come back, are not to be taken for a node's answers.
                if matches!(packet.header, Header::Probe(probe) if probe.session >= FIRST_SEARCH_SESSION) {
                    self.responder.handle_packet(now, packet);
                }
                self.roll_calls().for_each(|call| call.handle_packet(now, packet));
            }
            Family::Endpoint => self.loader.handle_packet(now, packet),
            Family::Boot => self.boot.iter_mut().for_each(|boot| boot.handle_packet(now, packet)),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.loader.poll_timeout()) {
            self.loader.handle_timeout(now);
        }
        if let Some(boot) = &mut self.boot
            && due(boot.poll_timeout())
        {
            boot.handle_timeout(now);
        }
        self.roll_calls().filter(|call| due(call.poll_timeout())).for_each(|call| call.handle_timeout(now));
        self.keep_watch(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        let probe = self.roll_calls().find_map(|call| call.poll_transmit(now));
        let probe = probe.or_else(|| self.responder.poll_transmit(now));
        probe.or_else(|| self.loader.poll_transmit(now)).or_else(|| self.boot.as_mut()?.poll_transmit(now))
    }

    fn poll_timeout(&self) -> Option<Time> {
        let calls = self.roll_call.iter().chain(&self.watch).filter_map(Protocol::poll_timeout);
        let machines = [self.loader.poll_timeout(), self.boot.as_ref().and_then(Protocol::poll_timeout)];
        let watch = self.watch.is_none().then_some(self.next_watch);
        calls.chain(machines.into_iter().flatten()).chain(watch).min()
    }
}
