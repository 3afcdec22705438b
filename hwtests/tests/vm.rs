//! A node as it really is: a kernel and an initramfs in its flash, nothing else. It fetches an image over Ethernet without
//! IP, starts the image's kernel in place of its own, and the front end hears from there that it is ready.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use twowire_cluster::lab::emulator::Kernel;
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};
use twowire_hwtests::programs::{Process, program, static_bootnode};
use twowire_hwtests::vm::{NVRAM_BAR, NVRAM_BYTES, Vm, VmError, find_kernel};

/// A front end, host 0 of a network, and a folder with what it and the machines need.
struct Site {
    dir: TempDir,
    network: Network,
    kernel: Kernel,
}

impl Site {
    /// `None`, with the reason on standard error, where there can be no virtual machines.
    fn new() -> Option<Site> {
        let (kernel, network) = match (find_kernel(), Network::new(Plan::new(1, 1500))) {
            (Ok(kernel), Ok(network)) => (kernel, network),
            (Err(error @ (VmError::Emulator(_) | VmError::NoTap)), _) => {
                eprintln!("skipped: {error}");
                return None;
            }
            (_, Err(error @ (NetnsError::NotRoot | NetnsError::Missing { .. }))) => {
                eprintln!("skipped: {error}");
                return None;
            }
            (kernel, network) => panic!("{kernel:?}, {network:?}"),
        };
        let site = Site { dir: tempfile::tempdir().unwrap(), network, kernel };
        site.run("twowire", &["key", "new", "--out", "key"]);
        site.pack_flash();
        File::create(site.path("nvram")).unwrap().set_len(NVRAM_BYTES).unwrap();
        Some(site)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a program, which must succeed.
    fn run(&self, name: &str, args: &[&str]) {
        let output = Command::new(program(name)).current_dir(self.dir.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What lies in the flash beside the kernel. It fails if both do not fit 16 MiB.
    fn pack_flash(&self) {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (bootnode, modules) = (text(&static_bootnode()), text(&self.kernel.modules));
        let args = ["--bootnode", &bootnode, "--key", "key.pub", "--kernel", &text(&self.kernel.image)];
        let more = ["--modules-from", &modules, "--module", "virtio_pci,virtio_net", "-o", "flash.img"];
        self.run("twowire", &[&["phase1"], &args[..], &more[..]].concat());
    }

    /// A machine that is switched on, with these settings.
    fn machine(&self, settings: &str) -> Process {
        let vm = Vm {
            kernel: &self.kernel,
            initramfs: &self.path("flash.img"),
            cmdline: settings,
            number: 1,
            nvram: &self.path("nvram"),
        };
        Process::start(vm.command(&self.network).unwrap(), &self.path("console"))
    }

    fn bootd(&self) -> Process {
        let mut command = self.network.command(0, program("bootd"));
        command.current_dir(self.dir.path()).args(["--fabric", &format!("raw:{DEVICE}"), "--image", "image"]);
        command.args(["--key", "key.pub", "--nodes", "1", "--json"]);
        Process::start(command, &self.path("bootd.log"))
    }
}

#[test]
fn a_machine_fetches_a_kernel_starts_it_and_reports_from_there() {
    let Some(site) = Site::new() else { return };
    let nvram = format!("twowire.nvram=bar:{NVRAM_BAR}");
    // The image's initramfs has the same program as the flash's: told by its kernel's command line that this is phase 2.
    let cmdline = Kernel::cmdline("this-is=phase-2");
    let kernel = site.kernel.image.to_str().unwrap();
    let pack = ["--kernel", kernel, "--initrd", "flash.img", "--cmdline", &cmdline, "--key", "key", "-o", "image"];
    site.run("twowire", &[&["image", "pack"], &pack[..]].concat());

    let mut bootd = site.bootd();
    let mut machine = site.machine(&format!("twowire.fabric=raw:eth0 {nvram}"));
    assert!(bootd.wait().success(), "{}\n{}", bootd.output(), machine.output());
    assert!(bootd.output().contains(r#""nodes_ready":1,"nodes_failed":0"#), "{}", bootd.output());
    machine.wait_for("] ready");
    let console = machine.output();
    let (phase_1, phase_2) = console.split_once("this-is=phase-2").expect("the kernel prints its command line");
    for state in ["link up", "joined", "verified", "handing over"] {
        assert!(phase_1.contains(state), "no `{state}` in phase 1:\n{console}");
    }
    assert!(phase_2.contains("phase 2 up"), "{console}");
}

#[test]
fn a_machine_that_cannot_boot_tries_again_and_restarts_in_the_end() {
    let Some(site) = Site::new() else { return };
    let mut machine = site.machine("twowire.fabric=xbar:/no/fabric twowire.restart-after=2s");
    assert!(machine.wait().success(), "{}", machine.output());
    let console = machine.output();
    for text in ["/no/fabric", "tries again in 1s", "restarts the machine: it has failed for too long"] {
        assert!(console.contains(text), "no `{text}` in\n{console}");
    }
    assert!(!console.contains("Kernel panic"), "{console}");
}
