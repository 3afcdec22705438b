//! The graph for Graphviz: `dot -Tsvg fabric.dot`, or `neato` for what has no levels.

use super::svg::{CableState, Picture};
use crate::levels;
use std::fmt::Write;
use twowire_fabric::topology::{NodeId, PortId};

/// The graph, crossbars of one level in one rank, with the ports at the ends of the cables.
pub fn graph(picture: &Picture<'_>) -> String {
    let mut text = String::new();
    write_graph(&mut text, picture).expect("a string takes all");
    text
}

fn write_graph(out: &mut String, picture: &Picture<'_>) -> std::fmt::Result {
    let topology = picture.topology;
    writeln!(out, "graph {} {{", quoted(&topology.name))?;
    writeln!(out, "  graph [ranksep=1.5];\n  node [shape=box, fontsize=10];\n  edge [fontsize=8];")?;
    let levels = levels::of_crossbars(topology);
    for level in (1..=levels.iter().copied().max().unwrap_or(0)).rev() {
        write!(out, "  {{ rank=same;")?;
        for (x, _) in topology.crossbar_ids().zip(&levels).filter(|(_, l)| **l == level) {
            write!(out, " {};", quoted(&topology.crossbar(x).name))?;
        }
        writeln!(out, " }}")?;
    }
    for host in topology.hosts() {
        writeln!(out, "  {} [shape=plaintext, tooltip={}];", quoted(&host.name), quoted(&host.id.to_string()))?;
    }
    for (upper, lower, state) in picture.cables_in_order() {
        writeln!(out, "  {}", edge(picture, upper, lower, state))?;
    }
    out.write_str("}\n")
}

/// One cable.
fn edge(picture: &Picture<'_>, upper: PortId, lower: PortId, state: CableState) -> String {
    let end = |end: PortId| {
        let name = quoted(picture.topology.node_name(end.node));
        let label = if matches!(end.node, NodeId::Host(_)) { String::new() } else { end.port.to_string() };
        (name, quoted(&label))
    };
    let ((upper, tail), (lower, head)) = (end(upper), end(lower));
    let attributes = match state {
        CableState::Dead => ", color=\"#dc2626\", style=dashed, tooltip=\"dead\"".to_owned(),
        CableState::Load(load) => format!(", color=\"{}\", tooltip=\"{load} routes\"", picture.shade(load).colour()),
        CableState::Unknown => String::new(),
    };
    format!("{upper} -- {lower} [taillabel={tail}, headlabel={head}{attributes}];")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
