//! The encoding of tables.

use crate::tables::{Choice, Tables};
use proptest::prelude::*;
use proptest::sample::Index;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::route::Route;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::routes::decode::{TableError, decode};
use twowire_fabric::routes::encode::{EncodeError, TableEncoder};
use twowire_fabric::topology::transform::shuffle_ports;
use twowire_fabric::topology::{PortId, Topology, generate};

/// Bytes of a table as a list of routes, a length and the hops for each.
fn plain_len(table: &RouteTable) -> usize {
    let to = (0..table.destinations()).map(NodeNumber::from_index);
    to.map(|to| 1 + table.routes_to(to).map(|route| 1 + route.len()).sum::<usize>()).sum()
}

/// Encodes and decodes the tables of some nodes; returns how many times smaller than a list they are.
fn round_trip(topology: &Topology, choice: Choice, k: usize, nodes: &[usize]) -> f64 {
    let tables = Tables::new(topology, choice);
    let mut encoder = TableEncoder::new(topology, tables.nodes());
    let (mut plain, mut encoded) = (0, 0);
    for &index in nodes {
        let table = tables.table(NodeNumber::from_index(index), k);
        let bytes = encoder.encode(&table).unwrap();
        let back = decode(1, &bytes).unwrap_or_else(|e| panic!("node {index} of {}, {choice:?}: {e}", topology.name));
        assert!(back == table, "node {index} of {}, {choice:?}", topology.name);
        plain += plain_len(&table);
        encoded += bytes.len();
    }
    println!(
        "{} {choice:?} k={k}: {} bytes a table, {} plain",
        topology.name,
        encoded / nodes.len(),
        plain / nodes.len()
    );
    plain as f64 / encoded as f64
}

#[test]
fn pinks_tables_are_much_smaller_than_lists() {
    let pink = generate::pink();
    let nodes = [0, 1, 63, 512, 1023];
    assert!(round_trip(&pink, Choice::Modulo, 8, &nodes) > 12.0);
    assert!(round_trip(&pink, Choice::Random(7), 8, &nodes) > 2.2);
    assert!(round_trip(&pink, Choice::Modulo, 1, &nodes) > 1.5);
}

#[test]
fn ports_in_no_order_cost_little() {
    let pink = shuffle_ports(&generate::pink(), 7);
    assert!(round_trip(&pink, Choice::Modulo, 8, &[0, 1, 512, 1023]) > 5.0);
    assert!(round_trip(&pink, Choice::Random(7), 8, &[0, 512]) > 2.0);
}

#[test]
fn tables_of_other_networks_come_back() {
    let torus = generate::Torus { dimensions: vec![4, 3, 5], hosts_per: 1 }.build().unwrap();
    let random = generate::Random { crossbars: 20, radix: 12, hosts: 60, seed: 3 }.build().unwrap();
    let cube = generate::hypercube(5).unwrap();
    for topology in [torus, random, cube] {
        let all: Vec<usize> = (0..topology.hosts().len()).collect();
        for choice in [Choice::Modulo, Choice::Random(1)] {
            round_trip(&topology, choice, 4, &all);
        }
    }
}

/// Two hosts on one cable: the route has no hops, and there is no crossbar.
#[test]
fn hosts_on_one_cable_need_no_hops() {
    let mut topology = Topology::new("pair");
    let a = topology.add_host("master", UniqueId(1), 1).unwrap();
    let b = topology.add_host("n0", UniqueId(2), 1).unwrap();
    topology.connect(PortId::new(a, 0), PortId::new(b, 0)).unwrap();
    let mut table = RouteTable::new(1, NodeNumber(0));
    table.push([Route::EMPTY]);
    table.push([]);
    let bytes = TableEncoder::new(&topology, [(NodeNumber::FRONT_END, a), (NodeNumber(0), b)]).encode(&table).unwrap();
    assert_eq!(decode(1, &bytes), Ok(table));
}

/// Places that were given up leave their numbers unused.
#[test]
fn numbers_may_have_gaps() {
    let clos = generate::Clos { hosts: 16, radix: 8, levels: 2, oversubscription: 1.0 }.build().unwrap();
    let tables = Tables::new(&clos, Choice::Modulo);
    let dense = tables.table(NodeNumber(4), 2);
    let sparse = |number: NodeNumber| NodeNumber(if number.0 > 4 { number.0 + 3 } else { number.0 });
    let mut table = RouteTable::new(1, NodeNumber(4));
    for index in 0..dense.destinations() {
        let number = NodeNumber::from_index(index);
        (table.destinations()..sparse(number).index()).for_each(|_| table.push([]));
        table.push(dense.routes_to(number));
    }
    let nodes = tables.nodes().map(|(number, host)| (sparse(number), host));
    let bytes = TableEncoder::new(&clos, nodes).encode(&table).unwrap();
    assert_eq!(decode(1, &bytes), Ok(table));
}

#[test]
fn a_route_that_does_not_fit_the_map_is_not_encoded() {
    let pink = generate::pink();
    let tables = Tables::new(&pink, Choice::Modulo);
    let mut encoder = TableEncoder::new(&pink, tables.nodes());
    let good = tables.table(NodeNumber(0), 1);
    let with = |to: i32, route: &str| {
        let mut table = RouteTable::new(1, NodeNumber(0));
        for index in 0..good.destinations() {
            match NodeNumber::from_index(index) {
                number if number.0 == to => table.push([route.parse::<Route>().unwrap()]),
                number => table.push(good.routes_to(number)),
            }
        }
        table
    };
    let astray = encoder.encode(&with(3, "81")).unwrap_err();
    assert_eq!(astray.to_string(), "n0 to n3: route 81 leads to n1");
    let through_a_host = encoder.encode(&with(3, "8180")).unwrap_err();
    assert_eq!(through_a_host.to_string(), "n0 to n3: route 8180 ends at hop 1, where no crossbar is");
    let short = encoder.encode(&RouteTable::new(1, NodeNumber(0))).unwrap_err();
    assert_eq!(short, EncodeError::Destinations { from: NodeNumber(0), expected: 1024, got: 0 });
    assert_eq!(decode(1, &encoder.encode(&good).unwrap()), Ok(good));
}

/// A small table with everything in it: several distances, routes of different lengths, some destinations without routes.
fn small_table() -> Vec<u8> {
    let random = generate::Random { crossbars: 6, radix: 8, hosts: 12, seed: 9 }.build().unwrap();
    let tables = Tables::new(&random, Choice::Modulo);
    TableEncoder::new(&random, tables.nodes()).encode(&tables.table(NodeNumber(2), 3)).unwrap()
}

#[test]
fn a_table_cut_short_is_an_error_at_every_length() {
    let bytes = small_table();
    assert!(decode(1, &bytes).is_ok());
    for len in 0..bytes.len() {
        assert!(decode(1, &bytes[..len]).is_err(), "{len} of {}", bytes.len());
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(decode(1, &longer), Err(TableError::TrailingBytes { extra: 1 }));
}

#[test]
fn a_table_that_would_fill_the_memory_is_an_error() {
    // A million destinations, and for all of them the same 255 routes of 63 hops.
    let (million, routes, hops) = ([0x80, 0x80, 0x40], [0xff, 0x01], [0, 63, 0]);
    let mut bytes = [&[1, 0][..], &million, &[0], &million, &[0], &routes, &hops].concat();
    for _ in 0..63 {
        bytes.extend([0, 0, 0]);
    }
    assert_eq!(decode(1, &bytes), Err(TableError::TooLarge { max: 64 << 20 }));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(1, &bytes);
        let _ = decode(1, &[&[1, 0, 3, 2], &bytes[..]].concat());
    }

    #[test]
    fn edited_tables_are_never_a_panic(edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6)) {
        let mut bytes = small_table();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode(1, &bytes);
    }

    #[test]
    fn any_choice_of_routes_comes_back(seed: u64, k in 1usize..6, own in any::<Index>()) {
        let random = generate::Random { crossbars: 8, radix: 10, hosts: 20, seed: seed % 16 }.build().unwrap();
        let tables = Tables::new(&random, Choice::Random(seed));
        let table = tables.table(NodeNumber::from_index(own.index(20)), k);
        let bytes = TableEncoder::new(&random, tables.nodes()).encode(&table).unwrap();
        prop_assert_eq!(decode(1, &bytes), Ok(table));
    }
}
