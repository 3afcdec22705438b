//! Why a device cannot be used.

use crate::protocol::PortError;
use std::io;

/// Why a port cannot be opened on a network device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The process may not open packet sockets.
    #[error(
        "raw:{0}: whole frames need the capability CAP_NET_RAW; run as root, or `setcap cap_net_raw,cap_net_admin+ep PROGRAM`"
    )]
    Permission(String),
    /// There is no such device here.
    #[error("raw:{0}: there is no such network device in this network namespace; `ip link` lists them")]
    NoDevice(String),
    /// The device is not Ethernet.
    #[error("raw:{0}: not an Ethernet device: expected one of `link/ether` in `ip link`")]
    NotEthernet(String),
    /// The device is switched off.
    #[error("raw:{0}: the device is switched off; `ip link set {0} up` switches it on")]
    Off(String),
    /// The device's frames are too short for ours.
    #[error(
        "raw:{device}: an MTU of {mtu} is too small: expected at least {least}; `ip link set {device} mtu {least}`"
    )]
    Mtu {
        /// The device.
        device: String,
        /// Its MTU.
        mtu: usize,
        /// The smallest that does.
        least: usize,
    },
    /// Another process has the lane.
    #[error("raw:{device}: lane {lane} is another process's")]
    Lane {
        /// The device.
        device: String,
        /// The lane.
        lane: u16,
    },
    /// Crossbars know one host behind a port.
    #[error("wire:{0}: a cable to crossbars has no lanes: one process of a host has the port")]
    NoLanes(String),
    /// The operating system refused.
    #[error("raw:{device}: cannot {operation}: {source}")]
    Os {
        /// The device.
        device: String,
        /// What was tried.
        operation: &'static str,
        /// The answer.
        source: io::Error,
    },
}

impl RawError {
    /// What an error of the operating system means.
    pub(super) fn os(device: &str, operation: &'static str) -> impl Fn(io::Error) -> RawError {
        move |source| {
            let device = device.to_owned();
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
pub(super) fn while_open(device: &str, error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::ENETDOWN) => PortError::Down(RawError::Off(device.to_owned()).to_string()),
        Some(libc::ENODEV | libc::ENXIO) => PortError::Down(RawError::NoDevice(device.to_owned()).to_string()),
        Some(libc::EMSGSIZE) => PortError::Down(format!(
            "raw:{device}: the device's MTU has become smaller; `ip link set {device} mtu N` restores it, or start again"
        )),
        _ => PortError::Io(error),
    }
}
