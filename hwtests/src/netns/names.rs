//! Names of namespaces: `twowire-PROCESS-NETWORK-HOST`, so that one can tell whose a namespace is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where iproute2 keeps named namespaces.
const DIRECTORY: &str = "/run/netns";

const PREFIX: &str = "twowire-";

/// The namespaces of one network.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// Names that no other network has.
    pub(super) fn new() -> Names {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Names { prefix: format!("{PREFIX}{}-{number}-", std::process::id()) }
    }

    pub(super) fn host(&self, host: usize) -> String {
        format!("{}{host}", self.prefix)
    }

    pub(super) fn bridge(&self) -> String {
        format!("{}bridge", self.prefix)
    }

    /// Removes every namespace of these names.
    pub(super) fn remove(&self) {
        existing().iter().filter(|name| name.starts_with(&self.prefix)).for_each(|name| remove(name));
    }
}

/// The file of a namespace.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Removes what processes that no longer live have left.
pub(super) fn remove_stale() {
    for name in existing() {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            remove(&name);
        }
    }
}

fn existing() -> Vec<String> {
    let Ok(entries) = fs::read_dir(DIRECTORY) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// A namespace that is gone already is no error.
fn remove(name: &str) {
    let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
}
