//! Machines of a lab, which boot over software crossbars.

use super::run::{Machines, Milestone, Way};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use twowire_cluster::lab::Lab;
use twowire_cluster::lab::plan::LabOptions;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_hwtests::programs::Process;

/// How long the machines may take until they answer for the first time.
const FIRST: Duration = Duration::from_secs(600);

/// What every kernel says first.
pub(super) const KERNEL: &str = "Linux version";

/// A lab whose machines are off, and have records.
pub(super) struct OverFabric {
    lab: Option<Lab>,
    folder: PathBuf,
    bootd: PathBuf,
}

impl OverFabric {
    /// Makes a lab, maps it, so that its machines write their records, and switches them off.
    pub(super) fn prepare(
        folder: &Path,
        nodes: usize,
        programs: &Path,
        bootnode: &Path,
    ) -> Result<OverFabric, Failure> {
        let programs = std::path::absolute(programs).map_err(Failure::failed)?;
        let options = LabOptions {
            xbar: programs.join("xbar"),
            bootnode: bootnode.to_owned(),
            ..LabOptions::new(folder.join("lab"), nodes)
        };
        let lab = Lab::up(&options).map_err(Failure::failed)?;
        let made = OverFabric { lab: Some(lab), folder: folder.to_owned(), bootd: programs.join("bootd") };
        let lab = made.lab();
        if !lab.wait_for_phase1(FIRST, interrupted, |_| {}).map_err(Failure::failed)? {
            return Err(Failure::Interrupted);
        }
        let mut mapper = Command::new(programs.join("mapper"));
        mapper.current_dir(folder).args(["--fabric", &lab.fabric(), "--topology", "clos", "--load"]);
        mapper.args(["--topo-out", "map", "--routes-out", "routes", "--routes-per-pair", "4"]);
        let output = mapper.output().map_err(Failure::failed)?;
        if !output.status.success() {
            return Err(Failure::Failed(format!("mapper: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        made.switch_off()?;
        Ok(made)
    }

    /// The lab.
    pub(super) fn lab(&self) -> &Lab {
        self.lab.as_ref().expect("it is taken away at the end")
    }

    fn switch_off(&self) -> Result<(), Failure> {
        let nodes = &self.lab().plan().nodes;
        nodes.iter().try_for_each(|node| self.lab().power_off(node).map(drop)).map_err(Failure::failed)
    }

    fn front_end(&self) -> Process {
        let folder = self.lab().folder();
        let mut bootd = Command::new(&self.bootd);
        bootd.current_dir(&self.folder).args(["--fabric", &self.lab().fabric(), "--topo", "map", "--routes", "routes"]);
        bootd.args(["--json", "--node-timeout", "10m", "--ready-timeout", "10m", "--image"]).arg(folder.image());
        bootd.arg("--key").arg(folder.public_key()).arg("--secret").arg(folder.secret());
        Process::start(bootd, &self.folder.join("bootd.log"))
    }
}

impl Way for OverFabric {
    fn name(&self) -> &'static str {
        "fabric"
    }

    fn switch_on(&self) -> Result<Box<dyn Machines + '_>, Failure> {
        let front_end = self.front_end();
        let nodes = &self.lab().plan().nodes;
        nodes.iter().try_for_each(|node| self.lab().power_on(node)).map_err(Failure::failed)?;
        Ok(Box::new(On { way: self, _front_end: front_end }))
    }
}

impl Drop for OverFabric {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.lab.take().map(Lab::down) {
            eprintln!("lab-against: {error}");
        }
    }
}

struct On<'a> {
    way: &'a OverFabric,
    _front_end: Process,
}

impl Machines for On<'_> {
    fn reached(&self, milestone: Milestone) -> usize {
        let lab = self.way.lab();
        let has = |node: &&String| {
            let console = lab.console(node).unwrap_or_default();
            let is_ready = console.contains("noded: ready");
            // The first one is that of phase 1.
            let starts = is_ready || console.matches(KERNEL).count() > 1;
            // What a program says may be torn by what the kernel says, so who has come further has also come so far.
            match milestone {
                Milestone::FirstFrame => starts || console.contains("route read"),
                // One that may hand over at once does not say before that it has verified the image.
                Milestone::Image => {
                    starts || ["] verified", "] handing over"].iter().any(|text| console.contains(text))
                }
                Milestone::Kernel => starts,
                Milestone::Ready => is_ready,
            }
        };
        lab.plan().nodes.iter().filter(has).count()
    }
}

impl Drop for On<'_> {
    fn drop(&mut self) {
        if let Err(failure) = self.way.switch_off() {
            failure.report("lab-against");
        }
    }
}
