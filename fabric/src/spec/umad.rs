//! What may follow `umad:`.

use super::FabricSpecError;
use std::fmt;
use std::str::FromStr;

/// The longest name that the kernel's library gives an InfiniBand device, in bytes.
const MAX_NAME: usize = 19;

/// An InfiniBand port of this machine: `DEVICE/PORT`, or `DEVICE`, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UmadSpec {
    /// The device, as `mlx5_0`; without one any.
    pub device: Option<String>,
    /// Its port; without one the first that is active, or else has a link. It counts from 1; a switch has a port 0.
    pub port: Option<u8>,
}

impl FromStr for UmadSpec {
    type Err = FabricSpecError;

    fn from_str(text: &str) -> Result<UmadSpec, FabricSpecError> {
        if text.is_empty() {
            return Ok(UmadSpec::default());
        }
        let wrong = || FabricSpecError::Umad(text.to_owned());
        let (device, port) = text.split_once('/').map_or((text, None), |(device, port)| (device, Some(port)));
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        let unfit = |c: char| c.is_whitespace() || c.is_control();
        if device.is_empty() || device.len() > MAX_NAME || device.starts_with('.') || device.contains(unfit) {
            return Err(wrong());
        }
        Ok(UmadSpec { device: Some(device.to_owned()), port })
    }
}

impl fmt::Display for UmadSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.device.as_deref().unwrap_or_default())?;
        self.port.map_or(Ok(()), |port| write!(f, "/{port}"))
    }
}
