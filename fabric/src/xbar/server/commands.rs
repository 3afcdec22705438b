//! What can be asked of a running server.

use super::Server;
use crate::sim::{Fault, FaultSpec};
use crate::time::Time;
use crate::topology::HostId;
use std::fmt::Write as _;
use std::io::{Seek, Write as _};
use std::os::fd::OwnedFd;

impl Server {
    /// Does what is asked; the answer is a file with what there is to tell, or why it cannot be.
    pub(super) fn command(&mut self, text: &str) -> Result<Option<OwnedFd>, String> {
        match text {
            "counters" => to_file(&self.counters_text()).map(Some),
            "hosts" => to_file(&self.hosts_text()).map(Some),
            fault => self.strike(fault).map(|()| None),
        }
    }

    fn strike(&mut self, text: &str) -> Result<(), String> {
        let spec: FaultSpec = text.parse().map_err(|error| format!("{error}"))?;
        let (at, fault) = spec.resolve(&self.topology).map_err(|error| error.to_string())?;
        match fault {
            _ if at != Time::ZERO => return Err(format!("`{text}`: an xbar does it at once; leave the time out")),
            Fault::Cut(port) => self.switches.set_cut(&self.topology, port, true),
            Fault::Mend(port) => self.switches.set_cut(&self.topology, port, false),
            Fault::Kill(crossbar) => self.switches.set_dead(crossbar, true),
            Fault::Revive(crossbar) => self.switches.set_dead(crossbar, false),
            _ => return Err(format!("`{text}`: an xbar can cut and mend cables, and kill and revive crossbars")),
        }
        Ok(())
    }

    /// A line for each port: its name, frames, bytes, and the drops by cause.
    fn counters_text(&self) -> String {
        let mut text = String::new();
        for (port, counters) in self.switches.counters() {
            let _ = write!(text, "{} {} {}", self.topology.port_name(port), counters.frames, counters.bytes);
            counters.drops.iter().for_each(|drops| {
                let _ = write!(text, " {drops}");
            });
            text.push('\n');
        }
        text
    }

    /// A line for each host: its name, its id, and if it is attached how and by which process.
    fn hosts_text(&self) -> String {
        let mut text = String::new();
        for (index, host) in self.topology.hosts().iter().enumerate() {
            let _ = write!(text, "{} {}", host.name, host.id);
            if let Some(attached) = self.attached(HostId(index as u32)) {
                let how = attached.inbound.attachment();
                let pid = self.connections.get(&attached.connection).map_or(0, |connection| connection.pid);
                let _ = write!(text, " {how} {pid}");
            }
            text.push('\n');
        }
        text
    }
}

/// A file in memory, which the other side reads from its start.
fn to_file(text: &str) -> Result<OwnedFd, String> {
    let make = || {
        let fd = rustix::fs::memfd_create("twowire-xbar", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = std::fs::File::from(fd);
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok::<_, std::io::Error>(file)
    };
    make().map(OwnedFd::from).map_err(|error| format!("the answer cannot be written: {error}"))
}
