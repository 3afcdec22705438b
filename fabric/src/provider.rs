//! Opens the port that a `FABRIC` names.

use crate::protocol::Port;
use crate::raw::{RawError, RawOptions, RawPort};
use crate::spec::FabricSpec;

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A simulated fabric has no port towards other processes.
    #[error("`{0}` is simulated within one process: this program needs a fabric that others share, as `xbar:PATH`")]
    Simulated(FabricSpec),
    /// The network device.
    #[error(transparent)]
    Raw(#[from] RawError),
}

/// Opens the port of this host on a fabric.
pub fn open(fabric: &FabricSpec, _host: Option<&str>) -> Result<Box<dyn Port>, OpenError> {
    match fabric {
        FabricSpec::Sim(_) => Err(OpenError::Simulated(fabric.clone())),
        FabricSpec::Raw(device) => Ok(Box::new(RawPort::open(device, RawOptions::default())?)),
    }
}
