//! A subnet of ibsim.

use crate::run::{Running, capture};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::topology::Topology;
use twowire_fabric::topology::generate::{Clos, pink};

/// A network file of ibsim.
pub(crate) struct Network {
    pub name: String,
    pub folder: PathBuf,
    /// The same as a topology's file.
    pub topology: PathBuf,
    file: PathBuf,
    /// The node where programs sit.
    pub node: String,
    /// What ibsim must have room for.
    room: [String; 3],
}

/// A running ibsim.
pub(crate) struct Subnet {
    _ibsim: Running,
    pub socket: String,
}

/// A Clos of three levels, of crossbars of the least ports that will do.
pub(crate) fn clos(hosts: u64) -> Result<Topology, Failure> {
    let holds = |radix: &u8| u64::from(*radix).pow(3) / 4 >= hosts;
    let radix =
        (4..=128).step_by(2).find(holds).ok_or_else(|| Failure::Usage(format!("{hosts} hosts are too many")))?;
    Clos { hosts, radix, levels: 3, oversubscription: 1.0 }.build().map_err(Failure::usage)
}

impl Network {
    /// Writes the files of a network.
    pub(crate) fn prepare(work: &Path, name: &str, mapper: &Path) -> Result<Network, Failure> {
        let topology =
            match name {
                "pink" => pink(),
                hosts => clos(hosts.parse().map_err(|_| {
                    Failure::Usage(format!("--networks {name}: expected `pink` or a number of hosts"))
                })?)?,
            };
        let folder = work.join(name);
        let write = |file: &str, text: &str| std::fs::write(folder.join(file), text).map_err(Failure::failed);
        std::fs::create_dir(&folder).map_err(Failure::failed)?;
        write("net.topo", &topology.to_string())?;
        write("opensm.conf", "max_wire_smps 64\n")?;
        capture(Command::new(mapper).args(["--from-topo", "net.topo", "--ibnet-out", "net.ib"]).current_dir(&folder))?;
        let ports: usize =
            topology.crossbars().iter().map(|x| usize::from(x.ports) + 1).sum::<usize>() + 2 * topology.hosts().len();
        let nodes = topology.hosts().len() + topology.crossbars().len();
        let room = [nodes, topology.crossbars().len(), ports].map(|count| (count + 16).to_string());
        let text = std::fs::read_to_string(folder.join("net.ib")).map_err(Failure::failed)?;
        let node = text.split('"').nth(1).unwrap_or_default().to_owned();
        let [topology, file] = ["net.topo", "net.ib"].map(|file| folder.join(file));
        Ok(Network { name: name.to_owned(), topology, file, folder, node, room })
    }

    /// Starts an ibsim with this network, every port of it down.
    pub(crate) fn start(&self) -> Result<Subnet, Failure> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let socket = format!("against{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let [nodes, switches, ports] = &self.room;
        let mut ibsim = Command::new("ibsim");
        ibsim.args(["-s", "-n", "-N", nodes, "-S", switches, "-P", ports, "-L", "49152"]).arg(&self.file);
        ibsim.env("IBSIM_SOCKNAME", &socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ibsim = ibsim
            .spawn()
            .map_err(|error| Failure::Failed(format!("cannot start ibsim: {error}; `apt-get install ibsim-utils`")))?;
        let subnet = Subnet { _ibsim: Running(ibsim), socket };
        subnet.wait()?;
        Ok(subnet)
    }
}

impl Subnet {
    /// Waits until ibsim listens.
    fn wait(&self) -> Result<(), Failure> {
        let socket = UnixDatagram::unbound().map_err(Failure::failed)?;
        let address = SocketAddr::from_abstract_name(format!("{}:out9\0", self.socket)).map_err(Failure::failed)?;
        for _ in 0..6_000 {
            if socket.connect_addr(&address).is_ok() {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Err(Failure::Failed("ibsim does not listen".to_owned()))
    }
}
