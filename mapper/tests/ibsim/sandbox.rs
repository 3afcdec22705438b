//! A running ibsim with a subnet of its own.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A directory, and an ibsim that has no socket's name in common with another.
pub(crate) struct Sandbox {
    dir: TempDir,
    ibsim: Child,
    socket: String,
    /// The node where the mapper sits.
    pub(crate) node: String,
}

/// True if a program is on the path, or where system programs are.
pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = PathBuf::from("/usr/sbin");
    std::env::split_paths(&path).chain([system]).any(|dir| dir.join(program).is_file())
}

fn mapper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mapper"))
}

impl Sandbox {
    /// Starts ibsim with a generated topology as its network, which is in `intended.topo` as well. `None` where it is
    /// not installed.
    pub(crate) fn with_subnet(fabric: &str) -> Option<Sandbox> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !installed("ibsim") {
            eprintln!("skipped: ibsim is not installed; `apt-get install ibsim-utils`");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let words = ["--fabric", fabric, "--topo-out", "intended.topo", "--ibnet-out", "subnet.net"];
        let made = mapper().args(words).current_dir(dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let socket = format!("twowire{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut ibsim = Command::new("ibsim");
        ibsim.args(["-s", "-n", "subnet.net"]).current_dir(dir.path()).env("IBSIM_SOCKNAME", &socket);
        let ibsim = ibsim.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let network = std::fs::read_to_string(dir.path().join("subnet.net")).unwrap();
        let node = network.split('"').nth(1).unwrap().to_owned();
        let sandbox = Sandbox { dir, ibsim, socket, node };
        sandbox.wait();
        Some(sandbox)
    }

    /// Waits until ibsim listens.
    fn wait(&self) {
        let socket = UnixDatagram::unbound().unwrap();
        let address = SocketAddr::from_abstract_name(format!("{}:out9\0", self.socket)).unwrap();
        for _ in 0..3_000 {
            if socket.connect_addr(&address).is_ok() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("ibsim does not listen");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `mapper`.
    pub(crate) fn run(&self, words: &str) -> Output {
        let mut mapper = mapper();
        mapper.args(words.split_whitespace()).current_dir(self.dir.path()).env("IBSIM_SOCKNAME", &self.socket);
        mapper.output().unwrap()
    }

    /// Runs `mapper` on the subnet; what it prints.
    pub(crate) fn mapper(&self, words: &str) -> String {
        let output = self.run(&format!("--fabric ibsim:{} {words}", self.node));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a program of others, which takes ibsim for the kernel's InfiniBand devices.
    pub(crate) fn tool(&self, program: &str, words: &[&str]) -> String {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.args(words).current_dir(self.dir.path()).env("PATH", path).env("IBSIM_SOCKNAME", &self.socket);
        command.env("SIM_HOST", &self.node).env("LD_PRELOAD", preload());
        command.env("OSM_CACHE_DIR", self.dir.path()).env("OSM_TMP_DIR", self.dir.path());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The library that comes with ibsim.
fn preload() -> PathBuf {
    let libraries = Path::new("/usr/lib").read_dir().unwrap().flatten().map(|entry| entry.path());
    let mut candidates = libraries.map(|dir| dir.join("umad2sim/libumad2sim.so"));
    candidates.find(|path| path.is_file()).expect("ibsim-utils has it")
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.ibsim.kill();
        let _ = self.ibsim.wait();
    }
}
