//! What phase 1 has left for phase 2 on the kernel's command line.

use super::settings::Settings;
use crate::session::Ticket;
use std::fs;
use std::path::Path;
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::spec::FabricSpec;
use twowire_route_store::{Access, Device, Store};

/// Where the kernel shows its command line.
const CMDLINE: &str = "/proc/cmdline";

/// See the module.
#[derive(Clone, Debug)]
pub struct Left(Settings);

impl Left {
    /// What is left on the command line of the kernel that runs.
    pub fn read() -> Result<Left, Failure> {
        let cmdline = fs::read_to_string(CMDLINE).map_err(|error| Failure::read(Path::new(CMDLINE), &error))?;
        Left::of(&cmdline)
    }

    /// What is left on this one.
    pub fn of(cmdline: &str) -> Result<Left, Failure> {
        Settings::parse(cmdline).map(Left).map_err(Failure::failed)
    }

    /// Who this node is, and how it reaches the front end.
    pub fn ticket(&self) -> Result<Ticket, Failure> {
        let missing = "the kernel's command line has no twowire.ready=TICKET: \
                       this kernel was not started by bootnode --kexec; give --report-ready a ticket";
        self.0.ticket.as_deref().ok_or_else(|| Failure::failed(missing))?.parse().map_err(Failure::failed)
    }

    /// The fabric.
    pub fn fabric(&self) -> Result<FabricSpec, Failure> {
        let missing = "the kernel's command line has no twowire.fabric=FABRIC; give --fabric";
        self.0.option("fabric").ok_or_else(|| Failure::failed(missing))?.parse().map_err(Failure::failed)
    }

    /// Where the node keeps its record, if it has an NVRAM.
    pub fn nvram(&self) -> Result<Option<Device>, Failure> {
        self.0.option("nvram").map(str::parse).transpose().map_err(Failure::failed)
    }

    /// How long the node may run without a front end; `None` for as long as it likes.
    pub fn restart_alone(&self) -> Option<Duration> {
        self.0.restart_alone
    }

    /// Notes in the NVRAM that the image which runs has become ready: what was tried is proven.
    pub fn note_ready(&self, device: &Device) -> Result<(), Failure> {
        let failed = |why: &dyn std::fmt::Display| {
            Failure::Failed(format!("NVRAM {device}: {why}; the image counts as not ready: use `route-store ready`"))
        };
        let missing = "the kernel's command line has no twowire.image=TAG";
        let image = self.0.option("image").and_then(|tag| tag.parse().ok()).ok_or_else(|| failed(&missing))?;
        let version = self.0.option("version").and_then(|version| version.parse().ok());
        let mut store = Store::new(device.open(Access::Write).map_err(|error| failed(&error))?);
        let record = store.load().map_err(|error| failed(&error))?.record;
        let next = record.after_ready(image, version);
        next.map_or(Ok(()), |next| store.write(&next).map(drop)).map_err(|error| failed(&error))
    }
}
