//! Ethernet networks on this machine: a network namespace for each host, and a bridge between them.
//!
//! ```text
//!   HOST 0     HOST 1     HOST 2        one namespace each; its device is `e0`
//!     e0         e0         e0
//!     |          |          |           pairs of virtual devices
//!     p0         p1         p2
//!     '--------- br0 -------'           in a namespace of its own, where nftables may drop frames
//! ```
//!
//! The names hold this process's id. A network goes with its [`Network`]; what a process that died has left is
//! removed when the next one is made.

mod names;

use names::{Names, remove_stale};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The device of every host.
pub const DEVICE: &str = "e0";

/// How long the bridge's ports may take to open.
const OPENING: Duration = Duration::from_secs(60);

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// This process may not make namespaces.
    #[error("network namespaces need root")]
    NotRoot,
    /// A program is missing.
    #[error("`{program}` is not installed; `apt-get install {package}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program failed.
    #[error("`{command}` failed: {stderr}")]
    Failed {
        /// Its command line.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// The bridge does not pass frames on to every host.
    #[error("ports of the bridge are still closed after {OPENING:?}:\n{shown}")]
    Closed {
        /// The ports, as `ip -details link` shows them.
        shown: String,
    },
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// What the network should be like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How many hosts.
    pub hosts: usize,
    /// The MTU of every device.
    pub mtu: u32,
    /// How many of 100 frames the bridge drops on their way to hosts other than the first: what it sends is lost, and
    /// what it is sent is not.
    pub loss_percent: u32,
    /// Gives host `i` the address 10.77.0.(i + 1): for programs that need IP.
    pub addresses: bool,
}

impl Plan {
    /// A network without loss and without IP.
    pub fn new(hosts: usize, mtu: u32) -> Plan {
        Plan { hosts, mtu, loss_percent: 0, addresses: false }
    }
}

/// A network that exists until this is dropped.
#[derive(Debug)]
pub struct Network {
    names: Names,
    hosts: usize,
}

impl Network {
    /// Makes a network.
    pub fn new(plan: Plan) -> Result<Network, NetnsError> {
        if !rustix::process::geteuid().is_root() {
            return Err(NetnsError::NotRoot);
        }
        remove_stale();
        // From here on, dropping it removes what there is so far.
        let network = Network { names: Names::new(), hosts: plan.hosts };
        network.add_namespaces()?;
        network.add_bridge(plan)?;
        for host in 0..plan.hosts {
            network.bring_up(host, plan)?;
        }
        network.await_forwarding()?;
        if plan.loss_percent > 0 {
            network.add_loss(plan.loss_percent)?;
        }
        Ok(network)
    }

    fn add_namespaces(&self) -> Result<(), NetnsError> {
        let hosts = (0..self.hosts).map(|host| self.names.host(host));
        let lines: Vec<_> = hosts.chain([self.names.bridge()]).map(|name| format!("netns add {name}")).collect();
        batch(None, &lines)
    }

    fn add_bridge(&self, plan: Plan) -> Result<(), NetnsError> {
        let mtu = plan.mtu;
        let mut lines = vec!["link add br0 type bridge mcast_snooping 0 forward_delay 0 stp_state 0".to_owned()];
        for host in 0..self.hosts {
            let name = self.names.host(host);
            lines.push(format!("link add p{host} mtu {mtu} type veth peer name {DEVICE} mtu {mtu} netns {name}"));
            lines.push(format!("link set p{host} master br0 up"));
        }
        lines.push(format!("link set br0 mtu {mtu} up"));
        // A device that gets an IPv6 address sends frames of its own accord.
        self.quiet_ipv6(&self.names.bridge())?;
        batch(Some(&self.names.bridge()), &lines)
    }

    fn bring_up(&self, host: usize, plan: Plan) -> Result<(), NetnsError> {
        let name = self.names.host(host);
        self.quiet_ipv6(&name)?;
        let mut lines = vec!["link set lo up".to_owned()];
        if plan.addresses {
            lines.push(format!("addr add {}/24 brd + dev {DEVICE}", self.address(host)));
        }
        lines.push(format!("link set {DEVICE} up"));
        if plan.addresses {
            lines.push(format!("route add 224.0.0.0/4 dev {DEVICE}"));
        }
        batch(Some(&name), &lines)
    }

    /// Waits until the bridge passes frames on. The kernel opens a port of it in the background some time after both
    /// ends of the cable are up, on a busy machine much later; until then it drops every frame.
    #[expect(clippy::disallowed_methods, reason = "nothing tells when a port of a bridge opens")]
    fn await_forwarding(&self) -> Result<(), NetnsError> {
        let bridge = self.names.bridge();
        let deadline = Instant::now() + OPENING;
        loop {
            let mut ip = Command::new("ip");
            ip.args(["-n", &bridge, "-oneline", "-details", "link", "show", "master", "br0"]);
            let shown = feed(ip, "", "ip", "iproute2")?;
            let open = shown.lines().filter(|port| port.contains("state forwarding") && port.contains("LOWER_UP"));
            if open.count() == self.hosts {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(NetnsError::Closed { shown });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Fails silently where the kernel has no IPv6.
    fn quiet_ipv6(&self, namespace: &str) -> Result<(), NetnsError> {
        inside(&names::path(namespace), || {
            for devices in ["all", "default"] {
                let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{devices}/disable_ipv6"), "1");
            }
        })
    }

    fn add_loss(&self, percent: u32) -> Result<(), NetnsError> {
        self.nft(&format!(
            "table bridge loss {{\n chain f {{ type filter hook forward priority 0; \
             oifname != \"p0\" numgen random mod 100 < {percent} drop\n }}\n}}\n"
        ))
    }

    /// Gives nftables rules to the bridge, whose port to host `i` is `p<i>`.
    pub fn nft(&self, rules: &str) -> Result<(), NetnsError> {
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", &self.names.bridge(), "nft", "-f", "-"]);
        feed(nft, rules, "nft", "nftables").map(drop)
    }

    /// The IPv4 address that a host has if the plan says so.
    pub fn address(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(host + 1).expect("fewer hosts than addresses"))
    }

    /// A program that will run on a host.
    pub fn command(&self, host: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names.host(host)]).arg(program);
        command
    }

    /// Plugs the network card of a virtual machine into the bridge: adds a tap device of this name. The machine must run in
    /// the bridge's namespace: see [`Network::bridge_command`].
    pub fn add_tap(&self, tap: &str) -> Result<(), NetnsError> {
        let lines = [format!("tuntap add dev {tap} mode tap"), format!("link set {tap} master br0 up")];
        batch(Some(&self.names.bridge()), &lines)
    }

    /// A program that will run where the bridge is.
    pub fn bridge_command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names.bridge()]).arg(program);
        command
    }

    /// Runs a function on a host, in a thread of its own: what it opens belongs to the host also afterwards.
    pub fn inside<T: Send>(&self, host: usize, run: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        assert!(host < self.hosts, "host {host} of {}", self.hosts);
        inside(&names::path(&self.names.host(host)), run)
    }

    /// Changes something about a host's device: the words after `ip link set e0`.
    pub fn set_device(&self, host: usize, words: &str) -> Result<(), NetnsError> {
        batch(Some(&self.names.host(host)), &[format!("link set {DEVICE} {words}")])
    }

    /// Removes a host's device.
    pub fn remove_device(&self, host: usize) -> Result<(), NetnsError> {
        batch(Some(&self.names.host(host)), &[format!("link del {DEVICE}")])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.names.remove();
    }
}

fn inside<T: Send>(namespace: &Path, run: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
    let file = File::open(namespace)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| -> Result<T, NetnsError> {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(std::io::Error::from)?;
            Ok(run())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs lines of `ip`, in a namespace or outside.
fn batch(namespace: Option<&str>, lines: &[String]) -> Result<(), NetnsError> {
    let mut ip = Command::new("ip");
    if let Some(namespace) = namespace {
        ip.args(["-n", namespace]);
    }
    ip.args(["-batch", "-"]);
    feed(ip, &(lines.join("\n") + "\n"), "ip", "iproute2").map(drop)
}

/// Runs a program with this input; its output, or an error with what it said.
fn feed(mut command: Command, input: &str, program: &'static str, package: &'static str) -> Result<String, NetnsError> {
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => NetnsError::Missing { program, package },
        _ => NetnsError::Io(error),
    };
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(missing)?;
    // A program that fails early closes its input: what it says is the error then.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = child.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(stdout)
    } else {
        Err(NetnsError::Failed { command: format!("{command:?}"), stderr })
    }
}
