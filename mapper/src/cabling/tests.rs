use super::places::Places;
use super::{Component, Instruction, instructions, suspects};
use fastrand::Rng;
use proptest::prelude::*;
use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::generate::{Random, Torus, pink, xgft};
use twowire_fabric::topology::transform::{as_discovered, cut_cables, random_ids};
use twowire_fabric::topology::{Cable, HostId, NodeId, PortId, Topology};

const FRONT_END: HostId = HostId(0);

/// What a flawless discovery finds of a topology, and its front end there.
fn discovered(topology: &Topology, seed: u64) -> (Topology, HostId) {
    let found = as_discovered(topology, FRONT_END.into(), seed);
    let card = topology.host(FRONT_END).id;
    let front_end = found.host_ids().find(|&host| found.host(host).id == card).unwrap();
    (found, front_end)
}

fn to_do(intended: &Topology, there: &Topology, seed: u64) -> Vec<Instruction> {
    let (found, front_end) = discovered(there, seed);
    instructions(intended, FRONT_END, &found, front_end)
}

fn lines(instructions: &[Instruction]) -> Vec<String> {
    instructions.iter().map(ToString::to_string).collect()
}

/// Cables by the names of their ends, each from both.
type Named = BTreeMap<String, String>;

fn put(cables: &mut Named, a: &str, b: &str) {
    assert!(!cables.contains_key(a) && !cables.contains_key(b), "{a} or {b} has a cable already: {cables:?}");
    cables.insert(a.to_owned(), b.to_owned());
    cables.insert(b.to_owned(), a.to_owned());
}

fn pull(cables: &mut Named, a: &str, b: &str) {
    assert_eq!((cables.remove(a).as_deref(), cables.remove(b).as_deref()), (Some(b), Some(a)), "no such cable");
}

/// What a technician has after following the instructions, who finds that what did not answer was without power only.
fn followed(intended: &Topology, mut cables: Named, instructions: &[Instruction]) -> Named {
    let mut answers_again = Vec::new();
    for instruction in instructions {
        match instruction {
            Instruction::SeeToCrossbar { crossbar, hosts } => {
                answers_again.extend(hosts.iter().chain([crossbar]).map(|name| intended.find(name).unwrap()));
            }
            Instruction::SeeToHost { host, .. } => answers_again.push(intended.find(host).unwrap()),
            Instruction::Remove { a, b } => pull(&mut cables, &a.0, &b.0),
            Instruction::Plug { a, b } => put(&mut cables, &a.0, &b.0),
            Instruction::Move { from, to, other_end } => {
                pull(&mut cables, &from.0, &other_end.0);
                put(&mut cables, &to.0, &other_end.0);
            }
            Instruction::Swap { a, b } => {
                let (of_a, of_b) = (cables[&a.0].clone(), cables[&b.0].clone());
                pull(&mut cables, &a.0, &of_a);
                pull(&mut cables, &b.0, &of_b);
                put(&mut cables, &a.0, &of_b);
                put(&mut cables, &b.0, &of_a);
            }
        }
    }
    for (a, b, name_a, name_b) in intended.cables().iter().map(|cable| named(intended, cable)) {
        if (answers_again.contains(&a) || answers_again.contains(&b)) && cables.get(&name_a) != Some(&name_b) {
            put(&mut cables, &name_a, &name_b);
        }
    }
    cables
}

fn named(topology: &Topology, cable: &Cable) -> (NodeId, NodeId, String, String) {
    let name = |end| topology.port_name(end).to_string();
    (cable.a.node, cable.b.node, name(cable.a), name(cable.b))
}

/// Does something to a topology that people and machines do to fabrics. The front end stays where it is.
fn disturb(topology: &mut Topology, rng: &mut Rng) {
    let end = |topology: &Topology, rng: &mut Rng| {
        let cable = &topology.cables()[rng.usize(..topology.cables().len())];
        if rng.bool() || cable.a.node == FRONT_END.into() { cable.b } else { cable.a }
    };
    let free = |topology: &Topology, rng: &mut Rng| {
        let x = NodeId::Crossbar(twowire_fabric::topology::CrossbarId(rng.u32(..topology.crossbars().len() as u32)));
        let ports = (0..topology.ports_of(x)).map(|port| PortId { node: x, port });
        ports.rev().find(|&port| topology.peer(port).is_none())
    };
    let one = end(topology, rng);
    let is_front_end = topology.peer(one).is_some_and(|peer| peer.node == FRONT_END.into());
    match rng.u32(..6) {
        _ if is_front_end => {}
        0 => drop(topology.disconnect(one)),
        1 => {
            let other = end(topology, rng);
            let (of_one, of_other) = (topology.peer(one).unwrap(), topology.peer(other).unwrap());
            if of_other.node != FRONT_END.into() && of_one != other && one != other {
                topology.disconnect(one);
                topology.disconnect(other);
                topology.connect(one, of_other).unwrap();
                topology.connect(other, of_one).unwrap();
            }
        }
        2 => {
            let stays = topology.peer(one).unwrap();
            if let Some(to) = free(topology, rng) {
                topology.disconnect(one);
                topology.connect(stays, to).unwrap();
            }
        }
        3 => {
            for port in 0..topology.ports_of(one.node) {
                topology.disconnect(PortId { port, ..one });
            }
        }
        4 => {
            if let (Some(a), Some(b)) = (free(topology, rng), free(topology, rng)) {
                let _ = a != b && topology.connect(a, b).is_ok();
            }
        }
        _ => {
            if let Some(at) = free(topology, rng) {
                let name = format!("guest{}", topology.hosts().len());
                let guest = topology.add_host(name, UniqueId(rng.u64(1 << 32..)), 1).unwrap();
                topology.connect(PortId::new(guest, 0), at).unwrap();
            }
        }
    }
}

fn intended(kind: u32) -> Topology {
    let random = Random { crossbars: 8, radix: 10, hosts: 16, seed: kind.into() };
    match kind {
        0 => xgft(&[3, 3, 2], &[1, 2, 2]).unwrap(),
        1 => Torus { dimensions: vec![3, 4], hosts_per: 2 }.build().unwrap(),
        _ => random.build().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn who_follows_the_instructions_has_the_intended_cabling(kind in 0u32..4, seed: u64, changes in 0usize..8, cards: bool) {
        let intended = intended(kind);
        let (mut there, mut rng) = (intended.clone(), Rng::with_seed(seed));
        (0..changes).for_each(|_| disturb(&mut there, &mut rng));
        if cards {
            random_ids(&mut there, seed);
        }
        let (found, front_end) = discovered(&there, seed);
        let to_do = instructions(&intended, FRONT_END, &found, front_end);
        let places = Places::new(&intended, FRONT_END, &found, front_end);
        let name = |end| places.name(end).0;
        let before: Named = places.found_cables().into_iter().map(|(a, b)| (name(a), name(b))).collect();
        let meant: Named = places.intended_cables().into_iter().map(|(a, b)| (name(a), name(b))).collect();
        prop_assert_eq!(followed(&intended, before, &to_do), meant, "{:?}", to_do);
        prop_assert!(changes > 0 || to_do.is_empty(), "{:?}", to_do);
    }
}

#[test]
fn one_change_is_one_instruction() {
    let intended = pink();
    let port = |name: &str| {
        let (node, port) = name.split_once(':').unwrap();
        PortId { node: intended.find(node).unwrap(), port: port.parse().unwrap() }
    };
    let swapped = |a: &str, b: &str| {
        let mut there = intended.clone();
        let [(a, of_a), (b, of_b)] = [a, b].map(port).map(|end| (end, intended.peer(end).unwrap()));
        there.disconnect(a);
        there.disconnect(b);
        there.connect(a, of_b).unwrap();
        there.connect(b, of_a).unwrap();
        lines(&to_do(&intended, &there, 3))
    };
    assert_eq!(swapped("x2.14:3", "x2.14:5"), ["swap the cables in x2.14 port 3 and x2.14 port 5"]);
    assert_eq!(swapped("x1.3:2", "x1.9:4"), ["swap the cables in x1.3 port 2 and x1.9 port 4"]);

    let mut there = intended.clone();
    there.disconnect(port("x1.3:9"));
    assert_eq!(
        lines(&to_do(&intended, &there, 1)),
        ["plug a cable from x1.3 port 9 to x2.1 port 3, or replace the one that is there: it is dead"]
    );
    let mut missing = intended.clone();
    missing.disconnect(port("x2.14:5"));
    let mut there = missing.clone();
    let stays = intended.peer(port("x2.14:3")).unwrap();
    there.disconnect(stays);
    there.connect(stays, port("x2.14:5")).unwrap();
    let moved = lines(&to_do(&missing, &there, 1));
    assert_eq!(moved, ["move the cable from x2.14 port 5 to x2.14 port 3 (its other end is in x1.11 port 14)"]);
}

#[test]
fn plugs_in_a_ring_are_swapped_one_after_the_other() {
    let intended = pink();
    let ends = [3, 4, 5].map(|port| PortId::new(intended.find("x1.7").unwrap(), port));
    let hosts = ends.map(|end| intended.peer(end).unwrap());
    let mut there = intended.clone();
    for end in ends {
        there.disconnect(end);
    }
    (0..3).for_each(|i| drop(there.connect(ends[i], hosts[(i + 1) % 3])));
    let said = lines(&to_do(&intended, &there, 5));
    assert_eq!(
        said,
        ["swap the cables in x1.7 port 3 and x1.7 port 4", "swap the cables in x1.7 port 3 and x1.7 port 5"]
    );
}

#[test]
fn replaced_cards_and_other_offsets_are_nothing_to_do() {
    let mut there = pink();
    random_ids(&mut there, 9);
    assert_eq!(lines(&to_do(&pink(), &there, 2)), [""; 0]);
}

#[test]
fn a_dead_crossbar_is_suspected_first_among_dead_cables() {
    let intended = pink();
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let dead = rng.u32(1..320);
        let x = twowire_fabric::topology::CrossbarId(dead);
        let mut there = intended.clone();
        for port in 0..16 {
            there.disconnect(PortId::new(x, port));
        }
        cut_cables(&mut there, 1.0, seed);
        let (found, front_end) = discovered(&there, seed);
        let ranked = suspects(&intended, FRONT_END, &found, front_end);
        let first = &ranked[0];
        assert_eq!(
            (first.name.as_str(), first.dead, first.of),
            (intended.crossbar(x).name.as_str(), 16, 16),
            "seed {seed}"
        );
        assert_eq!(first.component == Component::LineCrossbar, first.name.starts_with("x1."));
        let others: usize = ranked[1..].iter().map(|suspect| suspect.explains).sum();
        assert_eq!(first.explains + others, 3072 - there.cables().len());
    }
}

#[test]
fn single_dead_cables_are_suspected_alone() {
    let intended = pink();
    let mut there = intended.clone();
    there.disconnect(PortId::new(HostId(18), 0));
    there.disconnect(PortId::new(intended.find("x2.5").unwrap(), 9));
    let (found, front_end) = discovered(&there, 4);
    let ranked = suspects(&intended, FRONT_END, &found, front_end);
    let said: Vec<String> = ranked.iter().map(ToString::to_string).collect();
    let cable = "the cable x2.5:9 x3.13:0: it alone is dead, most others of both its crossbars are not";
    assert_eq!(said, [cable, "the card of n17: 1 of its 1 cables is dead"]);
}
