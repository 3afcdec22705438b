//! What process 1 does to its machine.

use super::MODULES_FILE;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};
use std::ffi::c_int;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// File systems of the kernel: type, place, and what must be there for it.
const FILE_SYSTEMS: [(&str, &str, Option<&str>); 4] = [
    ("proc", "/proc", None),
    ("sysfs", "/sys", None),
    ("devtmpfs", "/dev", None),
    ("efivarfs", "/sys/firmware/efi/efivars", Some("/sys/firmware/efi/efivars")),
];

/// `MODULE_INIT_COMPRESSED_FILE` of `linux/module.h`: the kernel unpacks it.
const COMPRESSED: c_int = 4;

/// Why the machine is not ready.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file system.
    #[error("cannot mount {kind} on {place}: {source}")]
    Mount {
        /// Its type.
        kind: &'static str,
        /// Where.
        place: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The list of modules.
    #[error("cannot read {MODULES_FILE}: {0}")]
    List(io::Error),
    /// A module of the kernel.
    #[error("the kernel does not load {module}: {source}{}", remedy(source))]
    Module {
        /// Its file.
        module: String,
        /// Why not.
        source: io::Error,
    },
    /// The kernel does not restart.
    #[error("the machine cannot be restarted: {0}")]
    Restart(io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::NOEXEC | rustix::io::Errno::INVAL) => {
            " (it is of another kernel than the one that runs)"
        }
        Some(rustix::io::Errno::NOENT) => " (a module that it needs is not loaded, or the file is missing)",
        _ => "",
    }
}

/// Mounts the kernel's file systems; what is mounted already stays.
pub fn mount_all() -> Result<(), MachineError> {
    for (kind, place, needs) in FILE_SYSTEMS {
        if needs.is_some_and(|path| !Path::new(path).exists()) {
            continue;
        }
        let failed = |source: io::Error| MachineError::Mount { kind, place, source };
        fs::create_dir_all(place).map_err(failed)?;
        match mount(kind, place, kind, MountFlags::empty(), None) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    Ok(())
}

/// Loads the modules of the initramfs's list, in its order. What cannot be loaded is returned: the others may suffice.
pub fn load_modules() -> Vec<MachineError> {
    let list = match fs::read_to_string(MODULES_FILE) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![MachineError::List(error)],
    };
    list.lines().filter(|line| !line.is_empty()).filter_map(|module| load(module).err()).collect()
}

fn load(module: &str) -> Result<(), MachineError> {
    let failed = |source| MachineError::Module { module: module.to_owned(), source };
    let file = File::open(module).map_err(failed)?;
    let flags = if module.ends_with(".ko") { 0 } else { COMPRESSED };
    match finit_module(&file, c"", flags) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}

/// From now on Ctrl-Alt-Del interrupts process 1 instead of restarting the machine at once.
pub fn catch_ctrl_alt_del() {
    // Where the kernel refuses, the keys go on restarting the machine: that is as well.
    let _ = reboot(RebootCommand::CadOff);
}

/// Restarts the machine. Does not return if it succeeds.
pub fn restart() -> MachineError {
    rustix::fs::sync();
    match reboot(RebootCommand::Restart) {
        Err(error) => MachineError::Restart(error.into()),
        Ok(()) => MachineError::Restart(io::ErrorKind::Other.into()),
    }
}
