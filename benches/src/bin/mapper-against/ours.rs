//! The mapper.

use crate::run::{Took, capture_on_one_core, timed};
use crate::subnet::{Network, Subnet};
use crate::table::{Row, Table};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use twowire_fabric::program::Failure;

fn mapper(program: &Path, network: &Network, subnet: &Subnet) -> Command {
    let mut command = Command::new(program);
    command.args(["--fabric", &format!("ibsim:{}", network.node), "--topology", "clos", "--json"]);
    command.current_dir(&network.folder).env("IBSIM_SOCKNAME", &subnet.socket);
    command
}

fn report(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(Failure::failed)
}

/// The wall time of some steps, in seconds.
fn phases(report: &Value, names: &[&str]) -> f64 {
    let all = report["phases"].as_array().into_iter().flatten();
    all.filter(|phase| names.iter().any(|name| phase["name"] == *name))
        .filter_map(|phase| phase["wall_ms"].as_f64())
        .sum::<f64>()
        / 1e3
}

/// Finds a subnet; besides, it makes routes and proves them.
pub(crate) fn discover(network: &Network, program: &Path, table: &mut Table) -> Result<(), Failure> {
    let subnet = network.start()?;
    let (text, took) = timed(&mut mapper(program, network, &subnet))?;
    let report = report(&text)?;
    let found = Took { wall_s: phases(&report, &["discovery"]), ..took };
    table.add(Row::new(&network.name, "discovery", "mapper, the step alone"), Took { cpu_s: f64::NAN, ..found });
    table.add(Row::new(&network.name, "discovery", "mapper, with routes and proof"), took);
    Ok(())
}

/// Brings a subnet up.
pub(crate) fn install(network: &Network, program: &Path, table: &mut Table) -> Result<(), Failure> {
    let subnet = network.start()?;
    let (text, took) = timed(mapper(program, network, &subnet).arg("--install"))?;
    if report(&text)?["active_ports"].as_u64().is_none_or(|ports| ports == 0) {
        return Err(Failure::Failed(format!("{}: the mapper left no port active", network.name)));
    }
    table.add(Row::new(&network.name, "start to active", "mapper"), took);
    Ok(())
}

/// Routes and proof of a file alone, on one core.
pub(crate) fn route(network: &str, file: &Path, program: &Path, table: &mut Table) -> Result<(), Failure> {
    let mut mapper = Command::new(program);
    let text = capture_on_one_core(mapper.arg("--from-topo").arg(file).args(["--topology", "clos", "--json"]))?;
    let report = report(&text)?;
    for (task, names) in [("routes", &["routes"][..]), ("routes and proof", &["routes", "proof"])] {
        let wall_s = phases(&report, names);
        table.add(Row::new(network, task, "mapper, on one core"), Took { wall_s, cpu_s: wall_s });
    }
    Ok(())
}
