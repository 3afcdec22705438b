//! Virtual machines whose network card is plugged into a [`Network`]: real kernels for tests.
//!
//! By emulation alone: `/dev/kvm` may be there and hang.

use crate::netns::{NetnsError, Network};
use std::path::Path;
use std::process::Command;
use twowire_cluster::lab::emulator::{EmulatorError, Kernel, QEMU};

/// Why there can be no virtual machine.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// The emulator, or a kernel for it, is missing.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// There is nothing to plug its card into.
    #[error("no /dev/net/tun, so a virtual machine cannot have a network card")]
    NoTap,
    /// The tap cannot be made.
    #[error(transparent)]
    Network(#[from] NetnsError),
}

/// The newest kernel that is installed, if a machine that it runs on can have a network card.
pub fn find_kernel() -> Result<Kernel, VmError> {
    if Path::new("/dev/net/tun").exists() { Ok(Kernel::find()?) } else { Err(VmError::NoTap) }
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
