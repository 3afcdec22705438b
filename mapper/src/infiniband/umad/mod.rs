//! Carries packets by an InfiniBand port of this machine, through the kernel's user-space management datagrams
//! (Linux `Documentation/infiniband/user_mad.rst`).
//!
//! The kernel finds the request to an answer, by the lower half of its transaction; the upper half is its own. A request
//! that gets no answer in time it hands back, with a status that says so; until then it takes no other of the same number.

mod library;
mod ports;

use super::error::InfinibandError;
use super::exchange::{Arrival, SmpPort};
use super::smp::Smp;
use library::{Devices, OpenPort};
use std::io;
use std::time::Duration;
use twowire_fabric::spec::UmadSpec;

pub use ports::{LocalPort, choose};

/// Switches have little room for management packets, and drop what finds none.
const WINDOW: usize = 8;

/// When the kernel takes a request for lost; the subnet manager OpenSM waits as long.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Longer than the kernel needs to hand a request back.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a port of this machine cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UmadError {
    /// No library.
    #[error("umad needs the library libibumad: install it, as by `apt-get install libibumad3` ({0})")]
    Library(libloading::Error),
    /// No InfiniBand at all.
    #[error("this machine has no InfiniBand port: load the driver of its adapter, as by `modprobe mlx5_ib`")]
    NoDevice,
    /// Something else than what there is.
    #[error("this machine has no InfiniBand port `{wanted}`: it has {there}")]
    NoPort {
        /// What was asked for.
        wanted: UmadSpec,
        /// What there is.
        there: String,
    },
    /// No cable, nothing at its other end, or no InfiniBand.
    #[error("`umad:{wanted}` has no InfiniBand link: plug in a cable, or give another port; there are {there}")]
    NoLink {
        /// What was asked for.
        wanted: UmadSpec,
        /// What there is.
        there: String,
    },
    /// The device file.
    #[error("`umad:{name}` cannot be used: {source}; {remedy}")]
    Open {
        /// The port.
        name: String,
        /// What the system says.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
}

impl UmadError {
    fn open(port: &LocalPort, source: io::Error) -> UmadError {
        let remedy = match source.kind() {
            io::ErrorKind::PermissionDenied => "run as root, or let yourself read and write /dev/infiniband/umad*",
            _ => "load the kernel's module for management packets, as by `modprobe ib_umad`",
        };
        UmadError::Open { name: port.name(), source, remedy }
    }
}

/// A port of this machine.
pub struct UmadPort {
    port: OpenPort,
    window: usize,
}

impl UmadPort {
    /// Opens a port; also says which it is. `window` requests may be on their way, or as many as switches bear.
    pub fn open(spec: &UmadSpec, window: usize) -> Result<(UmadPort, LocalPort), UmadError> {
        let devices = Devices::new()?;
        let port = choose(spec, &devices.ports())?.clone();
        Ok((UmadPort { port: devices.open(&port)?, window: window.min(WINDOW) }, port))
    }
}

impl SmpPort for UmadPort {
    fn window(&self) -> usize {
        self.window
    }

    fn tells_of_loss(&self) -> bool {
        false
    }

    fn send(&mut self, smp: &Smp) -> Result<(), InfinibandError> {
        Ok(self.port.send(smp, TIMEOUT)?)
    }

    fn receive(&mut self) -> Result<Option<Arrival>, InfinibandError> {
        loop {
            match self.port.receive(PATIENCE) {
                Ok((status, bytes)) => {
                    if let Some(arrival) = Arrival::read(status, bytes) {
                        return Ok(Some(arrival));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
