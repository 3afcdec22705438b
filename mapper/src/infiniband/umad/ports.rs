//! Which of this machine's ports is meant.

use super::UmadError;
use std::fmt;
use twowire_fabric::spec::UmadSpec;

/// A port of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPort {
    /// Its device.
    pub device: String,
    /// Its number.
    pub port: u8,
    /// The state of its link: 1 if it is down, 4 if it is active.
    pub state: u32,
    /// What its cable carries, as the kernel says it.
    pub link_layer: String,
}

const DOWN: u32 = 1;
const ACTIVE: u32 = 4;

impl LocalPort {
    fn is_meant(&self, spec: &UmadSpec) -> bool {
        spec.device.as_ref().is_none_or(|device| *device == self.device)
            && spec.port.is_none_or(|port| port == self.port)
    }

    fn is_ethernet(&self) -> bool {
        self.link_layer == "Ethernet"
    }

    /// The name by which it is asked for.
    pub fn name(&self) -> String {
        format!("{}/{}", self.device, self.port)
    }
}

impl fmt::Display for LocalPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            _ if self.is_ethernet() => "Ethernet",
            0 | DOWN => "down",
            ACTIVE => "active",
            _ => "has a link",
        };
        write!(f, "{} ({state})", self.name())
    }
}

/// The port that is meant: among several the first that is active, or else the first that has a link.
pub fn choose<'a>(spec: &UmadSpec, ports: &'a [LocalPort]) -> Result<&'a LocalPort, UmadError> {
    if ports.is_empty() {
        return Err(UmadError::NoDevice);
    }
    let there = || ports.iter().map(LocalPort::to_string).collect::<Vec<_>>().join(", ");
    let mut meant = ports.iter().filter(|port| port.is_meant(spec)).peekable();
    if meant.peek().is_none() {
        return Err(UmadError::NoPort { wanted: spec.clone(), there: there() });
    }
    let mut linked = meant.filter(|port| !port.is_ethernet() && port.state > DOWN).collect::<Vec<_>>();
    linked.sort_by_key(|port| port.state != ACTIVE);
    linked.first().copied().ok_or_else(|| UmadError::NoLink { wanted: spec.clone(), there: there() })
}
