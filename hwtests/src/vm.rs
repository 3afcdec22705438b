//! Virtual machines whose network card is plugged into a [`Network`]: real kernels for tests.
//!
//! By emulation alone: `/dev/kvm` may be there and hang.

use crate::netns::{NetnsError, Network};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The emulator.
const QEMU: &str = "qemu-system-x86_64";

/// What Debian's small kernel for virtual machines is called.
const KERNEL: (&str, &str) = ("vmlinuz-", "-cloud-amd64");

/// Without these a machine on a busy host may hang in the calibration of its clocks, waits for a clock that does not tick,
/// or sends frames of its own accord.
const CMDLINE: &str = "console=ttyS0 no_timer_check lpj=4000000 tsc=reliable ipv6.disable=1 panic=5";

/// Why there can be no virtual machine.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// The emulator is missing.
    #[error("`{QEMU}` is not installed; `apt-get install qemu-system-x86`")]
    NoEmulator,
    /// There is no kernel for it.
    #[error("no /boot/{}VERSION{}; `apt-get install linux-image-cloud-amd64`", KERNEL.0, KERNEL.1)]
    NoKernel,
    /// There is nothing to plug its card into.
    #[error("no /dev/net/tun, so a virtual machine cannot have a network card")]
    NoTap,
    /// The tap cannot be made.
    #[error(transparent)]
    Network(#[from] NetnsError),
}

/// A kernel that virtual machines can run.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its file.
    pub image: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
}

impl Kernel {
    /// The newest that is installed, if there is an emulator for it.
    pub fn find() -> Result<Kernel, VmError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|dir| dir.join(QEMU).is_file()) {
            return Err(VmError::NoEmulator);
        }
        if !Path::new("/dev/net/tun").exists() {
            return Err(VmError::NoTap);
        }
        let entries = fs::read_dir("/boot").into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<String> =
            names.filter(|name| name.starts_with(KERNEL.0) && name.ends_with(KERNEL.1)).collect();
        found.sort_by_key(|name| numbers(name));
        let name = found.pop().ok_or(VmError::NoKernel)?;
        let modules = Path::new("/lib/modules").join(&name[KERNEL.0.len()..]);
        Ok(Kernel { image: Path::new("/boot").join(name), modules })
    }

    /// What every kernel here needs on its command line, and these words.
    pub fn cmdline(words: &str) -> String {
        format!("{CMDLINE} tsc_early_khz={} {words}", host_khz())
    }
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

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct Vm<'a> {
    /// Its kernel.
    pub kernel: &'a Kernel,
    /// Its initramfs.
    pub initramfs: &'a Path,
    /// Words for the kernel's command line.
    pub cmdline: &'a str,
    /// Its number: of the tap and the card.
    pub number: u8,
    /// A file of [`NVRAM_BYTES`] that is the memory of its PCI card at [`NVRAM_BAR`].
    pub nvram: &'a Path,
}

/// The size of a machine's NVRAM.
pub const NVRAM_BYTES: u64 = 4096;

/// Where a machine has its NVRAM, for programs in it: the memory of a PCI card, which is a file outside.
pub const NVRAM_BAR: &str = "/sys/bus/pci/devices/0000:00:05.0/resource2";

impl Vm<'_> {
    /// The emulator with such a machine, its card plugged into the network. It ends when the machine restarts.
    pub fn command(&self, network: &Network) -> Result<Command, VmError> {
        let (tap, number) = (format!("tap{}", self.number), self.number);
        network.add_tap(&tap)?;
        let mut qemu = network.bridge_command(QEMU);
        // `max` has a source of random numbers, without which a kernel takes a minute to have some.
        qemu.args(["-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config"]);
        qemu.args(["-display", "none", "-serial", "stdio", "-no-reboot"]);
        qemu.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(self.initramfs);
        qemu.args(["-append", &Kernel::cmdline(self.cmdline)]);
        let net = format!("tap,id=net,ifname={tap},script=no,downscript=no");
        qemu.args(["-netdev", &net, "-device"]);
        qemu.arg(format!("virtio-net-pci,netdev=net,mac=02:00:00:00:00:{number:02x},addr=0x4"));
        let nvram = self.nvram.display();
        qemu.arg("-object").arg(format!("memory-backend-file,id=nv,share=on,mem-path={nvram},size={NVRAM_BYTES}"));
        qemu.args(["-device", "ivshmem-plain,memdev=nv,addr=0x5"]);
        Ok(qemu)
    }
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
