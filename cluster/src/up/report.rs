//! What `twowire up` says at its end: one JSON object, or a table for people.

use crate::job::JobReport;
use crate::roll_call::RollCall;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;
use twowire_fabric::time::Time;

/// The whole of a bring-up. Two runs with the same seed and flags differ in `wall_ms` and the figures of `job` alone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpReport {
    /// Hosts found, the front end among them.
    pub hosts: usize,
    /// Crossbars found.
    pub crossbars: usize,
    /// Cables found.
    pub cables: usize,
    /// Probes that it took to find them.
    pub probes: u64,
    /// Ordered pairs of hosts that have a proven route.
    pub pairs_routed: u64,
    /// The most routes that a pair has.
    pub routes_per_pair: usize,
    /// The routing engine.
    pub engine: String,
    /// The version of the routes.
    pub epoch: u32,
    /// What the verifier found.
    pub proof: Proof,
    /// Nodes that there should be, the front end not counted.
    pub nodes_expected: usize,
    /// Nodes that run the image and answered the last roll call.
    pub nodes_up: usize,
    /// Name and version of the image.
    pub image: String,
    /// Bytes of the image's payload: kernel and initramfs.
    pub image_bytes: u64,
    /// The payload's BLAKE3 hash, as `b3sum` prints it.
    pub image_blake3: String,
    /// The seed that replays the run.
    pub seed: u64,
    /// What was done, in order.
    pub phases: Vec<PhaseReport>,
    /// Every node that is not up.
    pub nodes_failed: Vec<NodeFailure>,
    /// The MPI job at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
    /// The machines of a lab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll_call: Option<RollCall>,
    /// Faults that were asked for after the time at which all was over.
    pub faults_unused: Vec<String>,
}

/// The verifier's figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// No cycle in the channel dependency graph of all routes.
    pub deadlock_free: bool,
    /// First routes with more hops than a shortest path.
    pub longer_than_minimal: u64,
    /// First routes of all pairs over the busiest directed cable.
    pub load_max: u64,
    /// Hops of the longest route.
    pub hops_max: usize,
}

/// One phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    /// `map`, `routes`, `load`, `boot` or `roll-call`.
    pub name: &'static str,
    /// Time on the fabric's clock, in milliseconds.
    pub fabric_ms: f64,
    /// Time on the clock on the wall, in milliseconds.
    pub wall_ms: f64,
    /// Frames that hosts sent.
    pub frames: u64,
}

/// A node that is not up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeFailure {
    /// The node's name.
    pub node: String,
    /// How far it came.
    pub stage: String,
    /// What went wrong.
    pub error: String,
}

/// Pink's own time for a phase, for comparison (Los Alamos, 2003; wall clock).
fn pink_did(phase: &str) -> &'static str {
    match phase {
        "map" => "4 min (map and route)",
        "boot" => "3 min",
        _ => "",
    }
}

impl UpReport {
    /// The fabric time of all phases together.
    pub fn fabric_ms(&self) -> f64 {
        self.phases.iter().map(|p| p.fabric_ms).sum()
    }

    /// The wall time of all phases together.
    pub fn wall_ms(&self) -> f64 {
        self.phases.iter().map(|p| p.wall_ms).sum()
    }

    /// The tables for people.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.facts(), self.phase_table());
        if !self.nodes_failed.is_empty() {
            let _ = write!(text, "\n{}\n", self.failure_table());
        }
        if let Some(roll_call) = &self.roll_call {
            let _ = write!(text, "\n{}\n", roll_call.to_text());
        }
        text
    }

    fn facts(&self) -> Table {
        let mut table = plain_table();
        let proof = &self.proof;
        let deadlock = if proof.deadlock_free { "no cycle" } else { "CYCLE" };
        table.add_row(vec![
            "fabric".to_owned(),
            format!("{} hosts, {} crossbars, {} cables", group(self.hosts), group(self.crossbars), group(self.cables)),
        ]);
        table.add_row(vec![
            "routes".to_owned(),
            format!(
                "{} pairs, {} each by {}, epoch {}",
                group(self.pairs_routed),
                self.routes_per_pair,
                self.engine,
                self.epoch
            ),
        ]);
        table.add_row(vec![
            "proof".to_owned(),
            format!(
                "every pair arrives, {deadlock}, {} longer than minimal, at most {} hops, busiest cable {} pairs",
                group(proof.longer_than_minimal),
                proof.hops_max,
                group(proof.load_max)
            ),
        ]);
        table.add_row(vec![
            "image".to_owned(),
            format!("{:.1} MiB, BLAKE3 {}", self.image_bytes as f64 / 1048576.0, self.image_blake3),
        ]);
        table.add_row(vec![
            "nodes".to_owned(),
            format!("{} of {} up", group(self.nodes_up), group(self.nodes_expected)),
        ]);
        if let Some(job) = &self.job {
            table.add_row(vec!["MPI job".to_owned(), job_line(job)]);
        }
        table
    }

    fn phase_table(&self) -> Table {
        let mut table = plain_table();
        table.set_header(vec!["phase", "fabric", "wall", "frames", "Pink, 2003"]);
        let total = PhaseReport {
            name: "total",
            fabric_ms: self.fabric_ms(),
            wall_ms: self.wall_ms(),
            frames: self.phases.iter().map(|p| p.frames).sum(),
        };
        for phase in self.phases.iter().chain([&total]) {
            table.add_row(vec![
                phase.name.to_owned(),
                milliseconds(phase.fabric_ms),
                milliseconds(phase.wall_ms),
                group(phase.frames),
                pink_did(phase.name).to_owned(),
            ]);
        }
        for column in 1..4 {
            table.column_mut(column).expect("five columns").set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn failure_table(&self) -> Table {
        let mut table = plain_table();
        table.set_header(vec!["node", "failed at", "error"]);
        for failure in &self.nodes_failed {
            table.add_row(vec![&failure.node, &failure.stage, &failure.error]);
        }
        table
    }
}

fn job_line(job: &JobReport) -> String {
    let figures = &job.figures;
    format!(
        "{} ranks over crossbars in real time, {} values right, 8 bytes {:.1} us, 1 MiB {:.0} MB/s ({} and {})",
        figures.ranks,
        group(figures.verified.unsigned_abs()),
        figures.latency_us,
        figures.bandwidth_mb_per_s,
        job.nodes[0],
        job.nodes.get(1).map_or("itself", String::as_str),
    )
}

/// A table without lines.
pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// A duration as people read it: `33.1 ms`, `1.27 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms >= 1000.0 { format!("{:.2} s", ms / 1000.0) } else { format!("{ms:.1} ms") }
}

/// A number with its thousands set apart.
pub(crate) fn group(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Milliseconds between two instants of the fabric's clock, to the nanosecond.
pub(crate) fn fabric_ms(from: Time, to: Time) -> f64 {
    (to - from).as_nanos() as f64 / 1e6
}

/// Milliseconds of a wall-clock duration, to the microsecond.
pub(crate) fn wall_ms(wall: Duration) -> f64 {
    wall.as_micros() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(group(7u64), "7");
        assert_eq!(group(1_047_552u64), "1,047,552");
        assert_eq!(group(100usize), "100");
    }

    #[test]
    fn the_table_names_what_failed() {
        let report = UpReport {
            nodes_expected: 2,
            nodes_up: 1,
            nodes_failed: vec![NodeFailure {
                node: "n17".into(),
                stage: "receiving (42 %)".into(),
                error: "silent".into(),
            }],
            ..UpReport::default()
        };
        let text = report.to_text();
        for word in ["1 of 2 up", "n17", "receiving (42 %)", "silent", "CYCLE"] {
            assert!(text.contains(word), "`{word}` is missing in\n{text}");
        }
    }
}
