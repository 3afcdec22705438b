//! The MPI job at the end of a bring-up: ranks as processes of their own, attached to nodes' places on crossbars in real time, over the
//! proven routes of the map.
//!
//! | module | what it is |
//! |---|---|
//! | `seats` | which nodes take part, and the file that tells the ranks where everybody sits |
//! | `ranks` | the processes |
//! | [`machines`] | the same on the nodes of a lab |
//! | `check` | the MPI program that they run |

pub mod check;
pub mod machines;
mod ranks;
mod seats;

use crate::up::Cluster;
use check::Figures;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};
use twowire_fabric::xbar::{ServeError, Server, ServerConfig};

/// The longest that a job may take, on the clock on the wall.
const LIMIT: Duration = Duration::from_secs(60);

/// What a job did.
#[derive(Clone, Debug, Serialize)]
pub struct JobReport {
    /// The nodes that the ranks were attached to, by rank.
    pub nodes: Vec<String>,
    /// What the program measured.
    #[serde(flatten)]
    pub figures: Figures,
    /// From the first process's start to the last one's end, on the clock on the wall.
    pub wall_ms: f64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Fewer nodes than ranks.
    #[error("a job of {ranks} ranks needs as many nodes, and {up} are up")]
    TooFewNodes {
        /// What was asked for.
        ranks: usize,
        /// What there is.
        up: usize,
    },
    /// The crossbars.
    #[error("the crossbars: {0}")]
    Crossbars(#[from] ServeError),
    /// A rank.
    #[error("rank {rank} (node {node}): {what}")]
    Rank {
        /// Which.
        rank: usize,
        /// Its node.
        node: String,
        /// How it ended, and what it said.
        what: String,
    },
    /// The operating system refused.
    #[error("the job could not be started: {0}")]
    Io(#[from] io::Error),
}

/// Runs a job of `ranks` processes of `program`, which is to run [`check::run`].
#[expect(clippy::disallowed_methods, reason = "the report shows how long the job took on the clock on the wall")]
pub fn run(cluster: &Cluster, ranks: usize, program: &Path, arguments: &[&str]) -> Result<JobReport, JobError> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("xbar");
    let seats = seats::choose(cluster, ranks)?;
    let file = folder.path().join("seats");
    std::fs::write(&file, seats.to_text(&socket))?;
    let mut crossbars = Server::bind(&socket, cluster.wiring.clone(), ServerConfig::default())?;
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let said = thread::scope(|scope| {
        let serving = scope.spawn(|| crossbars.run(|| over.load(Ordering::Relaxed)));
        let said = ranks::run(program, arguments, &seats.nodes, &file, LIMIT);
        over.store(true, Ordering::Relaxed);
        match serving.join() {
            Ok(served) => served.map_err(JobError::from).and(said),
            Err(_) => Err(JobError::Io(io::Error::other("the crossbars' thread failed"))),
        }
    })?;
    let figures = serde_json::from_str(&said).map_err(io::Error::other)?;
    Ok(JobReport { nodes: seats.nodes, figures, wall_ms: begun.elapsed().as_secs_f64() * 1e3 })
}
