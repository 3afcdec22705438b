//! The emulator of machines, and kernels that it can run.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// What Debian's small kernel for virtual machines is called.
const KERNEL: (&str, &str) = ("vmlinuz-", "-cloud-amd64");

/// What every Linux kernel says first.
const FIRST_WORDS: &[u8] = b"Linux version";

/// How long a kernel may take to say it where the processor runs it. `/dev/kvm` may be there and hang.
const PROBE: Duration = Duration::from_secs(5);

/// Without these a machine on a busy host may hang in the calibration of its clocks, waits for a clock that does not tick,
/// or sends frames of its own accord.
const CMDLINE: &str = "console=ttyS0 no_timer_check lpj=4000000 tsc=reliable ipv6.disable=1 panic=5";

/// Why there can be no virtual machine.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The emulator is missing.
    #[error("`{QEMU}` is not installed; `apt-get install qemu-system-x86`")]
    NoEmulator,
    /// There is no kernel for it.
    #[error("no /boot/{}VERSION{}; `apt-get install linux-image-cloud-amd64`", KERNEL.0, KERNEL.1)]
    NoKernel,
    /// A kernel whose modules are not there.
    #[error(
        "{}: expected a file `{}VERSION` whose modules are in /lib/modules/VERSION",
        .0.display(),
        KERNEL.0
    )]
    NoModules(PathBuf),
}

/// A kernel that virtual machines can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Its file.
    pub image: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
}

impl Kernel {
    /// The newest that is installed, if there is an emulator for it.
    pub fn find() -> Result<Kernel, EmulatorError> {
        check_emulator()?;
        let entries = fs::read_dir("/boot").into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<String> =
            names.filter(|name| name.starts_with(KERNEL.0) && name.ends_with(KERNEL.1)).collect();
        found.sort_by_key(|name| numbers(name));
        let name = found.pop().ok_or(EmulatorError::NoKernel)?;
        Kernel::of_file(&Path::new("/boot").join(name))
    }

    /// The kernel in a file named as distributions do.
    pub fn of_file(image: &Path) -> Result<Kernel, EmulatorError> {
        check_emulator()?;
        let version = image.file_name().and_then(|name| name.to_str()?.strip_prefix(KERNEL.0));
        let modules = version.map(|version| Path::new("/lib/modules").join(version));
        let modules = modules.filter(|dir| dir.is_dir() && image.is_file());
        let modules = modules.ok_or_else(|| EmulatorError::NoModules(image.to_owned()))?;
        Ok(Kernel { image: image.to_owned(), modules })
    }

    /// What every kernel here needs on its command line, and these words.
    pub fn cmdline(words: &str) -> String {
        format!("{CMDLINE} tsc_early_khz={} {words}", host_khz())
    }
}

fn check_emulator() -> Result<(), EmulatorError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(QEMU).is_file());
    if found { Ok(()) } else { Err(EmulatorError::NoEmulator) }
}

/// The numbers in a kernel's name, by which a newer one is greater: 6.10 is newer than 6.9.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// How fast this machine's clock counts.
fn host_khz() -> u64 {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mhz = info.lines().find(|line| line.starts_with("cpu MHz")).and_then(|line| line.split(':').nth(1));
    mhz.and_then(|mhz| mhz.trim().parse::<f64>().ok()).map_or(2_000_000, |mhz| (mhz * 1000.0) as u64)
}

/// How a machine is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor runs the machine.
    Kvm,
    /// By translation: works everywhere.
    Tcg,
}

impl FromStr for Accelerator {
    type Err = String;

    fn from_str(text: &str) -> Result<Accelerator, String> {
        match text {
            "kvm" => Ok(Accelerator::Kvm),
            "tcg" => Ok(Accelerator::Tcg),
            _ => Err("expected `kvm` or `tcg`".to_owned()),
        }
    }
}

impl Accelerator {
    /// The emulator's arguments for it: a processor that has a source of random numbers, without which a kernel takes a minute to
    /// have some.
    pub fn arguments(self) -> [&'static str; 4] {
        match self {
            Accelerator::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Accelerator::Tcg => ["-accel", "tcg", "-cpu", "max"],
        }
    }

    /// The processor, if a kernel that it runs is seen to start.
    pub fn best(kernel: &Kernel) -> Accelerator {
        let starts = Path::new("/dev/kvm").exists() && kernel_starts(Accelerator::Kvm, kernel);
        if starts { Accelerator::Kvm } else { Accelerator::Tcg }
    }
}

/// Starts the kernel, to hear its first words.
#[expect(clippy::disallowed_methods, reason = "the emulator is another process, and may hang")]
fn kernel_starts(accelerator: Accelerator, kernel: &Kernel) -> bool {
    let Ok(console) = tempfile::NamedTempFile::new() else { return false };
    let Ok(output) = console.reopen() else { return false };
    let mut qemu = Command::new(QEMU);
    qemu.args(["-M", "microvm", "-m", "128", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    qemu.args(accelerator.arguments()).args(["-serial", "stdio", "-append", "console=ttyS0 panic=-1"]);
    qemu.arg("-kernel").arg(&kernel.image).stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let Ok(mut child) = qemu.spawn() else { return false };
    let until = Instant::now() + PROBE;
    let started = loop {
        let said = fs::read(console.path()).unwrap_or_default();
        if said.windows(FIRST_WORDS.len()).any(|words| words == FIRST_WORDS) {
            break true;
        }
        if !matches!(child.try_wait(), Ok(None)) || Instant::now() >= until {
            break false;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // One that hangs in the kernel may never end: it is not waited for for long.
    let _ = child.kill();
    let _ = (0..50).find(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !matches!(child.try_wait(), Ok(None))
    });
    started
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_numbers_say_which_is_newer() {
        let mut names = ["vmlinuz-6.1.0-10-cloud-amd64", "vmlinuz-6.10.0-1-cloud-amd64", "vmlinuz-6.1.0-9-cloud-amd64"];
        names.sort_by_key(|name| numbers(name));
        assert_eq!(names.map(|name| &name[8..13]), ["6.1.0", "6.1.0", "6.10."]);
        assert!(names[0].contains("-9-"), "{names:?}");
    }
}
