//! OpenSM and `ibnetdiscover`, which take ibsim for the kernel's InfiniBand devices.

use crate::run::{between, timed};
use crate::subnet::{Network, Subnet};
use crate::table::{Row, Table};
use std::path::{Path, PathBuf};
use std::process::Command;
use twowire_fabric::program::Failure;

/// The library that comes with ibsim.
fn preload() -> Result<PathBuf, Failure> {
    let libraries = Path::new("/usr/lib").read_dir().map_err(Failure::failed)?.flatten().map(|entry| entry.path());
    let mut candidates = libraries.map(|dir| dir.join("umad2sim/libumad2sim.so"));
    candidates
        .find(|path| path.is_file())
        .ok_or_else(|| Failure::Failed("no libumad2sim.so: `apt-get install ibsim-utils`".to_owned()))
}

fn tool(program: &str, network: &Network, subnet: &Subnet) -> Result<Command, Failure> {
    let mut command = Command::new(program);
    command.current_dir(&network.folder).env("IBSIM_SOCKNAME", &subnet.socket).env("SIM_HOST", &network.node);
    command.env("LD_PRELOAD", preload()?).env("OSM_CACHE_DIR", &network.folder).env("OSM_TMP_DIR", &network.folder);
    Ok(command)
}

/// Between these lines of its log OpenSM computes the tables of its engine `ftree`, and sends nothing.
const ROUTING: [&str; 2] = ["building routing with 'ftree'", "FatTree routing is done"];

/// Computes routes by the engine `ftree`, in the course of bringing a subnet up.
pub(crate) fn route(network: &Network, table: &mut Table) -> Result<(), Failure> {
    let subnet = network.start()?;
    let mut opensm = tool("/usr/sbin/opensm", network, &subnet)?;
    opensm.args(["-F", "opensm.conf", "-e", "-o", "-f", "routing.log", "-D", "0x07", "-R", "ftree"]);
    let took = between(&mut opensm, &network.folder.join("routing.log"), ROUTING)?;
    let took = took.ok_or_else(|| Failure::Failed(format!("{}: OpenSM's ftree made no routes", network.name)))?;
    table.add(Row::new(&network.name, "routes", "OpenSM ftree"), took);
    Ok(())
}

/// Finds a subnet.
pub(crate) fn discover(network: &Network, table: &mut Table) -> Result<(), Failure> {
    let subnet = network.start()?;
    let (_, took) = timed(&mut tool("/usr/sbin/ibnetdiscover", network, &subnet)?)?;
    table.add(Row::new(&network.name, "discovery", "ibnetdiscover"), took);
    Ok(())
}

/// Brings a subnet up once, and ends.
pub(crate) fn install(network: &Network, engine: &str, table: &mut Table) -> Result<(), Failure> {
    let subnet = network.start()?;
    let mut opensm = tool("/usr/sbin/opensm", network, &subnet)?;
    opensm.args(["-F", "opensm.conf", "-e", "-o", "-f", "opensm.log", "-D", "0x03", "-R", engine]);
    let (_, took) = timed(&mut opensm)?;
    let log = std::fs::read_to_string(network.folder.join("opensm.log")).map_err(Failure::failed)?;
    if !log.contains("SUBNET UP") {
        return Err(Failure::Failed(format!("{}: OpenSM's {engine} left the subnet down", network.name)));
    }
    let fell_back = log.contains("alling back");
    let what = format!("OpenSM {engine}{}", if fell_back { ", fell back" } else { "" });
    table.add(Row::new(&network.name, "start to active", &what), took);
    Ok(())
}
