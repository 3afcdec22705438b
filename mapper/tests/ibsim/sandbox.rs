//! A running ibsim with a subnet of its own, and programs that take it for the kernel's InfiniBand devices.

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
    _ibsim: Running,
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

/// `mapper`, nowhere in particular.
pub(crate) fn mapper() -> Command {
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
        ibsim
            .args(["-s", "-n", "-N", "2048", "-S", "512", "-P", "16384", "subnet.net"])
            .current_dir(dir.path())
            .env("IBSIM_SOCKNAME", &socket);
        let ibsim = ibsim.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _ibsim = Running(ibsim);
        let network = std::fs::read_to_string(dir.path().join("subnet.net")).unwrap();
        let node = network.split('"').nth(1).unwrap().to_owned();
        let sandbox = Sandbox { dir, _ibsim, socket, node };
        sandbox.wait();
        Some(sandbox)
    }

    /// Waits until ibsim listens.
    fn wait(&self) {
        let socket = UnixDatagram::unbound().unwrap();
        let address = SocketAddr::from_abstract_name(format!("{}:out9\0", self.socket)).unwrap();
        wait(|| socket.connect_addr(&address).is_ok(), "ibsim does not listen");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `mapper` on the subnet; what it prints. `way` is `ibsim`, by ibsim's sockets, or `umad`, by the kernel's library.
    pub(crate) fn mapper(&self, way: &str, words: &str) -> String {
        let output = self.run_on(&self.fabric(way), words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The subnet by one of the ways to it.
    pub(crate) fn fabric(&self, way: &str) -> String {
        if way == "umad" { "umad:ibsim0/1".to_owned() } else { format!("ibsim:{}", self.node) }
    }

    /// Waits until a file has some text.
    pub(crate) fn wait_for(&self, text: &str, file: &str) {
        let has_it = || std::fs::read_to_string(self.path(file)).is_ok_and(|found| found.contains(text));
        wait(has_it, &format!("no `{text}` in {file}"));
    }

    /// Runs `mapper` on a fabric. With `umad:` it takes ibsim for the kernel's InfiniBand devices.
    pub(crate) fn run_on(&self, fabric: &str, words: &str) -> Output {
        let mut mapper = mapper();
        mapper.args(["--fabric", fabric]).args(words.split_whitespace());
        self.place(&mut mapper, &self.node);
        if !fabric.starts_with("umad") {
            mapper.env_remove("LD_PRELOAD");
        }
        mapper.output().unwrap()
    }

    /// Runs a program of others, which takes ibsim for the kernel's InfiniBand devices.
    pub(crate) fn tool(&self, program: &str, words: &[&str]) -> String {
        let output = self.command(program, words, &self.node).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts such a program at some node.
    pub(crate) fn start(&self, program: &str, words: &[&str], node: &str) -> Running {
        let mut command = self.command(program, words, node);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Running(child.unwrap())
    }

    fn command(&self, program: &str, words: &[&str], node: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.args(words).env("PATH", path);
        command.env("OSM_CACHE_DIR", self.dir.path()).env("OSM_TMP_DIR", self.dir.path());
        self.place(&mut command, node);
        command
    }

    /// Places a program at a node.
    fn place(&self, command: &mut Command, node: &str) {
        command.current_dir(self.dir.path()).env("IBSIM_SOCKNAME", &self.socket);
        command.env("SIM_HOST", node).env("LD_PRELOAD", preload());
    }
}

/// A program that runs until it is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something to be true.
fn wait(is_so: impl Fn() -> bool, complaint: &str) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{complaint}");
}

/// The library that comes with ibsim.
fn preload() -> PathBuf {
    let libraries = Path::new("/usr/lib").read_dir().unwrap().flatten().map(|entry| entry.path());
    let mut candidates = libraries.map(|dir| dir.join("umad2sim/libumad2sim.so"));
    candidates.find(|path| path.is_file()).expect("ibsim-utils has it")
}
