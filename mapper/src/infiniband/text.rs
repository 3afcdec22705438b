//! OpenSM's file of forwarding tables, and ibsim's file of a network.

use super::forwarding::ForwardingTables;
use super::lids::Lids;
use super::smp::NO_PORT;
use super::subnet::Subnet;
use std::fmt::Write;
use twowire_fabric::topology::{NodeId, PortId, Topology};

/// The forwarding tables of all switches, as OpenSM's routing engine `file` reads them (`opensm -R file -U FILE`). Each line
/// names a destination by GUID as well, so OpenSM finds it whatever identifier it gives it.
pub fn forwarding_tables(subnet: &Subnet, lids: &Lids, tables: &ForwardingTables) -> String {
    let topology = subnet.topology();
    let mut text = String::new();
    for switch in topology.crossbar_ids() {
        let (lid, guid) = (lids.switch(switch), subnet.switch(switch).guid);
        let name = &topology.crossbar(switch).name;
        let top = lids.top();
        line(&mut text, format_args!("Unicast lids [0x1-{top:#x}] of switch Lid {lid} guid {guid:#018x} ({name}):"));
        line(&mut text, format_args!("  Lid  Out   Destination\n       Port     Info"));
        for lid in 1..=usize::from(top) {
            let Some(owner) = tables.owner(lid) else { continue };
            let port = tables.port(switch, lid);
            if port == NO_PORT {
                continue;
            }
            let (kind, guid) = match owner {
                NodeId::Host(host) => ("Channel Adapter", topology.host(host).id.0),
                NodeId::Crossbar(x) => ("Switch", subnet.switch(x).guid),
            };
            let name = topology.node_name(owner);
            line(&mut text, format_args!("{lid:#06x} {port:03} : ({kind} portguid {guid:#018x}: '{name}')"));
        }
        line(&mut text, format_args!(""));
    }
    text
}

/// The longest name that ibsim keeps, in bytes.
const NAME_BYTES: usize = 63;

/// A name that a network file of ibsim cannot hold: quotes end it, and ibsim keeps `@` and `#` for itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ibsim takes no node of the name `{0}`: its names have at most {NAME_BYTES} bytes, none of them `\"`, `@` or `#`; write the \
     map with `--topo-out`, rename the node there, and give the file by `--from-topo`"
)]
pub struct UnfitName(pub String);

/// A topology as a network of ibsim (`ibsim -s FILE`): crossbars become switches, hosts adapters, and ports count from 1.
/// The front end comes first, since that is where ibsim's clients sit that do not say where.
pub fn ibsim_network(topology: &Topology, front_end: NodeId) -> Result<String, UnfitName> {
    let mut text = String::new();
    let hosts = topology.host_ids().map(NodeId::Host);
    let crossbars = topology.crossbar_ids().map(NodeId::Crossbar);
    let others = hosts.chain(crossbars).filter(|&node| node != front_end);
    for node in std::iter::once(front_end).chain(others) {
        let kind = if matches!(node, NodeId::Host(_)) { "Hca" } else { "Switch" };
        let name = topology.node_name(node);
        if name.len() > NAME_BYTES || name.contains(['"', '@', '#']) {
            return Err(UnfitName(name.to_owned()));
        }
        line(&mut text, format_args!("{kind}\t{} \"{name}\"", topology.ports_of(node)));
        for port in 0..topology.ports_of(node) {
            if let Some(peer) = topology.peer(PortId::new(node, port)) {
                let name = topology.node_name(peer.node);
                line(&mut text, format_args!("[{}]\t\"{name}\"[{}]", port + 1, peer.port + 1));
            }
        }
        line(&mut text, format_args!(""));
    }
    Ok(text)
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string does not fail");
}
