//! The network device, through sysfs: no address, no name service, only switched on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel shows its network devices.
const DEVICES: &str = "/sys/class/net";

/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 1;

/// A network device.
#[derive(Clone, Debug)]
pub struct Link {
    device: String,
    dir: PathBuf,
}

/// How far a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Its driver has not found it yet.
    Missing,
    /// It is there, and has no carrier.
    NoCarrier,
    /// Frames can be sent.
    Carrier,
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It is not there.
    #[error(
        "there is no network device {device}; there are: {present}. Is the module of the card in the initramfs, and does twowire.fabric name it as the kernel does?"
    )]
    Missing {
        /// Its name.
        device: String,
        /// The names of those that are there.
        present: String,
    },
    /// Nothing is plugged in.
    #[error("network device {0} has no carrier: is the cable plugged in, and is the switch on?")]
    NoCarrier(String),
    /// A setting is refused.
    #[error("cannot set `{attribute}` of network device {device} to {value}: {source}")]
    Refused {
        /// The device.
        device: String,
        /// What was to be set.
        attribute: &'static str,
        /// To what.
        value: String,
        /// Why not.
        source: io::Error,
    },
}

impl Link {
    /// The device of this name.
    pub fn new(device: &str) -> Link {
        Link::below(Path::new(DEVICES), device)
    }

    fn below(devices: &Path, device: &str) -> Link {
        Link { device: device.to_owned(), dir: devices.join(device) }
    }

    /// How far it is.
    pub fn state(&self) -> LinkState {
        if !self.dir.exists() {
            return LinkState::Missing;
        }
        // A device that is switched off has no readable carrier.
        match self.read("carrier").as_deref() {
            Some("1") => LinkState::Carrier,
            _ => LinkState::NoCarrier,
        }
    }

    /// Switches it on, with this MTU.
    pub fn switch_on(&self, mtu: Option<u32>) -> Result<(), LinkError> {
        if let Some(mtu) = mtu {
            self.set("mtu", &mtu.to_string())?;
        }
        let flags = self.read("flags").and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        self.set("flags", &format!("{:#x}", flags.unwrap_or(0) | UP))
    }

    /// What is wrong if it stays so.
    pub fn problem(&self, state: LinkState) -> Option<LinkError> {
        match state {
            LinkState::Missing => {
                let parent = self.dir.parent().unwrap_or(Path::new("/"));
                Some(LinkError::Missing { device: self.device.clone(), present: names(parent) })
            }
            LinkState::NoCarrier => Some(LinkError::NoCarrier(self.device.clone())),
            LinkState::Carrier => None,
        }
    }

    fn read(&self, attribute: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(attribute)).ok().map(|text| text.trim().to_owned())
    }

    fn set(&self, attribute: &'static str, value: &str) -> Result<(), LinkError> {
        fs::write(self.dir.join(attribute), value).map_err(|source| LinkError::Refused {
            device: self.device.clone(),
            attribute,
            value: value.to_owned(),
            source,
        })
    }
}

/// The names in a folder, sorted; `none` if it is empty.
fn names(dir: &Path) -> String {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Devices as the kernel shows them.
    fn devices(carrier: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for device in ["eth0", "lo"] {
            fs::create_dir(dir.path().join(device)).unwrap();
        }
        for (attribute, value) in [("flags", "0x1002\n"), ("mtu", "1500\n"), ("carrier", carrier)] {
            fs::write(dir.path().join("eth0").join(attribute), value).unwrap();
        }
        dir
    }

    #[test]
    fn a_device_is_switched_on_and_keeps_its_other_flags() {
        let dir = devices("1\n");
        let link = Link::below(dir.path(), "eth0");
        link.switch_on(Some(9000)).unwrap();
        assert_eq!((link.read("flags").unwrap(), link.read("mtu").unwrap()), ("0x1003".into(), "9000".into()));
        assert_eq!(link.state(), LinkState::Carrier);
        assert!(link.problem(LinkState::Carrier).is_none());
    }

    #[test]
    fn what_is_wrong_has_a_remedy() {
        let dir = devices("0\n");
        let problem = |name: &str| {
            let link = Link::below(dir.path(), name);
            link.problem(link.state()).unwrap().to_string()
        };
        assert!(problem("eth0").contains("eth0 has no carrier"), "{}", problem("eth0"));
        assert!(problem("eth7").contains("no network device eth7; there are: eth0, lo"), "{}", problem("eth7"));
        let error = Link::below(dir.path(), "eth7").switch_on(Some(9000)).unwrap_err().to_string();
        assert!(error.contains("`mtu` of network device eth7 to 9000"), "{error}");
    }
}
