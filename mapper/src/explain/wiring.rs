//! What is plugged in where.

use serde::Serialize;
use std::fmt;
use twowire_fabric::topology::{Cable, CrossbarId, NodeId, PortId, Topology};

/// The wiring list of a fabric: each port of each crossbar.
#[derive(Clone, Debug, Serialize)]
pub struct Wiring(pub Vec<Plug>);

/// One port of a crossbar.
#[derive(Clone, Debug, Serialize)]
pub struct Plug {
    /// The crossbar.
    pub crossbar: String,
    /// Its port.
    pub port: u8,
    /// Where the other end of its cable is; `None` if there is no cable.
    pub to: Option<String>,
    /// The unique id of the host there, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Bits a second, where the map says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_bits_per_s: Option<u64>,
    /// Metres, where the map says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_m: Option<f64>,
}

/// The wiring list.
pub fn wiring(topology: &Topology) -> Wiring {
    let mut at = std::collections::HashMap::new();
    for cable in topology.cables() {
        at.insert(cable.a, cable);
        at.insert(cable.b, cable);
    }
    let ports = |x: CrossbarId| (0..topology.crossbar(x).ports).map(move |port| PortId::new(x, port));
    let ends = topology.crossbar_ids().flat_map(ports);
    Wiring(ends.map(|end| plug(topology, end, at.get(&end).copied())).collect())
}

fn plug(topology: &Topology, end: PortId, cable: Option<&Cable>) -> Plug {
    let other = topology.peer(end);
    let host = other.and_then(|other| match other.node {
        NodeId::Host(host) => Some(topology.host(host).id.to_string()),
        NodeId::Crossbar(_) => None,
    });
    Plug {
        crossbar: topology.node_name(end.node).to_owned(),
        port: end.port,
        to: other.map(|other| topology.port_name(other).to_string()),
        id: host,
        rate_bits_per_s: cable.and_then(|cable| cable.rate_bits_per_s),
        length_m: cable.and_then(|cable| cable.length_m),
    }
}

impl fmt::Display for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:>4}  {:<16} what is known of the cable and the card", "crossbar", "port", "leads to")?;
        for plug in &self.0 {
            let mut known: Vec<String> = plug.id.iter().cloned().collect();
            known.extend(plug.rate_bits_per_s.map(|rate| format!("{} Mbit/s", rate / 1_000_000)));
            known.extend(plug.length_m.map(|length| format!("{length} m")));
            let to = plug.to.as_deref().unwrap_or("-");
            let line = format!("{:<12} {:>4}  {to:<16} {}", plug.crossbar, plug.port, known.join(", "));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
