//! Which nodes take part in a job, and the file that tells the ranks where everybody sits (`docs/mpi.md`).

use super::JobError;
use crate::up::Cluster;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::topology::HostId;

/// The seats of a job's ranks.
pub(super) struct Seats {
    /// The nodes, by rank.
    pub(super) nodes: Vec<String>,
    ranks: Vec<Rank>,
}

struct Rank {
    /// The host's name on the crossbars.
    host: String,
    card: String,
    /// The routes to each rank, in hex.
    routes: Vec<String>,
}

/// Nodes that are up, spread over the fabric.
pub(super) fn choose(cluster: &Cluster, ranks: usize) -> Result<Seats, JobError> {
    let failed: BTreeSet<&str> = cluster.report.nodes_failed.iter().map(|failure| failure.node.as_str()).collect();
    let is_up =
        |node: &(NodeNumber, HostId)| node.0 != NodeNumber::FRONT_END && !failed.contains(node.0.to_string().as_str());
    let up: Vec<(NodeNumber, HostId)> = cluster.map.nodes().filter(is_up).collect();
    if up.len() < ranks {
        return Err(JobError::TooFewNodes { ranks, up: up.len() });
    }
    let chosen: Vec<(NodeNumber, HostId)> = (0..ranks).map(|rank| up[rank * up.len() / ranks]).collect();
    Ok(Seats {
        nodes: chosen.iter().map(|(number, _)| number.to_string()).collect(),
        ranks: chosen.iter().map(|&(_, host)| rank(cluster, host, &chosen)).collect(),
    })
}

fn rank(cluster: &Cluster, host: HostId, all: &[(NodeNumber, HostId)]) -> Rank {
    let card = cluster.map.topology().host(host).id;
    let number = cluster.map.number(host).to_string();
    // The map has its own names; on the crossbars a host is found by its card, or, if that was replaced, by its number.
    let wired = cluster.wiring.hosts();
    let wired = wired.iter().find(|wired| wired.id == card).or_else(|| wired.iter().find(|wired| wired.name == number));
    let (name, card) = wired.map_or((number, card), |wired| (wired.name.clone(), wired.id));
    let routes = |to: HostId| {
        let routes: Vec<String> = cluster.routes.routes(host, to).map(|route| route.to_string()).collect();
        routes.join(" ")
    };
    Rank { host: name, card: card.to_string(), routes: all.iter().map(|&(_, to)| routes(to)).collect() }
}

impl Seats {
    /// The file.
    pub(super) fn to_text(&self, socket: &Path) -> String {
        let mut text = format!("seats 1 xbar:{}\n", socket.display());
        for (number, rank) in self.ranks.iter().enumerate() {
            let _ = writeln!(text, "rank {number} {} {}", rank.host, rank.card);
        }
        for (from, rank) in self.ranks.iter().enumerate() {
            let others = rank.routes.iter().enumerate().filter(|&(to, _)| to != from);
            for (to, routes) in others {
                let _ = writeln!(text, "route {from} {to} {routes}");
            }
        }
        text
    }
}
