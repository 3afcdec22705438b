//! A simulated fabric with a server, and the truth beside it.

use super::super::{ServeConfig, Server, What};
use crate::engine::{Request, TopologyKind};
use crate::repair::Routing;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Port, Protocol, Transmit, drive};
use twowire_fabric::route::Route;
use twowire_fabric::routed_host::RoutedHost;
use twowire_fabric::sim::{Fault, FaultSpec, Host, Sim, SimConfig, SimPort};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use twowire_fabric::wire::{Family, Packet};

/// A host of which it is counted how many frames of the endpoint have come, and that can be deaf to them.
pub(super) struct Counted {
    host: RoutedHost,
    frames: u64,
    is_deaf: bool,
}

impl Host for Counted {
    fn power_on(&mut self, now: Time, id: UniqueId) {
        self.host.power_on(now, id);
    }
}

impl Protocol for Counted {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        let is_endpoints = packet.header.kind().family() == Family::Endpoint;
        self.frames += u64::from(is_endpoints);
        if !(is_endpoints && self.is_deaf) {
            self.host.handle_packet(now, packet);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.host.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.host.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.host.poll_timeout()
    }
}

pub(super) struct Rig {
    port: SimPort<Counted>,
    pub server: Server,
    /// The fabric as it is; cables that are cut are not in it.
    pub truth: Topology,
    whole: Topology,
    /// Crossbars that are dead.
    dead: BTreeSet<CrossbarId>,
    cut: BTreeSet<PortId>,
}

/// Nothing takes longer (fabric time).
const LIMIT: Duration = Duration::from_secs(20);

impl Rig {
    pub(super) fn new(topology: Topology, routes_per_pair: u8, seed: u64) -> Rig {
        Rig::mapped(topology.clone(), topology, routes_per_pair, seed)
    }

    /// As if one host, the last, had not been there when the fabric was mapped.
    pub(super) fn without(topology: Topology, host: HostId, seed: u64) -> Rig {
        let map = twowire_fabric::topology::transform::without(&topology, &BTreeSet::from([NodeId::Host(host)]));
        let mut rig = Rig::mapped(topology, map, 1, seed);
        rig.cut(PortId::new(host, 0));
        rig
    }

    /// As if the fabric had been another one when it was mapped; what is only in one of the two comes behind what is in both.
    pub(super) fn mapped(topology: Topology, map: Topology, routes_per_pair: u8, seed: u64) -> Rig {
        let id = |host: HostId| topology.host(host).id;
        let make = |host: HostId| Counted {
            host: RoutedHost::new(id(host), seed ^ u64::from(host.0) << 20),
            frames: 0,
            is_deaf: false,
        };
        let port = SimPort::new(Sim::new(&topology, SimConfig::default(), seed, make), HostId(0));
        let request = Request { routes_per_pair: routes_per_pair.try_into().unwrap(), epoch: 1 };
        let routing = Routing::new(map, TopologyKind::Any, request).unwrap();
        let config = ServeConfig { interval: Duration::from_millis(5), ..ServeConfig::default() };
        let server = Server::new(config, port.now(), routing, HostId(0), port.unique_id(), seed);
        Rig { port, server, truth: topology.clone(), whole: topology, dead: BTreeSet::new(), cut: BTreeSet::new() }
    }

    /// Runs until something has happened; returns all that has until then.
    #[track_caller]
    pub(super) fn run_until(&mut self, mut is_it: impl FnMut(&What) -> bool) -> Vec<What> {
        let deadline = self.port.now() + LIMIT;
        let mut seen = Vec::new();
        let stopped = drive(&mut self.port, &mut self.server, deadline, |server| {
            while let Some(event) = server.poll_event() {
                seen.push(event.what);
                if is_it(seen.last().unwrap()) {
                    return true;
                }
            }
            false
        });
        assert!(stopped.unwrap(), "{seen:?}");
        seen
    }

    /// Runs until a sweep that begins from now on has ended, and nothing is left to be done.
    #[track_caller]
    pub(super) fn settle(&mut self) -> Vec<What> {
        let deadline = self.port.now() + LIMIT;
        let mut seen = Vec::new();
        let enough = self.server.sweeps() + 2;
        let stopped = drive(&mut self.port, &mut self.server, deadline, |server| {
            seen.extend(std::iter::from_fn(|| server.poll_event()).map(|event| event.what));
            server.sweeps() >= enough && server.is_settled()
        });
        assert!(stopped.unwrap(), "{seen:?}");
        seen
    }

    fn inject(&mut self, fault: Fault) {
        let now = self.port.now();
        self.port.sim_mut().inject(now, fault);
        self.truth = self.whole.clone();
        for &port in &self.cut {
            self.truth.disconnect(port);
        }
        for &x in &self.dead {
            for port in 0..self.truth.crossbar(x).ports {
                self.truth.disconnect(PortId::new(x, port));
            }
        }
    }

    pub(super) fn inject_now(&mut self, fault: &str) {
        let (_, fault) = fault.parse::<FaultSpec>().unwrap().resolve(&self.whole).unwrap();
        self.inject(fault);
    }

    pub(super) fn cut(&mut self, port: PortId) {
        self.cut.insert(port);
        self.inject(Fault::Cut(port));
    }

    pub(super) fn mend(&mut self, port: PortId) {
        self.cut.remove(&port);
        self.inject(Fault::Mend(port));
    }

    pub(super) fn kill(&mut self, x: CrossbarId) {
        self.dead.insert(x);
        self.inject(Fault::Kill(x));
    }

    pub(super) fn revive(&mut self, x: CrossbarId) {
        self.dead.remove(&x);
        self.inject(Fault::Revive(x));
    }

    pub(super) fn swap(&mut self, host: HostId) {
        self.inject(Fault::Swap(host));
    }

    pub(super) fn restart(&mut self, host: HostId) {
        self.inject(Fault::Restart(host));
    }

    /// Something happens; not to the front end's own leaf.
    pub(super) fn happen(&mut self, rng: &mut fastrand::Rng) {
        let own = self.whole.peer(PortId::new(HostId(0), 0)).unwrap().node;
        match rng.u8(..8) {
            0 | 1 if !self.cut.is_empty() => {
                let port = *self.cut.iter().nth(rng.usize(..self.cut.len())).unwrap();
                self.mend(port);
            }
            2 | 3 if !self.dead.is_empty() => {
                let x = *self.dead.first().unwrap();
                self.revive(x);
            }
            4 => {
                let x = CrossbarId(rng.u32(..self.whole.crossbars().len() as u32));
                if NodeId::Crossbar(x) != own {
                    self.kill(x);
                }
            }
            5 => self.swap(HostId(rng.u32(1..self.whole.hosts().len() as u32))),
            _ => {
                let cable = self.whole.cables()[rng.usize(..self.whole.cables().len())].a;
                if cable.node != NodeId::Host(HostId(0)) && !self.cut.contains(&cable) {
                    self.cut(cable);
                }
            }
        }
    }

    pub(super) fn set_deaf(&mut self, host: HostId, is_deaf: bool) {
        self.port.sim_mut().host_mut(host).is_deaf = is_deaf;
    }

    pub(super) fn start_counting(&mut self) {
        for host in self.whole.host_ids() {
            self.port.sim_mut().host_mut(host).frames = 0;
        }
    }

    pub(super) fn were_sent_anything(&self) -> BTreeSet<HostId> {
        self.whole.host_ids().filter(|&host| self.port.sim().host(host).frames > 0).collect()
    }

    /// What each node holds: for each, the routes to each number.
    pub(super) fn tables(&self) -> BTreeMap<HostId, Vec<Vec<Route>>> {
        let hosts = self.whole.host_ids().skip(1);
        hosts.map(|host| (host, self.whole.host_ids().map(|to| self.routes(host, to)).collect())).collect()
    }

    pub(super) fn epochs(&self) -> Vec<u32> {
        self.port.sim().hosts().iter().map(|host| host.host.agent().table().epoch()).collect()
    }

    pub(super) fn number(&self, host: HostId) -> Option<NodeNumber> {
        self.port.sim().host(host).host.agent().number()
    }

    /// What a node holds to another by the number that this has; the front end's are the proved ones.
    fn routes(&self, from: HostId, to: HostId) -> Vec<Route> {
        let number = if to == HostId(0) { Some(NodeNumber::FRONT_END) } else { self.number(to) };
        let Some(number) = number else { return Vec::new() };
        if from != HostId(0) {
            return self.port.sim().host(from).host.agent().table().routes_to(number).collect();
        }
        let standing = self.server.routing().standing();
        match standing.topology().find(&number.to_string()) {
            Some(NodeId::Host(to)) => standing.routes().routes(from, to).collect(),
            _ => Vec::new(),
        }
    }

    /// Where a route ends, and the ports by which it leaves crossbars.
    fn walk(&self, from: HostId, route: &Route) -> (Option<NodeId>, Vec<PortId>) {
        let mut at = self.truth.peer(PortId::new(from, 0));
        let mut crossed = Vec::new();
        for hop in route.hops() {
            let Some(PortId { node, port }) = at else { return (None, crossed) };
            let out = PortId { node, port: hop.out_of(port) };
            crossed.push(out);
            at = self.truth.peer(out);
        }
        (at.map(|end| end.node), crossed)
    }

    /// The ports by which a node's routes leave crossbars.
    pub(super) fn crossed(&self, from: HostId) -> BTreeSet<PortId> {
        let all = self.whole.host_ids().flat_map(|to| self.routes(from, to));
        all.flat_map(|route| self.walk(from, &route).1).collect()
    }

    #[track_caller]
    pub(super) fn check(&self) {
        self.check_but(&[]);
    }

    /// Every pair of nodes that are connected with the front end has routes, and all arrive.
    #[track_caller]
    pub(super) fn check_but(&self, but: &[HostId]) {
        let mut reached = BTreeSet::from([NodeId::Host(HostId(0))]);
        let mut stack = vec![NodeId::Host(HostId(0))];
        while let Some(node) = stack.pop() {
            stack.extend(self.truth.peers(node).iter().flatten().map(|end| end.node).filter(|&n| reached.insert(n)));
        }
        let live = |h: &HostId| reached.contains(&NodeId::Host(*h)) && !but.contains(h);
        let hosts: Vec<HostId> = self.whole.host_ids().filter(live).collect();
        for &from in &hosts {
            for &to in hosts.iter().filter(|&&to| to != from) {
                let routes = self.routes(from, to);
                let ends: Vec<_> = routes.iter().map(|route| self.walk(from, route).0).collect();
                let arrive = !ends.is_empty() && ends.iter().all(|&end| end == Some(NodeId::Host(to)));
                assert!(arrive, "{from:?} to {to:?}: {routes:?}, which end at {ends:?}");
            }
        }
    }
}
