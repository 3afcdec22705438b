use super::*;
use crate::engine::clos::Again;
use crate::engine::{self, Request, TopologyKind, updown};
use crate::verify::{check, verify};
use fastrand::Rng;
use std::num::NonZeroU8;
use twowire_fabric::map::Layer;
use twowire_fabric::topology::CrossbarId;
use twowire_fabric::topology::generate::{Random, Torus, xgft};

fn standing(topology: &Topology, routes_per_pair: u8) -> Standing {
    let request = Request { routes_per_pair: NonZeroU8::new(routes_per_pair).unwrap(), epoch: 1 };
    let routes = engine::compute(topology, TopologyKind::Any, request).unwrap();
    Standing::new(topology.clone(), verify(topology, routes, None).unwrap()).unwrap()
}

fn networks() -> Vec<Topology> {
    let mut all = vec![
        xgft(&[2, 3, 3], &[1, 2, 2]).unwrap(),
        Torus { dimensions: vec![4, 4], hosts_per: 1 }.build().unwrap(),
        Torus { dimensions: vec![6], hosts_per: 2 }.build().unwrap(),
    ];
    all.extend((0..3).map(|seed| Random { crossbars: 8, radix: 7, hosts: 16, seed }.build().unwrap()));
    all
}

#[test]
fn entries_that_no_route_comes_by_and_that_lead_nowhere_are_cleared() {
    let topology = xgft(&[2, 3, 3], &[1, 2, 2]).unwrap();
    let request = Request { routes_per_pair: NonZeroU8::MIN, epoch: 1 };
    let routes = engine::compute(&topology, TopologyKind::Clos, request).unwrap();
    let mut cleared = 0;
    for crossbar in topology.crossbar_ids().map(|x| x.0) {
        let mut spoilt = routes.clone();
        let entry = Entry { layer: 0, to: HostId(0), after_down: false, crossbar };
        spoilt.tables_mut().unwrap().0.set_port(entry, NO_PORT - 1);
        // Where a route comes by, the full proof says so.
        let Ok(proved) = verify(&topology, spoilt, None) else { continue };
        let standing = Standing::new(topology.clone(), proved).unwrap();
        assert_eq!(standing.tables().port(entry), NO_PORT, "{crossbar}");
        cleared += 1;
    }
    assert!(cleared > 0);
}

/// What a repair would do about a cut, by whatever engine the routes are from.
fn repair(standing: &Standing, mut again: Option<Again>, cut: &Change) -> Option<Vec<Patch>> {
    let (topology, tables) = (standing.topology(), standing.tables());
    match &mut again {
        Some(again) => again.patches(topology, tables, cut).ok(),
        None if tables.has_two_phases() => Some(updown::patches(topology, tables)),
        None => {
            let routes = engine::compute(topology, TopologyKind::Any, Request::default()).ok()?;
            let new =
                routes.tables().filter(|new| new.layers().len() == tables.layers().len() && !new.has_two_phases())?;
            let hosts = topology.host_ids();
            let entries = hosts.flat_map(|to| {
                let of_layer = move |layer| {
                    topology.crossbar_ids().map(move |x| Entry { layer, to, after_down: false, crossbar: x.0 })
                };
                (0..tables.layers().len() as u8).flat_map(of_layer)
            });
            let patches = entries.map(|entry| Patch { entry, port: new.port(entry) });
            Some(patches.filter(|patch| tables.port(patch.entry) != patch.port).collect())
        }
    }
}

/// The same with something wrong in it.
fn spoilt(standing: &Standing, patches: &[Patch], rng: &mut Rng) -> Vec<Patch> {
    let mut patches = patches.to_vec();
    let (topology, tables) = (standing.topology(), standing.tables());
    for _ in 0..1 + rng.usize(..3) {
        let entry = Entry {
            layer: rng.u8(..tables.layers().len() as u8),
            to: HostId(rng.u32(..topology.hosts().len() as u32)),
            after_down: tables.has_two_phases() && rng.u8(..4) == 0,
            crossbar: rng.u32(..tables.crossbars() as u32),
        };
        let to_crossbars: Vec<u8> = (0..topology.crossbar(CrossbarId(entry.crossbar)).ports)
            .filter(|&port| tables.link(entry.crossbar as usize, port).crossbar != u32::MAX)
            .collect();
        let port = match rng.u8(..8) {
            0 | 1 => NO_PORT,
            2 => rng.u8(..9),
            _ => to_crossbars[rng.usize(..to_crossbars.len())],
        };
        match rng.u8(..8) {
            0 if !patches.is_empty() => drop(patches.swap_remove(rng.usize(..patches.len()))),
            1 if !patches.is_empty() => {
                let index = rng.usize(..patches.len());
                patches[index].port = port;
            }
            _ => {
                patches.retain(|patch| patch.entry != entry);
                patches.push(Patch { entry, port });
            }
        }
    }
    patches
}

/// The routes with the entries changed, for the full proof.
fn patched(standing: &Standing, patches: &[Patch]) -> RouteSet {
    let mut routes = standing.routes().clone();
    let (tables, epoch) = routes.tables_mut().unwrap();
    patches.iter().for_each(|patch| tables.set_port(patch.entry, patch.port));
    *epoch = 2;
    routes
}

/// Where a cable is gone frames are lost: so what the tables had behind it must not be read out as a route that ends there.
fn without_links(routes: &mut RouteSet, topology: &Topology, change: &Change) {
    let (tables, _) = routes.tables_mut().unwrap();
    change.ends().for_each(|end| tables.relink(topology, end));
}

#[test]
fn a_spoilt_repair_is_accepted_only_if_the_full_proof_accepts_it() {
    let (mut refused, mut accepted, mut alone, mut stricter) = ([0; 3], 0, 0, 0);
    for (index, topology) in networks().iter().enumerate() {
        for seed in 0..160 {
            let mut rng = Rng::with_seed(seed << 4 | index as u64);
            let mut standing = standing(topology, 1 + seed as u8 % 2);
            let again = Again::of(topology, standing.tables()).filter(|_| standing.routes().engine() == "clos");
            let cut = Change::cut(topology, topology.cables()[rng.usize(..topology.cables().len())].b);
            standing.change(&cut).unwrap();
            let Some(good) = repair(&standing, again, &cut) else { continue };
            let bad = spoilt(&standing, &good, &mut rng);
            let (now, old) = (standing.topology().clone(), standing.routes().clone());
            let mut new = patched(&standing, &bad);
            without_links(&mut new, &now, &cut);
            let full = check(&now, &new, Some(&old));
            let counts = standing.turns.clone();
            match standing.prove(2, &bad) {
                Ok(_) => {
                    assert!(full.holds(), "{} {seed}: {}", topology.name, full.verdict());
                    accepted += 1;
                    standing.roll_back();
                }
                Err(refusal) => {
                    stricter += usize::from(full.holds());
                    refused[match refusal {
                        Refusal::Cycle(_) => 0,
                        Refusal::Missing { .. } => 1,
                        _ => 2,
                    }] += 1;
                    alone += usize::from(!full.deadlock_free && check(&now, &new, None).deadlock_free);
                    // Only an entry that no route uses may be refused without need.
                    assert!(!full.holds() || matches!(refusal, Refusal::DoesNotArrive { .. }), "{refusal}");
                }
            }
            assert!(standing.turns == counts, "what was refused is undone");
            let mut new = patched(&standing, &good);
            without_links(&mut new, &now, &cut);
            let full = check(&now, &new, Some(&old));
            // In other networks than trees there is not always a repair.
            let may_fail = full.wrong == 0 && standing.routes().engine() != "clos";
            assert!(full.holds() || may_fail, "{} {seed} {cut:?}: {}", topology.name, full.verdict());
            assert_eq!(standing.prove(3, &good).is_ok(), full.holds(), "{} {seed}: {}", topology.name, full.verdict());
        }
    }
    println!("accepted {accepted}, refused {refused:?}, {stricter} without need, {alone} with those in use alone");
    assert!(accepted > 20 && refused.iter().all(|&n| n > 5), "{accepted} {refused:?}");
    assert!(2 * stricter < refused.iter().sum(), "{stricter} {refused:?}");
}

/// A ring of four crossbars with a host each (ports 0 host, 1 on, 2 back). To the opposite crossbar frames go on, but for those
/// of one crossbar, which go back.
fn ring(back: u32) -> (Topology, RouteSet) {
    let topology = Torus { dimensions: vec![4], hosts_per: 1 }.build().unwrap();
    let mut layer = Layer::empty(4, 4, false);
    for to in 0..4u32 {
        for x in 0..4 {
            let steps = (to + 4 - x) % 4;
            layer.up[(to * 4 + x) as usize] = match steps {
                0 => 0,
                1 => 1,
                2 => {
                    if x == back {
                        2
                    } else {
                        1
                    }
                }
                _ => 2,
            };
        }
    }
    let tables = Tables::new(&topology, vec![layer], |_, _| false);
    (topology, RouteSet::from_tables(1, "ring", tables))
}

#[test]
fn routes_of_the_epoch_before_count_until_it_is_retired() {
    let (topology, first) = ring(3);
    let (_, second) = ring(0);
    let mut standing = Standing::new(topology.clone(), verify(&topology, first, None).unwrap()).unwrap();
    let entry = |x: u32| Entry { layer: 0, to: HostId((x + 2) % 4), after_down: false, crossbar: x };
    let patch = |x: u32| Patch { entry: entry(x), port: second.tables().unwrap().port(entry(x)) };
    assert!(verify(&topology, second.clone(), None).is_ok());
    assert!(check(&topology, &second, Some(standing.routes())).cycle.len() == 4);
    let refusal = standing.prove(2, &[patch(0), patch(3)]).unwrap_err();
    let Refusal::Cycle(cycle) = &refusal else { panic!("{refusal}") };
    assert_eq!(cycle.len(), 4, "{refusal}");
    // One after the other it can be done.
    for (epoch, x) in [(3, 0), (4, 3)] {
        standing.prove(epoch, &[patch(x)]).unwrap();
        standing.retire();
    }
    assert_eq!(standing.routes().epoch(), 4);
}

#[test]
fn what_leads_nowhere_or_round_is_refused_by_name() {
    let (topology, routes) = ring(3);
    let mut standing = Standing::new(topology.clone(), verify(&topology, routes, None).unwrap()).unwrap();
    let to = HostId(2);
    let mut prove = |x: u32, port| {
        let entry = Entry { layer: 0, to, after_down: false, crossbar: x };
        standing.prove(2, &[Patch { entry, port }]).unwrap_err().to_string()
    };
    let name = |x: u32| topology.crossbar(CrossbarId(x)).name.clone();
    let nowhere = |x| format!("{} sends frames to n1 where they do not arrive within 63 hops", name(x));
    assert_eq!(prove(1, 2), nowhere(1));
    assert_eq!(prove(1, 0), nowhere(1));
    assert_eq!(prove(1, 77), nowhere(1));
    assert_eq!(prove(1, NO_PORT), nowhere(1));
    assert_eq!(prove(0, NO_PORT), "master and n1 are connected, but no route arrives");
    assert_eq!(prove(9, 1), "the repair changes an entry of crossbar 9 for n1 that is not there, or changes it twice");
}
