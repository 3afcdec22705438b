mod fabric;

use super::InfinibandError;
use super::discovery::Discovery;
use super::exchange::Exchange;
use super::forwarding::ForwardingTables;
use super::install::{Installed, Readings, install};
use super::lids::Lids;
use super::smp::{DATA, ManagerState, NodeInfo, PortInfo, SMP_SIZE, Smp, node_description};
use super::subnet::Subnet as Found;
use super::text::{UnfitName, forwarding_tables, ibsim_network};
use crate::engine::{self, Request, TopologyKind};
use crate::verify::verify;
use fabric::{Subnet, Wire};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use twowire_fabric::id::UniqueId;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::generate::{Clos, Random, Torus};
use twowire_fabric::topology::lockstep::Lockstep;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// Hosts with ids as the subnet gives to their ports.
fn with_port_guids(mut topology: Topology) -> Topology {
    for host in topology.host_ids() {
        topology.set_unique_id(host, UniqueId(0x1001 + 0x100 * u64::from(host.0)));
    }
    topology
}

fn clos() -> Topology {
    with_port_guids(Clos { hosts: 16, radix: 4, levels: 3, oversubscription: 1.0 }.build().expect("it can be built"))
}

fn topologies() -> Vec<Topology> {
    let torus = Torus { dimensions: vec![3, 3], hosts_per: 2 }.build().expect("it can be built");
    let random = |seed| Random { crossbars: 12, radix: 8, hosts: 20, seed }.build().expect("it can be built");
    let mut all = vec![clos(), with_port_guids(torus)];
    all.extend((0..10).map(|seed| with_port_guids(random(seed))));
    all
}

fn shared(topology: &Topology) -> Rc<RefCell<Subnet>> {
    Rc::new(RefCell::new(Subnet::new(topology)))
}

fn discover(exchange: &mut Exchange) -> Result<Found, InfinibandError> {
    discover_in(exchange, false)
}

fn discover_in(exchange: &mut Exchange, look_first: bool) -> Result<Found, InfinibandError> {
    let mut discovery = Discovery::new(look_first);
    exchange.run(&mut discovery)?;
    Found::new(discovery.finish()?)
}

fn exchange(subnet: &Rc<RefCell<Subnet>>, loss: f64, seed: u64) -> Exchange {
    Exchange::new(Box::new(Wire::new(subnet, HostId(0), loss, seed)))
}

fn routes(topology: &Topology) -> RouteSet {
    let routes = engine::compute(topology, TopologyKind::Any, Request::default()).expect("every graph has routes");
    let routes = routes.by_destination().expect("engines make tables");
    verify(topology, routes, None).expect("routes hold").into_inner()
}

fn bring_up(exchange: &mut Exchange) -> Result<(Found, Lids, Installed), InfinibandError> {
    let found = discover(exchange)?;
    let readings = Readings::take(exchange, &found)?;
    let lids = readings.assign(found.topology())?;
    let installed = install(exchange, &found, readings, &lids, &routes(found.topology()))?;
    Ok((found, lids, installed))
}

/// What is found is what is there: names, ids, cables and port numbers.
fn assert_same(found: &Found, topology: &Topology) {
    let walk = Lockstep::walk(topology, HostId(0), found.topology(), found.front_end());
    assert!(walk.differences().is_empty(), "{:?}\n{topology}\n{}", walk.differences(), found.topology());
    for x in topology.crossbar_ids() {
        let twin = found.topology().find(&topology.crossbar(x).name).expect("switches have their names");
        for port in 0..topology.crossbar(x).ports {
            let name = |of: &Topology, node| of.peer(PortId::new(node, port)).map(|p| of.port_name(p).to_string());
            assert_eq!(name(topology, x.into()), name(found.topology(), twin));
        }
    }
}

#[test]
fn what_is_there_is_found_also_when_packets_are_lost() {
    for (seed, topology) in topologies().into_iter().enumerate() {
        for (loss, look_first) in [(0.0, false), (0.0, true), (0.1, false), (0.1, true)] {
            let subnet = shared(&topology);
            let found = discover_in(&mut exchange(&subnet, loss, seed as u64), look_first).expect("it is found");
            assert_same(&found, &topology);
            assert_eq!(found.silent().count(), 0);
            assert!(!look_first || subnet.borrow().unheard == 0, "a packet was sent through a port without a link");
        }
    }
}

#[test]
fn discovery_needs_a_packet_for_each_end_of_a_cable_that_found_nobody_and_one_for_each_name() {
    let topology = clos();
    let mut exchange = exchange(&shared(&topology), 0.0, 1);
    discover(&mut exchange).expect("it is found");
    let (switches, hosts, cables) = (topology.crossbars().len(), topology.hosts().len(), topology.cables().len());
    let nodes = switches + hosts;
    let between_switches = cables - hosts;
    let confirmed = between_switches - (switches - 1);
    assert_eq!(exchange.sent() as usize, nodes + (nodes - 1) + 1 + 2 * confirmed);
}

#[test]
fn a_dead_port_is_no_cable_and_a_mute_node_is_told_of() {
    let mut topology = clos();
    let dead = topology.cables().iter().find(|c| matches!(c.a.node, NodeId::Crossbar(_))).expect("there is one").a;
    topology.disconnect(dead);
    let subnet = shared(&topology);
    assert_same(&discover(&mut exchange(&subnet, 0.0, 1)).expect("it is found"), &topology);
    let last = HostId(topology.hosts().len() as u32 - 1);
    subnet.borrow_mut().mute.insert(last.into());
    let found = discover(&mut exchange(&subnet, 0.0, 1)).expect("it is found");
    assert_eq!(found.topology().hosts().len(), topology.hosts().len() - 1);
    let leaf = topology.peer(PortId::new(last, 0)).expect("it has a cable");
    let expected = format!("{}:{}", topology.node_name(leaf.node), leaf.port + 1);
    assert_eq!(found.silent().collect::<Vec<_>>(), [expected]);
}

#[test]
fn two_nodes_of_one_guid_are_told_of_with_both_places() {
    let topology = clos();
    let pairs: [[NodeId; 2]; 2] = [[HostId(3).into(), HostId(9).into()], [CrossbarId(0).into(), CrossbarId(5).into()]];
    for [first, second] in pairs {
        let subnet = shared(&topology);
        let guid = subnet.borrow().guids[&first];
        subnet.borrow_mut().guids.insert(second, guid);
        let error = discover(&mut exchange(&subnet, 0.0, 1)).expect_err("it is ambiguous");
        let InfinibandError::DuplicateGuid { guid: told, places } = error else { panic!("{error}") };
        assert_eq!(told, guid);
        assert_ne!(places[0], places[1]);
    }
}

#[test]
fn without_a_cable_or_an_answer_there_is_no_map() {
    let mut topology = clos();
    topology.disconnect(PortId::new(HostId(0), 0));
    let error = discover(&mut exchange(&shared(&topology), 0.0, 1)).expect_err("nothing is there");
    assert!(matches!(error, InfinibandError::NoLink { port: 1, .. }), "{error}");
    let subnet = shared(&topology);
    subnet.borrow_mut().mute.insert(HostId(0).into());
    let error = discover(&mut exchange(&subnet, 0.0, 1)).expect_err("nobody answers");
    assert!(matches!(error, InfinibandError::NoStart), "{error}");
}

#[test]
fn an_installed_subnet_delivers_every_packet_and_a_second_time_changes_nothing() {
    for (seed, topology) in topologies().into_iter().enumerate() {
        let subnet = shared(&topology);
        let (found, lids, installed) = bring_up(&mut exchange(&subnet, 0.05, seed as u64)).expect("it comes up");
        assert_eq!(installed.active, 2 * topology.cables().len());
        let twin = |node: NodeId| topology.find(found.topology().node_name(node)).expect("names are the same");
        for from in topology.host_ids() {
            for to in found.topology().host_ids() {
                assert_eq!(subnet.borrow().send(from, lids.host(to)), Some(twin(to.into())));
            }
            for to in found.topology().crossbar_ids() {
                assert_eq!(subnet.borrow().send(from, lids.switch(to)), Some(twin(to.into())));
            }
        }
        let (before, tables) = (subnet.borrow().ports.clone(), subnet.borrow().tables.clone());
        let (_, again, _) = bring_up(&mut exchange(&subnet, 0.0, 1)).expect("it is up");
        assert_eq!(again, lids);
        assert!(before == subnet.borrow().ports && tables == subnet.borrow().tables);
    }
}

#[test]
fn nothing_is_written_where_another_subnet_manager_is_at_work() {
    use ManagerState::{Discovering, Master, Resting, Standby};
    let host = |host: u32| NodeId::from(HostId(host));
    let switch = NodeId::from(CrossbarId(3));
    for (managers, expected) in [
        (vec![(host(5), Some(Master))], Some((host(5), Master))),
        (vec![(switch, Some(Master)), (host(7), Some(Standby))], Some((switch, Master))),
        (vec![(host(0), Some(Standby))], Some((host(0), Standby))),
        (vec![(host(2), Some(Resting)), (host(4), Some(Discovering))], Some((host(4), Discovering))),
        (vec![(host(1), Some(Resting)), (host(9), None)], None),
    ] {
        let topology = clos();
        let subnet = shared(&topology);
        managers.iter().for_each(|&(node, state)| subnet.borrow_mut().manage(node, state));
        let before = subnet.borrow().ports.clone();
        match (bring_up(&mut exchange(&subnet, 0.0, 1)), expected) {
            (Ok(_), None) => {}
            (Err(InfinibandError::Managed { place, state }), Some((node, doing))) => {
                assert_eq!((place.as_str(), state), (topology.node_name(node), doing));
                assert!(before == subnet.borrow().ports, "a port was written");
                assert!(subnet.borrow().tables.values().flatten().all(|&port| port == 0xff), "a table was written");
            }
            (outcome, _) => panic!("{managers:?}: {:?}", outcome.map(|_| ())),
        }
    }
}

#[test]
fn nothing_is_written_where_a_node_is_locked_by_a_key() {
    for (node, protection) in [(NodeId::from(HostId(5)), 0), (HostId(0).into(), 1), (CrossbarId(3).into(), 0)] {
        let topology = clos();
        let subnet = shared(&topology);
        subnet.borrow_mut().lock(node, protection);
        let before = subnet.borrow().ports.clone();
        let error = bring_up(&mut exchange(&subnet, 0.0, 1)).expect_err("it takes nothing");
        assert!(matches!(&error, InfinibandError::Locked(place) if place == topology.node_name(node)), "{error}");
        assert!(before == subnet.borrow().ports, "a port was written");
        assert!(subnet.borrow().tables.values().flatten().all(|&port| port == 0xff), "a table was written");
    }
}

#[test]
fn a_table_that_is_too_small_is_refused_before_anything_is_written() {
    let subnet = shared(&clos());
    subnet.borrow_mut().capacity = 20;
    let error = bring_up(&mut exchange(&subnet, 0.0, 1)).expect_err("36 ports need 37 entries");
    assert!(matches!(error, InfinibandError::TableTooSmall { capacity: 20, needed: 37, .. }), "{error}");
    assert!(subnet.borrow().tables.values().flatten().all(|&port| port == 0xff));
}

#[test]
fn identifiers_that_are_good_are_kept() {
    let topology = clos();
    let mut found = vec![0; 16];
    (found[0], found[1], found[2], found[3]) = (7, 900, 900, 0xc000);
    let lids = Lids::assign(&topology, &found, &[0; 20]).expect("there are enough");
    let hosts: Vec<u16> = topology.host_ids().map(|host| lids.host(host)).collect();
    assert_eq!(hosts[..9], [7, 1, 2, 3, 4, 5, 6, 8, 9]);
    assert_eq!(lids.top(), 36);
    assert_eq!(lids.owners().iter().flatten().count(), 36);
}

#[test]
fn the_file_of_tables_says_what_the_tables_say() {
    let topology = clos();
    let found = discover(&mut exchange(&shared(&topology), 0.0, 1)).expect("it is found");
    let lids = Lids::assign(found.topology(), &[0; 16], &[0; 20]).expect("there are enough");
    let routes = routes(found.topology());
    let tables = ForwardingTables::new(&found, &lids, &routes);
    let text = forwarding_tables(&found, &lids, &tables);
    let first = &found.topology().crossbar(CrossbarId(0)).name;
    let guid = found.switch(CrossbarId(0)).guid;
    assert!(text.starts_with(&format!(
        "Unicast lids [0x1-0x24] of switch Lid 17 guid {guid:#018x} ({first}):\n  Lid  Out   Destination\n       Port     Info\n"
    )));
    let to_first_host = tables.port(CrossbarId(0), 1);
    let id = found.topology().host(HostId(0)).id;
    let line =
        format!("\n0x0001 {to_first_host:03} : (Channel Adapter portguid {id}: '{}')\n", topology.host(HostId(0)).name);
    assert!(text.contains(&line), "{line}{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("0x")).count(), 20 * 36);
}

#[test]
fn a_network_file_has_each_cable_at_both_ends_and_the_front_end_first() {
    let text = ibsim_network(&clos(), HostId(2).into()).expect("its names fit");
    assert!(text.starts_with("Hca\t1 \"n1\"\n[1]\t\"x1.1\"[1]\n\nHca\t1 \"master\"\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with('[')).count(), 2 * clos().cables().len());
}

#[test]
fn a_network_file_takes_only_names_that_ibsim_reads_back() {
    let long = "n".repeat(63);
    let named = |name: &str| {
        let mut topology = Topology::new("named");
        topology.add_host(name, UniqueId(1), 1).expect("a name without spaces");
        ibsim_network(&topology, HostId(0).into())
    };
    for name in ["a'=\\[1]lid", "knöchel", &long] {
        assert_eq!(named(name), Ok(format!("Hca\t1 \"{name}\"\n\n")));
    }
    for name in ["a\"b", "a@b", &format!("{long}n")] {
        assert_eq!(named(name), Err(UnfitName(name.to_owned())));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), SMP_SIZE), data in any::<[u8; 32]>()) {
        let smp = Smp::parse_answer(&bytes);
        if let Some(smp) = smp {
            let _ = (smp.route(), smp.attribute(), smp.status());
        }
        let mut attribute = [0; DATA];
        attribute[..32].copy_from_slice(&data);
        if let Ok(info) = NodeInfo::parse(&attribute) {
            prop_assert!(info.local_port <= info.ports);
        }
        let mut info = PortInfo::from_data(attribute);
        info.agree_with(&PortInfo::from_data(attribute));
        info.request_state(info.state());
        let _ = (node_description(&attribute), ManagerState::from_data(&attribute));
    }

    #[test]
    fn short_bytes_are_no_packet(bytes in proptest::collection::vec(any::<u8>(), 0..SMP_SIZE)) {
        prop_assert!(Smp::parse_answer(&bytes).is_none());
    }
}
