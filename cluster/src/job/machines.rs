//! The job at the end of a lab's bring-up: the nodes run it, over the fabric, as they run any program that `mpirun` sends them.

use super::{JobError, JobReport};
use crate::lab::Lab;
use crate::noded::part::beside_us;
use crate::up::Cluster;
use std::collections::BTreeSet;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;
use twowire_fabric::id::NodeNumber;

/// Seconds that the job may take: emulated machines are slow.
const LIMIT: &str = "120";

/// Runs the job with a rank on each of so many nodes that are up. The program is a static one, which the nodes get over the fabric.
#[expect(clippy::disallowed_methods, reason = "the report shows how long the job took on the clock on the wall")]
pub fn run(cluster: &Cluster, ranks: usize, lab: &Lab) -> Result<JobReport, JobError> {
    let failed: BTreeSet<&str> = cluster.report.nodes_failed.iter().map(|failure| failure.node.as_str()).collect();
    let all = cluster.map.nodes().map(|(number, _)| number).filter(|&number| number != NodeNumber::FRONT_END);
    let mut nodes: Vec<String> = all.map(|number| number.to_string()).collect();
    nodes.retain(|node| !failed.contains(node.as_str()));
    if nodes.len() < ranks {
        return Err(JobError::TooFewNodes { ranks, up: nodes.len() });
    }
    nodes.truncate(ranks);
    let folder = lab.folder();
    let begun = Instant::now();
    let mut mpirun = Command::new(beside_us("mpirun")?);
    mpirun.args(["--timeout", LIMIT, "--via", &lab.fabric(), "--hosts", &nodes.join(",")]);
    mpirun.arg("--map").arg(folder.map()).arg("--routes").arg(folder.routes());
    mpirun.arg("--secret").arg(folder.secret()).arg(lab.plan().noded()).arg("mpi-check");
    let output = mpirun.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(JobError::Io(io::Error::other(format!("mpirun ended with {}", output.status))));
    }
    let figures = serde_json::from_slice(&output.stdout).map_err(io::Error::other)?;
    Ok(JobReport { nodes, figures, wall_ms: begun.elapsed().as_secs_f64() * 1e3 })
}
