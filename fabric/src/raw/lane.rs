//! Which process has which lane of a device.

use super::error::{Device, RawError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Takes a lane for this process: a socket of that name, which this network namespace can have once, and which goes with the process.
pub(super) fn claim(device: &Device, lane: u16) -> Result<OwnedFd, RawError> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => RawError::Lane { device: device.clone(), lane },
        _ => RawError::os(device, "claim the lane")(error),
    };
    let name = format!("twowire/{}/{lane}", device.name);
    let address = SocketAddr::from_abstract_name(name).map_err(refused)?;
    UnixDatagram::bind_addr(&address).map(OwnedFd::from).map_err(refused)
}

/// True if no process of this network namespace has the lane of a device.
pub fn lane_is_free(device: &Device, lane: u16) -> bool {
    claim(device, lane).is_ok()
}
