//! Opens the port that a `FABRIC` names.

use crate::protocol::{Addressing, Port};
use crate::raw::{RawError, RawOptions, RawPort};
use crate::spec::FabricSpec;
use crate::xbar::{AttachError, AttachOptions, XbarPort};

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A simulated fabric has no port towards other processes.
    #[error("`{0}` is simulated within one process: this program needs a fabric that others share, as `xbar:PATH`")]
    Simulated(FabricSpec),
    /// A subnet that only management packets reach.
    #[error("`{0}` is an InfiniBand subnet, on which only `mapper` works: give another fabric, as `xbar:PATH`")]
    Managed(FabricSpec),
    /// The network device.
    #[error(transparent)]
    Raw(#[from] RawError),
    /// The crossbars of another process.
    #[error(transparent)]
    Xbar(#[from] AttachError),
    /// Two names for the host to be.
    #[error("`{fabric}` and `{host}` name two hosts: leave one of them out")]
    TwoHosts {
        /// The fabric, with a host.
        fabric: FabricSpec,
        /// The other name.
        host: String,
    },
}

/// Opens the port of this host on a fabric, for what moves much and waits for no single frame: images, discovery. Where one process may
/// be any of the hosts, `host` says which.
pub fn open(fabric: &FabricSpec, host: Option<&str>) -> Result<Box<dyn Port>, OpenError> {
    open_port(fabric, host, RawOptions::default())
}

/// The same for messages, where somebody waits for each. On a network device, where several processes may each have a port, `lane` says
/// which one this is; 0 for the one that has no number.
pub fn open_for_messages(fabric: &FabricSpec, host: Option<&str>, lane: u16) -> Result<Box<dyn Port>, OpenError> {
    open_port(fabric, host, RawOptions { gather: false, long: true, lane, ..RawOptions::default() })
}

fn open_port(fabric: &FabricSpec, host: Option<&str>, options: RawOptions) -> Result<Box<dyn Port>, OpenError> {
    match fabric {
        FabricSpec::Sim(_) => Err(OpenError::Simulated(fabric.clone())),
        FabricSpec::Ibsim(_) | FabricSpec::Umad(_) => Err(OpenError::Managed(fabric.clone())),
        FabricSpec::Xbar(spec) => {
            if let Some(host) = host
                && spec.host.as_ref().is_some_and(|other| other != host)
            {
                return Err(OpenError::TwoHosts { fabric: fabric.clone(), host: host.to_owned() });
            }
            let host = host.or(spec.host.as_deref()).map(str::to_owned);
            Ok(Box::new(XbarPort::attach(&spec.path, &AttachOptions { host, ..AttachOptions::default() })?))
        }
        FabricSpec::Raw(device) => Ok(Box::new(RawPort::open(device, options)?)),
        FabricSpec::Wire(device) => {
            let options = RawOptions { addressing: Addressing::Hops, ..options };
            Ok(Box::new(RawPort::open(device, options)?))
        }
    }
}
