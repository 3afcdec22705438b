//! The phases of a bring-up, in order, over any fabric.

use super::fabric::Fabric;
use super::outputs::Outputs;
use super::pace::Pace;
use super::plan::{self, Numbered};
use super::report::{NodeFailure, PhaseReport, Proof, UpReport, fabric_ms, group, wall_ms};
use super::times::BootTimes;
use super::{Cluster, Progress, UpError, UpOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twowire_fabric::endpoint::{EndpointConfig, ReliableEndpoint};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::FabricMap;
use twowire_fabric::map::RouteSet;
use twowire_fabric::map::distribute::{Distributor, LoadTarget, MapTables, RouteLoader, TableSource};
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::{Protocol, drive};
use twowire_fabric::time::Time;
use twowire_mapper::discovery::Discovery;
use twowire_mapper::engine::{self, Request};
use twowire_mapper::verify::{Verified, verify};
use twowire_multicast_boot::front_end::FrontEnd;
use twowire_multicast_boot::front_end::roll_call;
use twowire_multicast_boot::image::PackedImage;
use twowire_multicast_boot::membership::ClusterSecret;
use twowire_multicast_boot::session::{BootRoot, BootService, Gate, Plan, RootConfig, StageTimes};

/// The longest that discovery may take (fabric time).
const MAP_LIMIT: Duration = Duration::from_secs(60);

/// The routes of a map, proven.
pub type Routes = Arc<Verified<RouteSet>>;

/// What the nodes are offered, and who may take it.
pub struct Offered {
    /// The image.
    pub image: PackedImage,
    /// What a node has to know to take part.
    pub secret: Option<ClusterSecret>,
    /// What keeps sessions apart. On a simulated fabric nobody listens, and the same seed is to give the same run.
    pub nonce: u64,
}

/// Runs all phases. The map has the cards that were seen last, and its cabling is what was found.
pub fn run(
    options: &UpOptions,
    port: &mut dyn Fabric,
    pace: Pace,
    plan: &FabricMap,
    offered: &Offered,
    outputs: Outputs,
    progress: &Progress,
) -> Result<Cluster, UpError> {
    let report = UpReport {
        seed: options.seed,
        image: format!("{} {}", offered.image.manifest().name(), offered.image.manifest().version()),
        image_bytes: offered.image.manifest().payload_len(),
        image_blake3: offered.image.manifest().root().to_hex().to_string(),
        nodes_expected: plan.nodes().len() - 1,
        ..UpReport::default()
    };
    // Hosts of a fabric in real time may remember an earlier bring-up, and must not take this one for it.
    let rng = fastrand::Rng::with_seed(options.seed ^ offered.nonce);
    let mut bring_up = BringUp { options, port, pace, progress, report, rng, times: BTreeMap::new() };
    let Numbered { map, unplaced, .. } = bring_up.map(plan)?;
    let map = Arc::new(map);
    let routes = Arc::new(bring_up.prove_routes(&map)?);
    let mut front_end = bring_up.front_end(MapTables::new(&map, &routes));
    bring_up.load_routes(&mut front_end)?;
    let failures = bring_up.boot_all(&mut front_end, &map, &routes, offered)?;
    bring_up.conclude(failures, unplaced);
    let seen = with_cards(&map, &front_end);
    outputs.save(&seen, &routes)?;
    let times = BootTimes::new(bring_up.times, bring_up.port.now());
    Ok(Cluster { report: bring_up.report, wiring: seen.topology().clone(), map: seen, routes, times })
}

/// What all phases share.
struct BringUp<'a> {
    options: &'a UpOptions,
    port: &'a mut dyn Fabric,
    pace: Pace,
    progress: &'a Progress,
    report: UpReport,
    rng: fastrand::Rng,
    times: BTreeMap<NodeNumber, StageTimes>,
}

/// Where a phase began.
struct Stopwatch {
    name: &'static str,
    fabric: Time,
    wall: Instant,
    frames: u64,
}

impl BringUp<'_> {
    #[expect(clippy::disallowed_methods, reason = "the report shows how long phases took on the clock on the wall")]
    fn start(&self, name: &'static str, total: Option<u64>) -> Stopwatch {
        self.progress.start(name, total);
        Stopwatch { name, fabric: self.port.now(), wall: Instant::now(), frames: self.port.frames_sent() }
    }

    fn finish(&mut self, phase: &Stopwatch, what: &str) {
        let report = PhaseReport {
            name: phase.name,
            fabric_ms: fabric_ms(phase.fabric, self.port.now()),
            wall_ms: wall_ms(phase.wall.elapsed()),
            frames: self.port.frames_sent() - phase.frames,
        };
        self.progress.finish(&report, what);
        self.report.phases.push(report);
    }

    /// Runs a state machine until `done`, a deadline or Ctrl-C.
    fn drive<P: Protocol>(
        &mut self,
        machine: &mut P,
        deadline: Time,
        mut done: impl FnMut(&mut P, &Progress) -> bool,
    ) -> Result<bool, UpError> {
        let progress = self.progress;
        let finished = drive(self.port, machine, deadline, |machine| done(machine, progress) || interrupted())?;
        if interrupted() { Err(UpError::Interrupted) } else { Ok(finished) }
    }

    /// Finds the fabric, and numbers its nodes by the plan.
    fn map(&mut self, plan: &FabricMap) -> Result<Numbered, UpError> {
        let phase = self.start("map", None);
        let mut discovery = Discovery::new(self.pace.discovery.clone(), self.port.unique_id(), self.rng.u64(..));
        let deadline = self.port.now() + MAP_LIMIT;
        let finished = self.drive(&mut discovery, deadline, |discovery, progress| {
            progress.poll(|| {
                let so_far = discovery.progress();
                (so_far.cables as u64, format!("{} hosts, {} cables", so_far.hosts, so_far.cables))
            });
            discovery.is_done()
        })?;
        if !finished {
            return Err(UpError::Failed(format!("the fabric was not mapped within {MAP_LIMIT:?} of fabric time")));
        }
        let found = discovery.into_map().map_err(UpError::failed)?;
        let counts = (found.topology.hosts().len(), found.topology.crossbars().len(), found.topology.cables().len());
        (self.report.hosts, self.report.crossbars, self.report.cables) = counts;
        self.report.probes = found.statistics.probes;
        // Nodes take routes of a later epoch than those that they hold.
        self.report.epoch = found.epochs.iter().copied().max().unwrap_or(0) + 1;
        let numbered = plan::number(&found.topology, found.front_end, plan);
        let absent = numbered.absent.len() + numbered.unplaced.len();
        let note = if absent == 0 { String::new() } else { format!(", {} nodes absent", group(absent)) };
        let (hosts, crossbars, cables) = counts;
        self.finish(
            &phase,
            &format!("{} hosts, {} crossbars, {} cables{note}", group(hosts), group(crossbars), group(cables)),
        );
        Ok(numbered)
    }

    /// Computes the routes, and proves them.
    fn prove_routes(&mut self, map: &FabricMap) -> Result<Verified<RouteSet>, UpError> {
        let phase = self.start("routes", None);
        let routes_per_pair = NonZeroU8::new(self.options.routes_per_pair)
            .ok_or_else(|| UpError::Usage("--routes-per-pair is at least 1".to_owned()))?;
        let request = Request { routes_per_pair, epoch: self.report.epoch };
        let routes = engine::compute(map.topology(), self.options.topology, request).map_err(UpError::failed)?;
        let proven = verify(map.topology(), routes, None).map_err(UpError::failed)?;
        let proof = proven.report();
        self.report.pairs_routed = proof.pairs_routed;
        self.report.routes_per_pair = proof.routes_per_pair;
        self.report.engine.clone_from(&proof.engine);
        self.report.proof = Proof {
            deadlock_free: proof.deadlock_free,
            longer_than_minimal: proof.longer,
            load_max: proof.load_max,
            hops_max: proof.hops_max,
        };
        let (pairs, each, engine) = (group(proof.pairs_routed), proof.routes_per_pair, &proof.engine);
        let what = format!("{pairs} pairs, {each} each by {engine}; all arrive, no cycle");
        self.finish(&phase, &what);
        Ok(proven)
    }

    /// The state machines of the phases to come.
    fn front_end<'m>(&mut self, tables: MapTables<'m>) -> FrontEnd<MapTables<'m>> {
        let targets: Vec<LoadTarget> = tables.targets().collect();
        let endpoint = ReliableEndpoint::new(EndpointConfig::default(), self.port.unique_id(), self.rng.u64(..));
        let loader = RouteLoader::new(Distributor::new(self.pace.loading, self.report.epoch, tables), endpoint);
        FrontEnd::new(loader, targets, self.rng.u64(..))
    }

    /// Loads the routes into all nodes.
    fn load_routes<S: TableSource>(&mut self, front_end: &mut FrontEnd<S>) -> Result<(), UpError> {
        let nodes = self.report.hosts as u64 - 1;
        let phase = self.start("load", Some(nodes));
        front_end.load_routes(self.port.now());
        self.drive(front_end, Time::MAX, |front_end, progress| {
            let so_far = front_end.loader.distributor.progress();
            progress.poll(|| (so_far.loaded as u64, format!("{} nodes hold their routes", so_far.committed)));
            front_end.loader.distributor.is_done()
        })?;
        let so_far = front_end.loader.distributor.progress();
        let mean = so_far.table_bytes / (so_far.committed as u64).max(1);
        let what = format!("{} nodes hold their routes, {} bytes each", group(so_far.committed), group(mean));
        self.finish(&phase, &what);
        Ok(())
    }

    /// Boots all nodes, then calls the roll. A node that is lost after it was up gets one more chance with those like it.
    fn boot_all<S: TableSource>(
        &mut self,
        front_end: &mut FrontEnd<S>,
        map: &Arc<FabricMap>,
        routes: &Routes,
        offered: &Offered,
    ) -> Result<BTreeMap<NodeNumber, NodeFailure>, UpError> {
        let all: Vec<NodeNumber> = map.nodes().map(|(n, _)| n).filter(|&n| n != NodeNumber::FRONT_END).collect();
        let mut failures = self.boot(front_end, map, routes, offered, &all)?;
        if !self.pace.roll_call {
            return Ok(failures);
        }
        let mut up: BTreeSet<NodeNumber> = all.into_iter().filter(|n| !failures.contains_key(n)).collect();
        let lost = self.call_the_roll(front_end, &up)?;
        if !lost.is_empty() {
            failures.extend(self.boot(front_end, map, routes, offered, &lost)?);
            up.retain(|node| !failures.contains_key(node));
            let still = self.call_the_roll(front_end, &up)?;
            failures.extend(still.into_iter().map(|node| (node, lost_after_ready(node))));
        }
        Ok(failures)
    }

    /// Distributes the image to these nodes; returns those that have failed.
    fn boot<S: TableSource>(
        &mut self,
        front_end: &mut FrontEnd<S>,
        map: &Arc<FabricMap>,
        routes: &Routes,
        offered: &Offered,
        nodes: &[NodeNumber],
    ) -> Result<BTreeMap<NodeNumber, NodeFailure>, UpError> {
        let phase = self.start("boot", Some(nodes.len() as u64 * 100));
        let timing = self.pace.timing;
        let plan = Plan::new(map, Arc::clone(routes));
        let seed = self.rng.u64(..);
        let gate = offered.secret.clone().map(|secret| Gate { secret, nonce: seed });
        let root = BootRoot::new(RootConfig { timing, gate }, offered.image.clone(), plan, nodes, seed);
        let mut service = BootService::single(root, timing.join_timeout);
        service.start(self.port.now());
        front_end.boot = Some(service);
        self.drive(front_end, Time::MAX, |front_end, progress| {
            let boot = front_end.boot.as_mut().expect("set above");
            while boot.poll_event().is_some() {}
            progress.poll(|| {
                let percent: u64 = boot.nodes().map(|node| u64::from(node.reached.percent)).sum();
                (percent, format!("{} nodes up", boot.outcome().ready))
            });
            boot.is_done()
        })?;
        let boot = front_end.boot.take().expect("set above");
        self.times.extend(boot.nodes().map(|node| (node.number, node.times)));
        let outcome = boot.outcome();
        let what = format!("{} of {} nodes run the image", group(outcome.ready), group(nodes.len()));
        self.finish(&phase, &what);
        let failure = |f: &twowire_multicast_boot::session::NodeFailure| {
            let stage = front_end.stage_before_boot(f.node).unwrap_or_else(|| f.reached.to_string());
            (f.node, NodeFailure { node: f.node.to_string(), stage, error: f.reason.to_string() })
        };
        Ok(outcome.failed.iter().map(failure).collect())
    }

    /// Asks these nodes whether they are there; returns those that are not.
    fn call_the_roll<S: TableSource>(
        &mut self,
        front_end: &mut FrontEnd<S>,
        nodes: &BTreeSet<NodeNumber>,
    ) -> Result<Vec<NodeNumber>, UpError> {
        let phase = self.start("roll-call", None);
        front_end.call_the_roll(nodes.iter().copied());
        self.drive(front_end, Time::MAX, |front_end, _| {
            front_end.roll_call.as_ref().is_none_or(|call| call.is_done())
        })?;
        let call = front_end.roll_call.take().expect("set by call_the_roll");
        let epoch = self.report.epoch;
        let there = |answer: Option<roll_call::Answer>| answer.is_some_and(|answer| answer.epoch == epoch);
        let lost: Vec<NodeNumber> =
            call.answers().filter(|&(_, answer)| !there(answer)).map(|(node, _)| node).collect();
        self.finish(&phase, &format!("{} nodes answer", group(nodes.len() - lost.len())));
        Ok(lost)
    }

    /// Puts the failures into the report.
    fn conclude(&mut self, failures: BTreeMap<NodeNumber, NodeFailure>, unplaced: Vec<NodeNumber>) {
        let unplaced = unplaced.into_iter().map(|node| {
            let error = "the crossbar that it is plugged into was not found".to_owned();
            (node, NodeFailure { node: node.to_string(), stage: "map".to_owned(), error })
        });
        let all: BTreeMap<NodeNumber, NodeFailure> = failures.into_iter().chain(unplaced).collect();
        self.report.nodes_failed = all.into_values().collect();
        self.report.nodes_up = self.report.nodes_expected - self.report.nodes_failed.len();
        let now = self.port.now();
        let unused = self.options.faults.iter().filter(|fault| fault.at() > now);
        self.report.faults_unused = unused.map(ToString::to_string).collect();
    }
}

fn lost_after_ready(node: NodeNumber) -> NodeFailure {
    let error = "it reported ready, and then answered no roll call".to_owned();
    NodeFailure { node: node.to_string(), stage: "ready".to_owned(), error }
}

/// The map with the cards that were seen last.
fn with_cards<S: TableSource>(map: &FabricMap, front_end: &FrontEnd<S>) -> FabricMap {
    let mut topology = map.topology().clone();
    for (number, host) in map.nodes() {
        if let Some(id) = front_end.card(number) {
            topology.set_unique_id(host, id);
        }
    }
    FabricMap::from_topology(topology).expect("other cards change no number")
}
