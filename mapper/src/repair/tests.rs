use super::*;
use crate::verify::Report;
use fastrand::Rng;
use twowire_fabric::topology::generate::{Random, Torus, xgft};
use twowire_fabric::topology::{CrossbarId, Host, PortId};

fn routing(topology: &Topology, routes_per_pair: u8) -> Routing {
    let request = Request { routes_per_pair: routes_per_pair.try_into().unwrap(), epoch: 1 };
    Routing::new(topology.clone(), TopologyKind::Any, request).unwrap()
}

/// A fat tree of 64 hosts, three levels and crossbars of eight ports.
fn tree() -> Topology {
    xgft(&[4, 4, 4], &[1, 2, 2]).unwrap()
}

fn networks() -> Vec<Topology> {
    let mut all = vec![
        tree(),
        xgft(&[2, 3], &[1, 2]).unwrap(),
        Torus { dimensions: vec![4, 4], hosts_per: 2 }.build().unwrap(),
        Torus { dimensions: vec![5, 5], hosts_per: 1 }.build().unwrap(),
    ];
    all.extend((0..4).map(|seed| Random { crossbars: 9, radix: 8, hosts: 20, seed }.build().unwrap()));
    all
}

/// Something that happens: a cable between crossbars, a host or a crossbar is lost, or something comes back.
fn happening(topology: &Topology, lost: &mut Vec<Change>, rng: &mut Rng) -> Change {
    if !lost.is_empty() && rng.u8(..5) < 2 {
        return lost.swap_remove(rng.usize(..lost.len())).reversed();
    }
    let cables = topology.cables();
    let change = match rng.u8(..8) {
        0 => Change::lost(topology, CrossbarId(rng.u32(..topology.crossbars().len() as u32)).into()),
        1 => Change::lost(topology, NodeId::Host(HostId(rng.u32(1..topology.hosts().len() as u32)))),
        _ if cables.is_empty() => Change::default(),
        _ => Change::cut(topology, cables[rng.usize(..cables.len())].b),
    };
    if !change.is_empty() {
        lost.push(change.clone());
    }
    change
}

/// The proof of each step from the routes in use to those of an update: no epoch can deadlock with the one before.
fn assert_follows(routing: &Routing, update: &Update, in_use: &RouteSet) {
    let standing = routing.standing();
    let (topology, new) = (standing.topology(), standing.routes());
    if let Some(between) = &update.between {
        let report = check(topology, between, Some(in_use));
        assert!(report.wrong == 0 && report.deadlock_free, "{}: {}", topology.name, report.verdict());
        assert!(in_use.epoch() < between.epoch() && between.epoch() < new.epoch());
    }
    let both = check(topology, new, Some(update.between.as_ref().unwrap_or(in_use)));
    assert!(both.holds(), "{}: {}", topology.name, both.verdict());
}

/// Only where there are rings new routes can be such that they could deadlock with those in use, and also those to the front end alone.
fn assert_cannot_be_changed_to(routing: &Routing, error: &RepairError) {
    let RepairError::Refused(Refused(report)) = error else { panic!("{error}") };
    assert!(!report.deadlock_free && report.wrong == 0, "{error}");
    assert_ne!(routing.standing().routes().engine(), "clos", "{error}");
}

/// The full proof of what stands now, and that what is kept is what a new standing proof would begin with.
fn full_proof(routing: &Routing) -> Report {
    let standing = routing.standing();
    let report = check(standing.topology(), standing.routes(), None);
    assert!(report.holds(), "{}: {}", standing.topology().name, report.verdict());
    let verified = verify(standing.topology(), standing.routes().clone(), None).unwrap();
    let fresh = Standing::new(standing.topology().clone(), verified).unwrap();
    assert!(fresh.counts_as(standing), "{}", standing.topology().name);
    report
}

#[test]
fn after_any_changes_the_routes_hold_and_the_proof_is_the_full_one() {
    let (mut repaired, mut whole, mut between, mut stuck) = (0, 0, 0, 0);
    for (index, topology) in networks().iter().enumerate() {
        for routes_per_pair in [1, 3] {
            let mut rng = Rng::with_seed((index as u64) << 8 | u64::from(routes_per_pair));
            let mut routing = routing(topology, routes_per_pair);
            let mut lost = Vec::new();
            for _ in 0..24 {
                let change = happening(routing.standing().topology(), &mut lost, &mut rng);
                let before = routing.standing().routes().clone();
                let update = match routing.change(&change) {
                    Ok(update) => update,
                    Err(error) => {
                        assert_cannot_be_changed_to(&routing, &error);
                        stuck += 1;
                        continue;
                    }
                };
                assert_follows(&routing, &update, &before);
                match update {
                    Update { between: Some(_), .. } => between += 1,
                    Update { whole: Some(_), .. } => whole += 1,
                    Update { .. } => repaired += 1,
                }
                routing.retire();
                full_proof(&routing);
            }
        }
    }
    println!("{repaired} repaired, {whole} as a whole, {between} by way of an epoch between, {stuck} not");
    assert!(repaired > 200 && whole > 10 && between > 5 && stuck == 0, "{repaired}, {whole}, {between}, {stuck}");
}

#[test]
fn what_goes_between_is_the_same_before_and_after_and_leads_to_the_front_end() {
    let mut seen = 0;
    for (topology, seed) in networks().iter().flat_map(|topology| (0..4).map(move |seed| (topology, seed))) {
        let (mut rng, mut routing, mut lost) = (Rng::with_seed(seed), routing(topology, 1), Vec::new());
        for _ in 0..24 {
            let change = happening(routing.standing().topology(), &mut lost, &mut rng);
            let before = routing.standing().routes().clone();
            let Ok(update) = routing.change(&change) else { continue };
            let new = routing.standing().routes();
            for (from, between) in topology.host_ids().filter_map(|from| Some((from, update.between.as_ref()?))) {
                let [old, new, between] = [&before, new, between].map(|set| all_from(set, from));
                let is_to_front_end = |route: &&(HostId, Vec<u8>)| route.0 == HostId(0);
                let leads_there = |set: &[(HostId, Vec<u8>)]| set.iter().any(|route| is_to_front_end(&route));
                assert_eq!(leads_there(&between), leads_there(&new), "{}", topology.name);
                let others = between.iter().filter(|route| !is_to_front_end(route));
                // One that has just come back had none.
                let was_here = !old.is_empty();
                others.for_each(|route| {
                    assert!(new.contains(route) && (old.contains(route) || !was_here), "{}: {route:?}", topology.name);
                });
                seen += usize::from(between.len() > 1);
            }
            routing.retire();
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn what_went_between_to_an_epoch_that_was_rolled_back_is_still_in_use() {
    let mut seen = 0;
    for (topology, seed) in networks().iter().flat_map(|topology| (0..60).map(move |seed| (topology, seed))) {
        let (mut rng, mut routing, mut lost) = (Rng::with_seed(seed), routing(topology, 1), Vec::new());
        let mut lingering: Option<RouteSet> = None;
        for _ in 0..24 {
            let change = happening(routing.standing().topology(), &mut lost, &mut rng);
            let Ok(update) = routing.change(&change) else { continue };
            let next = update.between.clone().unwrap_or(routing.standing().routes().clone());
            if let Some(lingering) = &lingering {
                seen += 1;
                let report = check(routing.standing().topology(), &next, Some(lingering));
                assert!(report.deadlock_free, "{}: {}", topology.name, report.verdict());
            }
            if update.between.is_some() && lingering.is_none() {
                lingering = update.between;
                routing.roll_back();
            } else {
                lingering = None;
                routing.retire();
            }
        }
    }
    assert!(seen > 3, "{seen}");
}

/// The preferred routes from a host: where to, and the hops.
fn all_from(set: &RouteSet, from: HostId) -> Vec<(HostId, Vec<u8>)> {
    let mut all = Vec::new();
    set.for_each_from(from, |route| all.push((route.to, route.hops.to_vec())));
    all
}

#[test]
fn the_tables_after_a_cut_and_a_mend_are_those_of_before() {
    for routes_per_pair in [1, 4] {
        let mut routing = routing(&tree(), routes_per_pair);
        let before = routing.standing().routes().clone();
        for cable in tree().cables() {
            let cut = Change::cut(routing.standing().topology(), cable.a);
            for change in [&cut, &cut.reversed()] {
                assert_eq!(routing.change(change).unwrap().whole, None);
                routing.retire();
            }
            let [old, new] = [before.tables().unwrap(), tables(routing.standing())];
            assert_eq!(differences(old, new), [], "{cable:?}");
        }
        full_proof(&routing);
    }
}

#[test]
fn a_repaired_tree_is_as_good_as_one_that_is_routed_anew() {
    let topology = xgft(&[4, 4, 4], &[1, 4, 4]).unwrap();
    for seed in 0..10 {
        let (mut rng, mut routing) = (Rng::with_seed(seed), routing(&topology, 1));
        for _ in 0..6 {
            let cables = routing.standing().topology().cables();
            let between: Vec<PortId> =
                cables.iter().map(|c| c.a).filter(|a| matches!(a.node, NodeId::Crossbar(_))).collect();
            let cut = Change::cut(routing.standing().topology(), between[rng.usize(..between.len())]);
            assert_eq!(routing.change(&cut).unwrap().whole, None);
            routing.retire();
        }
        let repaired = full_proof(&routing);
        let now = routing.standing().topology();
        let anew = check(now, &engine::compute(now, TopologyKind::Clos, Request::default()).unwrap(), None);
        assert_eq!(repaired.longer, anew.longer, "{seed}");
        assert!(repaired.load_max <= anew.load_max * 5 / 4, "{seed}: {} {}", repaired.load_max, anew.load_max);
    }
}

/// The hosts one of whose routes has changed, by looking at all.
fn touched(before: &RouteSet, after: &RouteSet) -> Vec<HostId> {
    let hosts = (0..after.hosts() as u32).map(HostId);
    let routes = |set: &RouteSet, from| {
        let mut all = Vec::new();
        set.for_each_from(from, |route| all.push((route.to, route.alternate, route.hops.to_vec())));
        all
    };
    hosts.filter(|&from| routes(before, from) != routes(after, from)).collect()
}

#[test]
fn the_nodes_whose_routes_have_changed_are_named_and_no_others() {
    for topology in networks() {
        let mut rng = Rng::with_seed(7);
        let mut routing = routing(&topology, 1);
        let mut lost = Vec::new();
        for _ in 0..12 {
            let change = happening(routing.standing().topology(), &mut lost, &mut rng);
            let before = routing.standing().routes().clone();
            let Ok(update) = routing.change(&change) else { continue };
            if update.whole.is_none() {
                let is_here = |h: &HostId| routing.standing().topology().peer(PortId::new(*h, 0)).is_some();
                let mut expected = touched(&before, routing.standing().routes());
                expected.extend(&update.changed.joined);
                expected.sort_unstable();
                expected.dedup();
                expected.retain(is_here);
                assert_eq!(update.nodes, expected, "{} {change:?}", topology.name);
            }
            routing.retire();
        }
    }
}

#[test]
fn an_epoch_that_is_rolled_back_leaves_the_routes_of_before_and_the_next_repair_makes_up_for_it() {
    for topology in networks() {
        let mut rng = Rng::with_seed(3);
        let mut routing = routing(&topology, 2);
        let mut lost = Vec::new();
        for _ in 0..8 {
            let before = routing.standing().routes().clone();
            let change = happening(routing.standing().topology(), &mut lost, &mut rng);
            let Ok(Update { changed: Changed { epoch, joined, .. }, .. }) = routing.change(&change) else { continue };
            routing.roll_back();
            assert_eq!(routing.standing().routes().epoch(), before.epoch());
            let mut others = touched(&before, routing.standing().routes());
            others.retain(|h| !joined.contains(h));
            others.retain(|&h| routing.standing().topology().peer(PortId::new(h, 0)).is_some());
            assert_eq!(others, []);
            let Ok(update) = routing.change(&Change::default()) else { continue };
            assert!(update.changed.epoch > epoch);
            routing.retire();
            full_proof(&routing);
        }
    }
}

#[test]
fn a_new_host_gets_a_number_behind_the_last_and_routes() {
    let mut topology = tree();
    let moved = topology.disconnect(PortId::new(HostId(9), 0)).unwrap();
    let mut routing = routing(&topology, 1);
    let host = Host { name: "n64".to_owned(), id: twowire_fabric::id::UniqueId(0x1234), ports: 1 };
    let new = HostId(topology.hosts().len() as u32);
    let change = Change { hosts: vec![host], come: vec![(PortId::new(new, 0), moved.b)], ..Change::default() };
    let update = routing.change(&change).unwrap();
    assert_eq!((update.whole, update.changed.joined), (None, vec![new]));
    assert_eq!(update.nodes.len(), 64);
    routing.retire();
    assert_eq!(full_proof(&routing).pairs_routed, 64 * 63);
}

#[test]
fn where_no_way_up_and_down_is_left_the_routes_are_computed_as_a_whole() {
    // Two leaves that keep one parent each, in different planes.
    let topology = xgft(&[2, 2, 2], &[1, 2, 2]).unwrap();
    let mut routing = routing(&topology, 1);
    let mut why = Vec::new();
    for (leaf, keeps) in [(0, 0), (7, 1)] {
        let at = topology.peer(PortId::new(HostId(leaf), 0)).unwrap().node;
        let mut up =
            (0..).zip(topology.peers(at)).filter(|(_, peer)| matches!(peer.map(|p| p.node), Some(NodeId::Crossbar(_))));
        let (port, _) = up.nth(1 - keeps).unwrap();
        let cut = Change::cut(routing.standing().topology(), PortId { node: at, port });
        why.extend(routing.change(&cut).unwrap().whole);
        routing.retire();
        full_proof(&routing);
    }
    assert_eq!(why, ["no way up and then down connects some hosts any more"]);
}
