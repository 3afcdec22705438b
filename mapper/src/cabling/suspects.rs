//! Which components explain the dead cables.
//!
//! One broken crossbar takes all its cables with it, so where at least half of a crossbar's cables are dead, and more than one, it is
//! suspected before them; the crossbar that explains most comes first. Cables that no crossbar explains are suspected alone:
//! a host's together with its card.

use super::places::{End, Places};
use super::plan::dead_cables;
use crate::levels;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// What may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// A crossbar that hosts are plugged into.
    LineCrossbar,
    /// A crossbar above those.
    SpineCrossbar,
    /// A host's card, or what is around it.
    Nic,
    /// A cable between crossbars.
    Cable,
}

/// A component that explains dead cables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// What it is.
    pub component: Component,
    /// Its name; a cable's two ends.
    pub name: String,
    /// The dead cables that it would explain, and no suspect before it.
    pub explains: usize,
    /// Its dead cables.
    pub dead: usize,
    /// Its cables.
    pub of: usize,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Suspect { component, name, dead, of, .. } = self;
        match component {
            Component::LineCrossbar => write!(f, "line crossbar {name}: {dead} of its {of} cables are dead"),
            Component::SpineCrossbar => write!(f, "spine crossbar {name}: {dead} of its {of} cables are dead"),
            Component::Nic => write!(
                f,
                "the card of {name}: {dead} of its {of} cables {}",
                if *dead == 1 { "is dead" } else { "are dead" }
            ),
            Component::Cable => {
                write!(f, "the cable {name}: it alone is dead, most others of both its crossbars are not")
            }
        }
    }
}

/// The components to suspect, the one that explains most dead cables first.
pub fn suspects(intended: &Topology, its_front_end: HostId, found: &Topology, front_end: HostId) -> Vec<Suspect> {
    let places = Places::new(intended, its_front_end, found, front_end);
    let port = |end: End| match end {
        End::Known(port) => port,
        End::New(_) => unreachable!("an intended cable has intended ends"),
    };
    let dead = dead_cables(&places).into_iter().map(|(a, b)| (port(a), port(b))).collect();
    rank(intended, dead)
}

fn rank(intended: &Topology, mut unexplained: BTreeSet<(PortId, PortId)>) -> Vec<Suspect> {
    let all_dead = unexplained.clone();
    let touches = |node: NodeId| move |&(a, b): &(PortId, PortId)| a.node == node || b.node == node;
    let count = |of: &BTreeSet<(PortId, PortId)>, node: NodeId| of.iter().filter(|cable| touches(node)(cable)).count();
    let levels = levels::of_crossbars(intended);
    let mut ranked = Vec::new();
    loop {
        let candidates: BTreeSet<CrossbarId> =
            unexplained.iter().flat_map(|&(a, b)| [a, b]).filter_map(crossbar).collect();
        let suspect = |x: CrossbarId| Suspect {
            component: if levels[x.0 as usize] == 1 { Component::LineCrossbar } else { Component::SpineCrossbar },
            name: intended.crossbar(x).name.clone(),
            explains: count(&unexplained, x.into()),
            dead: count(&all_dead, x.into()),
            of: cabled(intended, x.into()),
        };
        let likely =
            candidates.into_iter().map(|x| (x, suspect(x))).filter(|(_, s)| s.explains > 1 && 2 * s.dead >= s.of);
        let Some((x, suspect)) = likely.max_by_key(|(x, s)| (s.explains, s.dead * 1000 / s.of, Reverse(*x))) else {
            break;
        };
        unexplained.retain(|cable| !touches(x.into())(cable));
        ranked.push(suspect);
    }
    ranked.extend(alone(intended, &unexplained));
    ranked
}

/// Dead cables that no crossbar explains: those of a host together.
fn alone(intended: &Topology, dead: &BTreeSet<(PortId, PortId)>) -> Vec<Suspect> {
    let mut hosts: Vec<(HostId, usize)> = Vec::new();
    let mut suspects = Vec::new();
    for &(a, b) in dead {
        match [a.node, b.node].into_iter().find_map(host) {
            Some(host) => match hosts.iter_mut().find(|(known, _)| *known == host) {
                Some((_, dead)) => *dead += 1,
                None => hosts.push((host, 1)),
            },
            None => {
                let name = format!("{} {}", intended.port_name(a), intended.port_name(b));
                suspects.push(Suspect { component: Component::Cable, name, explains: 1, dead: 1, of: 1 });
            }
        }
    }
    suspects.extend(hosts.into_iter().map(|(host, dead)| Suspect {
        component: Component::Nic,
        name: intended.host(host).name.clone(),
        explains: dead,
        dead,
        of: cabled(intended, host.into()),
    }));
    suspects.sort_by_key(|suspect| Reverse(suspect.explains));
    suspects
}

fn cabled(topology: &Topology, node: NodeId) -> usize {
    topology.peers(node).iter().flatten().count()
}

fn crossbar(end: PortId) -> Option<CrossbarId> {
    if let NodeId::Crossbar(x) = end.node { Some(x) } else { None }
}

fn host(node: NodeId) -> Option<HostId> {
    if let NodeId::Host(host) = node { Some(host) } else { None }
}
