//! The workspace's programs, as processes of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a test waits for something before it says that it hangs.
const PATIENCE: u32 = 120_000;

/// The path of a program of the workspace, built from the sources as they are.
///
/// # Panics
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

/// The path of a small, static `bootnode`, as it lies in a node's flash.
///
/// # Panics
/// If it cannot be built.
pub fn static_bootnode() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(build_static_bootnode).clone()
}

fn build_static_bootnode() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.args(["xtask", "phase1"]).current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    command.env("CARGO_TARGET_DIR", target_dir());
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "the static bootnode cannot be built");
    String::from_utf8(output.stdout).expect("a path").trim().into()
}

/// An MPI program of the tests, built into a folder from its source below `hwtests/tests`.
///
/// # Panics
/// If it cannot be built.
pub fn mpi_program(source: &str, folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let built = folder.join(source.file_stem().expect("a source has a name"));
    if !built.exists() {
        build_mpi_library();
        let mut mpicc = Command::new(program("mpicc"));
        let output = mpicc.arg("-o").arg(&built).arg(source).arg("-lm").output().expect("mpicc runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    built
}

/// The library for C is built on the way to no other program.
fn build_mpi_library() {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "-p", "twowire-mpi-shim", "--lib", "--target-dir"]);
    let target = program("mpicc").ancestors().nth(2).expect("TARGET/PROFILE/mpicc").to_owned();
    assert!(build.arg(target).status().expect("cargo runs").success());
}

/// A copy of the MPI library without what only a debugger reads, in a folder of its own.
///
/// # Panics
/// If there is no library, or no `strip`.
pub fn small_mpi_library(folder: &Path) -> PathBuf {
    let small = folder.join("lib");
    if small.exists() {
        return small;
    }
    build_mpi_library();
    fs::create_dir_all(&small).expect("a folder");
    strip(&program("mpicc").with_file_name("libmpi_abi.so"), &small.join("libmpi_abi.so.1"));
    small
}

/// A copy of a program of the workspace without what only a debugger reads, for machines with little memory.
///
/// # Panics
/// If there is no `strip`.
pub fn small_program(name: &str, folder: &Path) -> PathBuf {
    let small = folder.join(name);
    strip(&program(name), &small);
    small
}

fn strip(file: &Path, small: &Path) {
    let strip = Command::new("strip").arg("-o").arg(small).arg(file).output();
    assert!(strip.expect("strip comes with the C compiler").status.success());
}

/// Where cargo puts what it builds: the target directory of this test.
fn target_dir() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    own.ancestors().nth(3).expect("a test lies in TARGET/PROFILE/deps").to_owned()
}

/// Builds all programs in the profile of this test, and returns their folder.
fn build() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let folder = own.ancestors().nth(2).expect("a test lies in TARGET/PROFILE/deps").to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    // Tests need no benchmarks, which take long to link.
    let others = ["--exclude", "twowire-benches", "--exclude", "xtask"];
    command.args(["build", "--quiet", "--locked", "--workspace", "--bins"]).args(others);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--target-dir").arg(target_dir());
    if folder.ends_with("release") {
        command.arg("--release");
    }
    assert!(command.status().expect("cargo runs").success(), "the programs cannot be built");
    folder
}

#[expect(clippy::disallowed_methods, reason = "nobody says when another process has come so far")]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Tries until it holds: other processes act in their own time.
///
/// # Panics
/// If it does not come true.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let came = (0..PATIENCE).any(|_| {
        let now = holds();
        if !now {
            pause();
        }
        now
    });
    assert!(came, "{what}: this has not come true");
}

/// A process that ends with the test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to the end of a file.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Process {
        let file = fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let errors = file.try_clone().expect("a second descriptor");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        Process { child: child.unwrap_or_else(|e| panic!("{command:?}: {e}")), log: log.to_owned() }
    }

    /// Everything that it has printed.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has printed this.
    ///
    /// # Panics
    /// If it ends before, or hangs.
    pub fn wait_for(&mut self, text: &str) {
        let patience = (0..PATIENCE).any(|_| {
            pause();
            self.output().contains(text) || self.child.try_wait().expect("a child").is_some()
        });
        assert!(patience && self.output().contains(text), "no `{text}` in {}:\n{}", self.log.display(), self.output());
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// If it hangs.
    pub fn wait(&mut self) -> ExitStatus {
        for _ in 0..PATIENCE {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            pause();
        }
        panic!("it hangs; {}:\n{}", self.log.display(), self.output());
    }

    /// Ctrl-C.
    ///
    /// # Panics
    /// If it has ended.
    pub fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
