//! What a lab is made of.

use super::LabError;
use super::emulator::{Accelerator, Kernel};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use twowire_fabric::spec::{self, SimSpec};
use twowire_fabric::topology::Topology;
use twowire_fabric::topology::generate::Clos;

/// Ports of a crossbar, where nothing says how many.
const RADIX: u8 = 8;

/// Memory that the emulator needs besides the machine's, in MiB: measured 80 to 90.
const EMULATOR_MIB: u64 = 96;

/// Nodes, if nothing says how many.
const NODES: usize = 4;

/// The least memory of a machine, in MiB: a kernel, an image of 16 MB, and the same loaded for the hand-over.
pub const LEAST_MIB: u64 = 192;

/// How nodes and crossbars are cabled.
#[derive(Clone, Debug, PartialEq)]
pub enum Cabling {
    /// A Clos network with as many hosts as there are.
    Clos,
    /// A topology as `xbar serve --topo` has it.
    Topology(SimSpec),
}

impl FromStr for Cabling {
    type Err = String;

    fn from_str(text: &str) -> Result<Cabling, String> {
        match text {
            "clos" => Ok(Cabling::Clos),
            _ => text.parse().map(Cabling::Topology).map_err(|error| format!("{error}")),
        }
    }
}

impl fmt::Display for Cabling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cabling::Clos => f.write_str("clos"),
            Cabling::Topology(spec) => write!(f, "{spec}"),
        }
    }
}

/// On what a machine keeps its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nvram {
    /// The memory of a PCI card: bytes, written at once.
    #[default]
    Bar,
    /// A small disk: sectors.
    Disk,
}

impl FromStr for Nvram {
    type Err = String;

    fn from_str(text: &str) -> Result<Nvram, String> {
        match text {
            "bar" => Ok(Nvram::Bar),
            "disk" => Ok(Nvram::Disk),
            _ => Err("expected `bar` or `disk`".to_owned()),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// The folder.
    pub at: PathBuf,
    /// How many nodes besides the front end; by default as many as the cabling has, else 4.
    pub nodes: Option<usize>,
    /// How all are cabled.
    pub cabling: Cabling,
    /// Memory of each machine, in MiB.
    pub memory_mib: u64,
    /// On what the machines keep their records.
    pub nvram: Nvram,
    /// Keeps all frames of each card in a file.
    pub capture: bool,
    /// How the machines are emulated; by default with the processor's help where that works.
    pub accelerator: Option<Accelerator>,
    /// The kernel of phase 1 and of the image; by default the newest that is installed.
    pub kernel: Option<PathBuf>,
    /// The program `xbar`.
    pub xbar: PathBuf,
    /// The program that lies in the flash, best a static one. Beside it are `noded` and `mpirun`, for the image.
    pub bootnode: PathBuf,
    /// Words for the kernels' command lines.
    pub settings: String,
    /// The same for that of the image alone.
    pub image_settings: String,
    /// Its processes go on when this one ends; otherwise they end with the thread that starts them, however it ends.
    pub stays: bool,
}

impl LabOptions {
    /// So many nodes in a Clos network, with this program's neighbours.
    pub fn new(at: PathBuf, nodes: usize) -> LabOptions {
        let own = std::env::current_exe().unwrap_or_default();
        LabOptions {
            at,
            nodes: Some(nodes),
            cabling: Cabling::Clos,
            memory_mib: 256,
            nvram: Nvram::Bar,
            capture: false,
            accelerator: None,
            kernel: None,
            xbar: own.with_file_name("xbar"),
            bootnode: static_bootnode(&own).unwrap_or_else(|| own.with_file_name("bootnode")),
            settings: String::new(),
            image_settings: String::new(),
            stays: false,
        }
    }
}

/// The static program that `cargo xtask phase1` has built, if this one is run from where it was built.
fn static_bootnode(own: &Path) -> Option<PathBuf> {
    let built = own.parent()?.parent()?.join("x86_64-unknown-linux-gnu/phase1/bootnode");
    built.is_file().then_some(built)
}

/// What a lab is made of, as its folder has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabPlan {
    /// The cabling, for people.
    pub cabling: String,
    /// The host that is the front end.
    pub front_end: String,
    /// The other hosts: a machine each.
    pub nodes: Vec<String>,
    /// Memory of each machine, in MiB.
    pub memory_mib: u64,
    /// On what the machines keep their records.
    pub nvram: Nvram,
    /// All frames of each card are kept in a file.
    pub capture: bool,
    /// How the machines are emulated.
    pub accelerator: Accelerator,
    /// The kernel.
    pub kernel: Kernel,
    /// The program `xbar`.
    pub xbar: PathBuf,
    /// The program `bootnode`.
    pub bootnode: PathBuf,
    /// Words for the kernels' command lines.
    pub settings: String,
    /// The same for that of the image alone.
    pub image_settings: String,
}

impl LabPlan {
    /// The program `noded` as the nodes have it.
    pub fn noded(&self) -> PathBuf {
        self.bootnode.with_file_name("noded")
    }

    /// Finds all that is needed.
    pub(super) fn make(options: &LabOptions) -> Result<(LabPlan, Topology), LabError> {
        let topology = topology(options)?;
        let front_end = spec::front_end(&topology, None).map_err(|error| LabError::Usage(error.to_string()))?;
        let hosts = topology.host_ids().filter(|&host| host != front_end);
        let nodes: Vec<String> = hosts.map(|host| topology.host(host).name.clone()).collect();
        if let Some(wanted) = options.nodes.filter(|&wanted| wanted != nodes.len()) {
            let (cabling, there) = (&options.cabling, nodes.len());
            return Err(LabError::Usage(format!(
                "--nodes {wanted}: `{cabling}` has {there} hosts besides the front end"
            )));
        }
        if options.memory_mib < LEAST_MIB {
            let given = options.memory_mib;
            return Err(LabError::Usage(format!("--memory {given}: a machine needs at least {LEAST_MIB} MiB")));
        }
        let kernel = match &options.kernel {
            Some(image) => Kernel::of_file(image)?,
            None => Kernel::find()?,
        };
        let accelerator = options.accelerator.unwrap_or_else(|| Accelerator::best(&kernel));
        let beside = |name| options.bootnode.with_file_name(name);
        for (program, remedy) in [
            (&options.xbar, "build the workspace"),
            (&options.bootnode, "give --bootnode FILE"),
            (&beside("noded"), "it belongs beside bootnode"),
            (&beside("mpirun"), "it belongs beside bootnode"),
        ] {
            if !program.is_file() {
                let program = program.display();
                return Err(LabError::Flash(format!("the program {program} is missing; {remedy}")));
            }
        }
        let plan = LabPlan {
            cabling: options.cabling.to_string(),
            front_end: topology.host(front_end).name.clone(),
            nodes,
            memory_mib: options.memory_mib,
            nvram: options.nvram,
            capture: options.capture,
            accelerator,
            kernel,
            xbar: options.xbar.clone(),
            bootnode: options.bootnode.clone(),
            settings: options.settings.clone(),
            image_settings: options.image_settings.clone(),
        };
        Ok((plan, topology))
    }

    /// Refuses machines for which there is no memory.
    pub(super) fn check_memory(&self) -> Result<(), LabError> {
        check_memory(self.nodes.len(), self.memory_mib)
    }
}

/// Refuses so many machines of so much memory each, in MiB, if there is none for them and their emulators now.
pub fn check_memory(nodes: usize, each_mib: u64) -> Result<(), LabError> {
    let Some(available_mib) = available_mib() else { return Ok(()) };
    let needed_mib = (nodes as u64).saturating_mul(each_mib.saturating_add(EMULATOR_MIB));
    if needed_mib <= available_mib {
        return Ok(());
    }
    Err(LabError::Memory { nodes, each_mib, needed_mib, available_mib })
}

fn topology(options: &LabOptions) -> Result<Topology, LabError> {
    let spec = match &options.cabling {
        Cabling::Topology(spec) => spec.clone(),
        Cabling::Clos => {
            let hosts = options.nodes.unwrap_or(NODES) as u64 + 1;
            // With two levels each of the `RADIX` crossbars below has half of its ports for hosts.
            let levels = if hosts <= u64::from(RADIX) * u64::from(RADIX) / 2 { 2 } else { 3 };
            SimSpec::Clos(Clos { hosts, radix: RADIX, levels, oversubscription: 1.0 })
        }
    };
    spec.topology().map_err(|error| LabError::Usage(format!("--topology {}: {error}", options.cabling)))
}

/// Memory that processes can still have, in MiB.
fn available_mib() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}
