//! The node's side of loading.

use crate::tables::{Choice, Tables};
use bytes::Bytes;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::Route;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::routes::agent::{AgentEvent, RouteAgent};
use twowire_fabric::routes::encode::TableEncoder;
use twowire_fabric::routes::message::{Message, Refusal};
use twowire_fabric::topology::{Topology, generate};

const NODE: NodeNumber = NodeNumber(3);

fn fabric() -> Topology {
    generate::Clos { hosts: 16, radix: 8, levels: 2, oversubscription: 1.0 }.build().unwrap()
}

/// The encoded table of a node, with `k` routes to each other one.
fn table(node: NodeNumber, k: usize) -> Bytes {
    let fabric = fabric();
    let tables = Tables::new(&fabric, Choice::Modulo);
    TableEncoder::new(&fabric, tables.nodes()).encode(&tables.table(node, k)).unwrap().into()
}

fn load(epoch: u32, k: usize) -> Message {
    Message::Load { epoch, node: NODE, table: table(NODE, k) }
}

fn commit(epoch: u32) -> Message {
    Message::Commit { epoch, node: NODE }
}

fn refused(epoch: u32, reason: Refusal) -> (Option<Message>, Option<AgentEvent>) {
    (Some(Message::Refused { epoch, node: NODE, reason }), None)
}

fn loaded(epoch: u32, event: Option<AgentEvent>) -> (Option<Message>, Option<AgentEvent>) {
    (Some(Message::Loaded { epoch, node: NODE }), event)
}

fn committed(epoch: u32, event: Option<AgentEvent>) -> (Option<Message>, Option<AgentEvent>) {
    (Some(Message::Committed { epoch, node: NODE }), event)
}

/// An agent that uses the routes of this epoch.
fn agent_at(epoch: u32) -> RouteAgent {
    let mut agent = RouteAgent::new();
    agent.handle_message(&load(epoch, 2));
    agent.handle_message(&commit(epoch));
    assert_eq!(agent.table().epoch(), epoch);
    agent
}

#[test]
fn the_old_routes_are_in_use_until_the_commit() {
    let mut agent = RouteAgent::new();
    assert_eq!((agent.table().epoch(), agent.number()), (0, None));
    assert_eq!(agent.handle_message(&load(1, 2)), loaded(1, Some(AgentEvent::Loaded { epoch: 1 })));
    assert_eq!((agent.table().epoch(), agent.next_table().map(RouteTable::epoch)), (0, Some(1)));
    assert_eq!(agent.handle_message(&commit(1)), committed(1, Some(AgentEvent::Committed { epoch: 1 })));
    assert_eq!((agent.table().epoch(), agent.number(), agent.next_table()), (1, Some(NODE), None));

    agent.handle_message(&load(2, 4));
    assert_eq!(agent.table().routes_to(NodeNumber(9)).count(), 2);
    agent.handle_message(&commit(2));
    assert_eq!(agent.table().routes_to(NodeNumber(9)).count(), 4);
}

#[test]
fn a_message_that_comes_again_is_answered_again() {
    let mut agent = RouteAgent::new();
    agent.handle_message(&load(1, 2));
    assert_eq!(agent.handle_message(&load(1, 2)), loaded(1, None));
    agent.handle_message(&commit(1));
    assert_eq!(agent.handle_message(&commit(1)), committed(1, None));
    assert_eq!(agent.handle_message(&load(1, 2)), loaded(1, None));
    assert_eq!(agent.handle_message(&commit(1)), committed(1, None));
}

#[test]
fn epochs_do_not_go_backwards() {
    let mut agent = agent_at(5);
    assert_eq!(agent.handle_message(&load(4, 2)), refused(4, Refusal::EpochBackwards));
    assert_eq!(agent.handle_message(&commit(4)), refused(4, Refusal::NotLoaded));
    assert_eq!(agent.handle_message(&load(5, 4)), refused(5, Refusal::EpochInUse));
    assert_eq!(RouteAgent::new().handle_message(&load(0, 2)), refused(0, Refusal::EpochBackwards));
    assert_eq!(agent.table().epoch(), 5);
}

#[test]
fn what_was_not_loaded_is_not_committed() {
    let mut agent = agent_at(1);
    assert_eq!(agent.handle_message(&commit(2)), refused(2, Refusal::NotLoaded));
    agent.handle_message(&load(2, 4));
    assert_eq!(agent.handle_message(&commit(3)), refused(3, Refusal::NotLoaded));
    let abort = Message::Abort { epoch: 2, node: NODE };
    assert_eq!(agent.handle_message(&abort), (None, Some(AgentEvent::Aborted { epoch: 2 })));
    assert_eq!(agent.handle_message(&abort), (None, None));
    assert_eq!(agent.handle_message(&commit(2)), refused(2, Refusal::NotLoaded));
    assert_eq!(agent.table().epoch(), 1);
}

/// A front end that starts anew does not know what its predecessor had loaded.
#[test]
fn a_table_that_waits_gives_way_to_another() {
    let mut agent = agent_at(1);
    agent.handle_message(&load(7, 4));
    assert_eq!(agent.handle_message(&load(2, 3)), loaded(2, Some(AgentEvent::Loaded { epoch: 2 })));
    assert_eq!(agent.handle_message(&commit(7)), refused(7, Refusal::NotLoaded));
    agent.handle_message(&commit(2));
    assert_eq!(agent.table().epoch(), 2);
}

#[test]
fn a_table_of_another_node_is_refused() {
    let mut agent = RouteAgent::new();
    let mismatched = Message::Load { epoch: 1, node: NODE, table: table(NodeNumber(4), 2) };
    assert_eq!(agent.handle_message(&mismatched), refused(1, Refusal::OtherNode));
    let mut agent = agent_at(1);
    let (node, epoch) = (NodeNumber(4), 2);
    let other = Message::Load { epoch, node, table: table(node, 2) };
    let reason = Refusal::OtherNode;
    assert_eq!(agent.handle_message(&other).0, Some(Message::Refused { epoch, node, reason }));
}

#[test]
fn a_table_without_a_way_to_the_front_end_is_refused() {
    let fabric = fabric();
    let tables = Tables::new(&fabric, Choice::Modulo);
    let whole = tables.table(NODE, 2);
    let mut lacking = RouteTable::new(1, NODE);
    lacking.push([]);
    for index in 1..whole.destinations() {
        lacking.push(whole.routes_to(NodeNumber::from_index(index)));
    }
    let bytes = TableEncoder::new(&fabric, tables.nodes()).encode(&lacking).unwrap();
    let message = Message::Load { epoch: 1, node: NODE, table: bytes.into() };
    assert_eq!(RouteAgent::new().handle_message(&message), refused(1, Refusal::NoRouteToFrontEnd));
}

#[test]
fn a_damaged_table_is_refused_and_changes_nothing() {
    let mut agent = agent_at(1);
    let whole = table(NODE, 2);
    let message = Message::Load { epoch: 2, node: NODE, table: whole.slice(..whole.len() - 1) };
    assert_eq!(agent.handle_message(&message), refused(2, Refusal::BadTable));
    assert_eq!((agent.table().epoch(), agent.next_table()), (1, None));
}

#[test]
fn the_master_record_has_the_preferred_route_and_disjoint_alternates() {
    let mut agent = RouteAgent::new();
    assert_eq!(agent.master_record(3), None);
    let pink = generate::pink();
    let tables = Tables::new(&pink, Choice::Modulo);
    let node = NodeNumber(700);
    let routes = tables.table(node, 64);
    let table = TableEncoder::new(&pink, tables.nodes()).encode(&routes).unwrap().into();
    agent.handle_message(&Message::Load { epoch: 1, node, table });
    agent.handle_message(&Message::Commit { epoch: 1, node });

    let record = agent.master_record(7).unwrap();
    assert_eq!((record.epoch, record.node), (1, node));
    assert_eq!(Some(record.primary), routes.routes_to(NodeNumber::FRONT_END).next());
    assert_eq!(record.alternates.len(), 7);
    // Eight ways lead up from a node's crossbar, and eight down to the front end's: eight routes need not share a cable.
    let all: Vec<Route> = [record.primary].into_iter().chain(record.alternates.clone()).collect();
    for end in [0, 4] {
        let mut hops: Vec<u8> = all.iter().map(|route| route.as_bytes()[end]).collect();
        hops.sort_unstable();
        hops.dedup();
        assert_eq!(hops.len(), 8, "{all:?}");
    }
    assert_eq!(agent.master_record(2).unwrap().alternates[..], record.alternates[..2]);
}
