//! The same machines, which boot by PXE: their card's iPXE asks dnsmasq for an address and, by TFTP, for a script, and lighttpd, by HTTP,
//! for kernel and initramfs.

use super::fabric::KERNEL;
use super::run::{Machines, Milestone, Way};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use twowire_cluster::lab::Lab;
use twowire_cluster::lab::emulator::{Kernel, QEMU};
use twowire_fabric::program::Failure;
use twowire_hwtests::netns::{DEVICE, Network, Plan};
use twowire_hwtests::programs::Process;

/// Which of the network's hosts is the server; the machines are at taps.
const SERVER: usize = 0;

/// The addresses for machines.
const RANGE: &str = "10.77.0.100,10.77.0.200,255.255.255.0";

/// What a kernel says when it starts the first program.
const FIRST_PROGRAM: &str = "Run /init as init process";

/// A network with a server for machines that are off.
pub(super) struct ByPxe {
    network: Network,
    nodes: usize,
    folder: PathBuf,
    memory_mib: u64,
    accelerator: [&'static str; 4],
}

impl ByPxe {
    /// Makes the network, and what the server serves: kernel and initramfs of this lab.
    pub(super) fn prepare(folder: &Path, nodes: usize, lab: &Lab) -> Result<ByPxe, Failure> {
        let network = Network::new(Plan { addresses: true, ..Plan::new(1, 1500) }).map_err(Failure::failed)?;
        let folder = folder.join("pxe");
        let (plan, server) = (lab.plan(), network.address(SERVER));
        let accelerator = plan.accelerator.arguments();
        let way = ByPxe { network, nodes, folder, memory_mib: plan.memory_mib, accelerator };
        let served = way.served();
        let cmdline = Kernel::cmdline("");
        let script = format!(
            "#!ipxe\nkernel http://{server}/kernel {cmdline} initrd=initramfs\ninitrd http://{server}/initramfs\nboot\n"
        );
        let conf = format!(
            "server.document-root = \"{}\"\nserver.bind = \"{server}\"\nserver.port = 80\nserver.modules = (\"mod_accesslog\")\n\
             accesslog.filename = \"{}\"\n",
            served.display(),
            way.log("http").display(),
        );
        fs::create_dir_all(&served)
            .and_then(|()| fs::copy(&plan.kernel.image, served.join("kernel")))
            .and_then(|_| fs::copy(lab.folder().phase2(), served.join("initramfs")))
            .and_then(|_| fs::write(served.join("boot.ipxe"), script))
            .and_then(|()| fs::write(way.folder.join("lighttpd.conf"), conf))
            .map_err(Failure::failed)?;
        (0..nodes).try_for_each(|node| way.network.add_tap(&tap(node))).map_err(Failure::failed)?;
        Ok(way)
    }

    fn served(&self) -> PathBuf {
        self.folder.join("served")
    }

    fn log(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{what}.log"))
    }

    fn console(&self, node: usize) -> PathBuf {
        self.log(&format!("console-{node}"))
    }

    fn servers(&self) -> [Process; 2] {
        let mut dhcp = self.network.command(SERVER, "dnsmasq");
        dhcp.args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--port=0",
            "--bind-interfaces",
            "--log-dhcp",
            "--user=root",
        ]);
        dhcp.args([&format!("--interface={DEVICE}"), &format!("--dhcp-range={RANGE}"), "--dhcp-boot=boot.ipxe"]);
        dhcp.args(["--dhcp-no-override", "--no-ping", "--enable-tftp"]);
        dhcp.arg(format!("--tftp-root={}", self.served().display()));
        dhcp.arg(format!("--dhcp-leasefile={}", self.log("leases").display()));
        let mut http = self.network.command(SERVER, "lighttpd");
        http.arg("-D").arg("-f").arg(self.folder.join("lighttpd.conf"));
        [Process::start(dhcp, &self.log("dhcp")), Process::start(http, &self.log("lighttpd"))]
    }

    fn machine(&self, node: usize) -> Command {
        let mut qemu = self.network.bridge_command(QEMU);
        qemu.args(["-M", "q35", "-nodefaults", "-no-user-config", "-display", "none"]);
        qemu.args(self.accelerator).args(["-m", &self.memory_mib.to_string()]);
        qemu.args(["-serial", &format!("file:{}", self.console(node).display())]);
        qemu.args(["-netdev", &format!("tap,id=net,ifname={},script=no,downscript=no", tap(node))]);
        qemu.args(["-device", &format!("virtio-net-pci,netdev=net,mac=02:54:58:00:00:{node:02x},bootindex=1")]);
        qemu
    }
}

fn tap(node: usize) -> String {
    format!("tap{node}")
}

impl Way for ByPxe {
    fn name(&self) -> &'static str {
        "pxe"
    }

    fn switch_on(&self) -> Result<Box<dyn Machines + '_>, Failure> {
        for node in 0..self.nodes {
            // What is left of the boot before must not be taken for this one's.
            let _ = fs::remove_file(self.console(node));
        }
        ["http", "dhcp", "leases"].iter().for_each(|what| drop(fs::remove_file(self.log(what))));
        let mut running = Vec::from(self.servers());
        running
            .extend((0..self.nodes).map(|node| Process::start(self.machine(node), &self.log(&format!("qemu-{node}")))));
        Ok(Box::new(On { way: self, _running: running }))
    }
}

struct On<'a> {
    way: &'a ByPxe,
    _running: Vec<Process>,
}

impl Machines for On<'_> {
    fn reached(&self, milestone: Milestone) -> usize {
        let way = self.way;
        let text = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let printed = |words: &str| (0..way.nodes).filter(|&node| text(way.console(node)).contains(words)).count();
        match milestone {
            Milestone::FirstFrame => {
                let log = text(way.log("dhcp"));
                let asked = |node: &usize| {
                    let mac = format!("02:54:58:00:00:{node:02x}");
                    log.lines().any(|line| line.contains("DHCPDISCOVER") && line.contains(&mac))
                };
                (0..way.nodes).filter(asked).count()
            }
            Milestone::Image => text(way.log("http")).lines().filter(|line| line.contains("GET /initramfs")).count(),
            Milestone::Kernel => printed(KERNEL),
            Milestone::Ready => printed(FIRST_PROGRAM),
        }
    }
}
