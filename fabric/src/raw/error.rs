//! Why a device cannot be used.

use crate::protocol::{Addressing, PortError};
use std::{fmt, io};

/// A network device, by what the fabric is called that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What its cable leads to.
    pub addressing: Addressing,
}

impl fmt::Display for Device {
    /// As in `raw:eth1` and `wire:eth1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.addressing == Addressing::Hops { "wire" } else { "raw" };
        write!(f, "{kind}:{}", self.name)
    }
}

/// Why a port cannot be opened on a network device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The process may not open packet sockets.
    #[error(
        "{0}: whole frames need the capability CAP_NET_RAW; run as root, or `setcap cap_net_raw,cap_net_admin+ep PROGRAM`"
    )]
    Permission(Device),
    /// There is no such device here.
    #[error("{0}: there is no such network device in this network namespace; `ip link` lists them")]
    NoDevice(Device),
    /// The device is not Ethernet.
    #[error("{0}: not an Ethernet device: expected one of `link/ether` in `ip link`")]
    NotEthernet(Device),
    /// The device is switched off.
    #[error("{0}: the device is switched off; `ip link set {name} up` switches it on", name = .0.name)]
    Off(Device),
    /// The device's frames are too short for ours.
    #[error(
        "{device}: an MTU of {mtu} is too small: expected at least {least}; `ip link set {name} mtu {least}`", name = .device.name
    )]
    Mtu {
        /// The device.
        device: Device,
        /// Its MTU.
        mtu: usize,
        /// The smallest that does.
        least: usize,
    },
    /// Another process has the lane.
    #[error("{device}: lane {lane} is another process's")]
    Lane {
        /// The device.
        device: Device,
        /// The lane.
        lane: u16,
    },
    /// The operating system refused.
    #[error("{device}: cannot {operation}: {source}")]
    Os {
        /// The device.
        device: Device,
        /// What was tried.
        operation: &'static str,
        /// The answer.
        source: io::Error,
    },
}

impl RawError {
    /// What an error of the operating system means.
    pub(super) fn os(device: &Device, operation: &'static str) -> impl Fn(io::Error) -> RawError {
        move |source| {
            let device = device.clone();
            match source.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => RawError::Permission(device),
                Some(libc::ENODEV | libc::ENXIO) => RawError::NoDevice(device),
                Some(libc::ENETDOWN) => RawError::Off(device),
                _ => RawError::Os { device, operation, source },
            }
        }
    }
}

/// What an error means to a port that was open.
pub(super) fn while_open(device: &Device, error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::ENETDOWN) => PortError::Down(RawError::Off(device.clone()).to_string()),
        Some(libc::ENODEV | libc::ENXIO) => PortError::Down(RawError::NoDevice(device.clone()).to_string()),
        Some(libc::EMSGSIZE) => PortError::Down(format!(
            "{device}: the device's MTU has become smaller; `ip link set {} mtu N` restores it, or start again",
            device.name
        )),
        _ => PortError::Io(error),
    }
}
