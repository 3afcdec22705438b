//! A virtual cluster on this machine: virtual machines whose only network card is plugged into a port of software crossbars.
//!
//! Each machine has a kernel and the phase-1 initramfs in its flash, an NVRAM that survives its power, and a console that is a file.
//! Nothing has an IP address. What a lab needs is in one folder, and its processes carry the folder's name in their environment: so it
//! is found again, and taken away, by any program later, however the one that made it has ended.
//!
//! | module | what it is |
//! |---|---|
//! | [`plan`] | what a lab is made of |
//! | [`folder`] | where its files are |
//! | [`emulator`] | the emulator, its accelerator, and kernels for it |
//! | [`flash`] | the cluster's key, the phase-1 initramfs, and an image to boot |
//! | [`machine`] | a machine as the emulator's command line |
//! | [`processes`] | the processes of a lab |
//! | [`status`] | how its nodes are |
//!
//! ```no_run
//! use twowire_cluster::lab::{Lab, plan::LabOptions};
//! let lab = Lab::up(&LabOptions::new("/tmp/lab".into(), 4))?;
//! lab.power_off("n2")?;
//! lab.strike("cut:x1.0:4")?;
//! lab.down()?;
//! # Ok::<(), twowire_cluster::lab::LabError>(())
//! ```

pub mod emulator;
pub mod flash;
pub mod folder;
pub mod machine;
pub mod plan;
pub mod processes;
pub mod status;

use emulator::EmulatorError;
use folder::Folder;
use plan::{LabOptions, LabPlan};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use twowire_fabric::topology::Topology;
use twowire_fabric::xbar::{Control, ControlError};

/// How long the crossbars and a machine may take to start. Processes of a busy machine take seconds now and then.
const START: Duration = Duration::from_secs(30);

/// The role of the crossbars among the lab's processes. No node has this name.
const CROSSBARS: &str = "crossbars";

/// How long the crossbars hold a frame for a machine that does not take it: an emulated one comes to it later than a real one.
const PATIENCE: &str = "50ms";

/// Why a lab does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The request makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The emulator or a kernel is missing.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The machines would not fit.
    #[error(
        "{nodes} machines of {each_mib} MiB need about {needed_mib} MiB, and {available_mib} MiB are available; give --nodes or --memory less"
    )]
    Memory {
        /// How many machines.
        nodes: usize,
        /// Memory of each.
        each_mib: u64,
        /// Memory of all, with what the emulator needs.
        needed_mib: u64,
        /// Memory that can be had.
        available_mib: u64,
    },
    /// There is no lab.
    #[error("there is no lab in {}; `twowire lab up` makes one, and --at names another folder", .0.display())]
    NoLab(PathBuf),
    /// There is one already.
    #[error("there is a lab in {} already; `twowire lab down` takes it away, and --at names another folder", .0.display())]
    Exists(PathBuf),
    /// Something else is there.
    #[error("{} is not empty, and no lab; name a folder that does not exist", .0.display())]
    NotALab(PathBuf),
    /// A file.
    #[error("cannot {what} {}: {source}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A process.
    #[error("{what}: {reason}")]
    Process {
        /// Which one, and what was tried.
        what: String,
        /// What came.
        reason: String,
    },
    /// What lies in the flash, or the image.
    #[error("{0}")]
    Flash(String),
    /// The crossbars.
    #[error(transparent)]
    Crossbars(#[from] ControlError),
}

impl LabError {
    /// A file that cannot be used.
    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabError {
        let path = path.to_owned();
        move |source| LabError::File { what, path, source }
    }
}

/// A lab on this machine.
#[derive(Debug)]
pub struct Lab {
    folder: Folder,
    plan: LabPlan,
    /// What it starts goes on when this process ends.
    stays: bool,
}

impl Lab {
    /// Makes a lab, and switches its machines on. If that fails nothing is left.
    pub fn up(options: &LabOptions) -> Result<Lab, LabError> {
        let (plan, topology) = LabPlan::make(options)?;
        plan.check_memory()?;
        let folder = Folder::create(&options.at)?;
        let lab = Lab { folder, plan, stays: options.stays };
        let started = lab.prepare(&topology, options).and_then(|()| lab.start());
        match started {
            Ok(()) => Ok(lab),
            Err(error) => {
                // Why it failed is what counts.
                let _ = lab.down();
                Err(error)
            }
        }
    }

    /// The lab in a folder. What is started in it from now on goes on when this process ends.
    pub fn open(at: &Path) -> Result<Lab, LabError> {
        let folder = Folder::open(at)?;
        let plan = folder.read_plan()?;
        Ok(Lab { folder, plan, stays: true })
    }

    fn prepare(&self, topology: &Topology, options: &LabOptions) -> Result<(), LabError> {
        self.folder.write_plan(&self.plan)?;
        let file = self.folder.topology();
        fs::write(&file, topology.to_string()).map_err(LabError::file("write", &file))?;
        flash::make(&self.folder, &self.plan, &options.bootnode)?;
        self.plan.nodes.iter().try_for_each(|node| machine::make(&self.folder, &self.plan, node))
    }

    fn start(&self) -> Result<(), LabError> {
        self.start_crossbars()?;
        self.plan.nodes.iter().try_for_each(|node| self.power_on(node))
    }

    fn start_crossbars(&self) -> Result<(), LabError> {
        let (socket, log) = (self.folder.socket(), self.folder.log(CROSSBARS));
        let mut command = Command::new(&self.plan.xbar);
        command.arg("serve").args(self.parent()).args(["--patience", PATIENCE, "--topo"]);
        command.arg(self.folder.topology()).arg("--at").arg(&socket);
        processes::start(&mut command, self.folder.path(), CROSSBARS, &log)?
            .wait_until(START, || Control::connect(&socket).is_ok())
    }

    /// Words for `xbar`, by which a process of the lab ends with this one.
    fn parent(&self) -> Vec<String> {
        if self.stays { Vec::new() } else { vec!["--parent".to_owned(), std::process::id().to_string()] }
    }

    /// What the lab is made of.
    pub fn plan(&self) -> &LabPlan {
        &self.plan
    }

    /// Where its files are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The fabric, as its front end names it.
    pub fn fabric(&self) -> String {
        format!("xbar:{}", self.folder.socket().display())
    }

    /// Packs another image for the nodes.
    pub fn pack_image(&self, image: &flash::NewImage<'_>) -> Result<(), LabError> {
        flash::pack_image(&self.folder, &self.plan, image)
    }

    fn node(&self, name: &str) -> Result<&str, LabError> {
        let found = self.plan.nodes.iter().find(|node| *node == name);
        let names = || format!("no node is called `{name}`; the nodes are {}", self.plan.nodes.join(" "));
        found.map(String::as_str).ok_or_else(|| LabError::Usage(names()))
    }

    /// Switches a node on. It has to be off.
    pub fn power_on(&self, node: &str) -> Result<(), LabError> {
        let node = self.node(node)?;
        if let Some(process) = self.process(node)?.first() {
            let what = format!("{node} is on already, as process {}", process.id());
            return Err(LabError::Usage(format!("{what}; `twowire lab power cycle {node}` switches it off and on")));
        }
        let console = self.folder.console(node);
        if console.exists() {
            let old = self.folder.old_console(node);
            fs::rename(&console, &old).map_err(LabError::file("rename", &console))?;
        }
        let mut command = machine::command(&self.folder, &self.plan, node, &self.parent())?;
        processes::start(&mut command, self.folder.path(), node, &self.folder.log(node))?
            .wait_until(START, || console.exists())
    }

    /// Cuts a node's power: what it has not written is lost. True if it was on.
    pub fn power_off(&self, node: &str) -> Result<bool, LabError> {
        let running = self.process(self.node(node)?)?;
        processes::end(&running)?;
        // The crossbars notice it in their own time, and the port takes no other card before. Where they do not run nothing is plugged in.
        let is_free = || !self.is_plugged(node);
        if !processes::until(START, is_free) {
            let reason = format!("its port is not free although its machine has ended; see {}", self.fabric());
            return Err(LabError::Process { what: node.to_owned(), reason });
        }
        Ok(!running.is_empty())
    }

    fn is_plugged(&self, node: &str) -> bool {
        let hosts = Control::connect(&self.folder.socket()).and_then(|mut control| control.hosts());
        let hosts = hosts.unwrap_or_default();
        hosts.iter().any(|host| host.name == node && host.attached.is_some())
    }

    /// Switches a node off and on.
    pub fn power_cycle(&self, node: &str) -> Result<(), LabError> {
        self.power_off(node).and_then(|_| self.power_on(node))
    }

    /// Gives a node that is off another network card: it will be there with another unique id.
    pub fn swap_card(&self, node: &str) -> Result<(), LabError> {
        let node = self.node(node)?;
        if !self.process(node)?.is_empty() {
            return Err(LabError::Usage(format!("{node} is on; switch it off before its card is replaced")));
        }
        machine::swap_card(&self.folder, node)
    }

    /// Cuts or mends a cable, kills or revives a crossbar: `cut:x1.0:8`, `mend:n2`, `kill:x2.1`, `revive:x2.1`.
    pub fn strike(&self, fault: &str) -> Result<(), LabError> {
        Ok(Control::connect(&self.folder.socket())?.strike(fault)?)
    }

    fn process(&self, role: &str) -> Result<Vec<processes::LabProcess>, LabError> {
        let all = processes::find(self.folder.path())?;
        Ok(all.into_iter().filter(|process| process.role() == role).collect())
    }

    /// Takes the lab away: ends its processes, and removes its folder.
    pub fn down(self) -> Result<(), LabError> {
        take_away(&self.folder)
    }
}

/// Takes away what there is of a lab in a folder, whatever has become of it. Returns how many processes were ended.
pub fn down(at: &Path) -> Result<usize, LabError> {
    let folder = Folder::open(at)?;
    let running = processes::find(folder.path())?.len();
    take_away(&folder).map(|()| running)
}

fn take_away(folder: &Folder) -> Result<(), LabError> {
    // The machines first: they hold ports of the crossbars.
    let (crossbars, machines): (Vec<_>, Vec<_>) =
        processes::find(folder.path())?.into_iter().partition(|process| process.role() == CROSSBARS);
    processes::end(&machines)?;
    processes::end(&crossbars)?;
    folder.remove()
}

#[cfg(test)]
mod tests;
