//! What a run has found out, for people and for machines.

use super::cabling::CablingReport;
use super::infiniband::SubnetReport;
use super::load::LoadReport;
use crate::verify::Report;
use serde::Serialize;
use std::io::{self, Write};

/// The one object that `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct MapReport {
    /// The fabric or file that was mapped.
    pub source: String,
    /// What every random choice follows from.
    pub seed: u64,
    /// What discovery took; nothing where the map is from a file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryReport>,
    /// What the verifier says.
    #[serde(flatten)]
    pub proof: Report,
    /// How loading the routes went; nothing if it was not asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<LoadReport>,
    /// How it went on an InfiniBand subnet; nothing on other fabrics.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetReport>,
    /// The intended cabling beside this one; nothing if none was given.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub cabling: Option<CablingReport>,
    /// Time on the clock on the wall, of each step.
    pub phases: Vec<Phase>,
    /// All of it.
    pub wall_ms: f64,
}

/// What discovery took.
#[derive(Debug, Serialize)]
pub(super) struct DiscoveryReport {
    /// Probes sent.
    pub probes: u64,
    /// For each cable of the map.
    pub probes_per_cable: f64,
    /// In the fabric's time.
    pub discovery_ms: f64,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct Phase {
    /// Which.
    pub name: &'static str,
    /// How long it took on the clock on the wall.
    pub wall_ms: f64,
}

/// A number with its thousands apart.
pub(super) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Writes the table of a run.
pub(super) fn write_map(out: &mut dyn Write, report: &MapReport) -> io::Result<()> {
    if let Some(discovery) = &report.discovery {
        row(out, "discovery", &format!("{:.1} ms of fabric time", discovery.discovery_ms))?;
        let each = format!("{} ({:.1} for each cable)", grouped(discovery.probes), discovery.probes_per_cable);
        row(out, "probes", &each)?;
    }
    write_proof(out, &report.proof)?;
    if let Some(loaded) = &report.loaded {
        let (nodes, bytes) = (grouped(loaded.committed), grouped(loaded.table_bytes));
        row(out, "loaded", &format!("{nodes} nodes use their routes, {bytes} bytes, {:.1} ms", loaded.load_ms))?;
        loaded.not_loaded.iter().try_for_each(|n| writeln!(out, "  {} failed at {}: {}", n.node, n.stage, n.reason))?;
    }
    if let Some(subnet) = &report.subnet {
        subnet.silent.iter().try_for_each(|port| writeln!(out, "  {port} has a link, but nobody answers behind it"))?;
        if let Some(installed) = &subnet.installed {
            let (lids, blocks) = (grouped(installed.lids), grouped(installed.table_blocks));
            let ports = grouped(installed.active_ports);
            row(out, "installed", &format!("{lids} identifiers, {blocks} blocks of tables, {ports} ports active"))?;
        }
    }
    let phases: Vec<String> = report.phases.iter().map(|p| format!("{} {:.1} ms", p.name, p.wall_ms)).collect();
    row(out, "wall time", &format!("{:.1} ms ({})", report.wall_ms, phases.join(", ")))?;
    report.cabling.iter().try_for_each(|cabling| cabling.write(out))
}

/// Writes the table of a proof.
pub(super) fn write_proof(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Report { hosts, crossbars, cables, .. } = report;
    row(
        out,
        "fabric",
        &format!("{} hosts, {} crossbars, {} cables", grouped(*hosts), grouped(*crossbars), grouped(*cables)),
    )?;
    let pairs = format!("{} of {} hosts", grouped(report.pairs_routed), grouped(*hosts));
    row(out, "pairs", &pairs)?;
    let routes =
        format!("{}, at most {} for a pair, by {}", grouped(report.routes), report.routes_per_pair, report.engine);
    row(out, "routes", &routes)?;
    row(out, "longest", &format!("{} hops; {} routes longer than necessary", report.hops_max, grouped(report.longer)))?;
    let load = format!("{} on the busiest cable, {:.1} in the mean", grouped(report.load_max), report.load_mean);
    row(out, "all-to-all load", &load)?;
    if report.disconnected > 0 {
        row(out, "disconnected", &format!("{} pairs that no cables connect", grouped(report.disconnected)))?;
    }
    row(out, "proof", &report.verdict())?;
    report.faults.iter().try_for_each(|fault| writeln!(out, "  {fault}"))?;
    if !report.cycle.is_empty() {
        writeln!(out, "  the cycle (each route holds its cable and waits for the next line's):")?;
    }
    report.cycle.iter().try_for_each(|step| writeln!(out, "  {:<24} {}", step.channel, step.route))
}

pub(super) fn row(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<16} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0u64, 7, 999, 1000, 1_047_552].map(grouped), ["0", "7", "999", "1,000", "1,047,552"]);
    }
}
