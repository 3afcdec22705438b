//! Programs of this library under Slurm's `srun`: a cluster of one node on this machine, with the real daemons.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long daemons and jobs may take together.
const LIMIT_SECONDS: &str = "120";
/// The status of `timeout` where the limit was reached.
const TIMED_OUT: i32 = 124;
/// How long the node may take until it accepts jobs.
const START: Duration = Duration::from_secs(60);

/// Slurm's daemons, killed when this is dropped.
struct Slurm {
    folder: TempDir,
    daemons: Vec<Child>,
}

impl Slurm {
    /// A cluster whose only node is this machine; the reason if there can be none.
    fn start() -> Result<Slurm, String> {
        for program in ["munged", "slurmctld", "slurmd", "srun", "sinfo"] {
            let found =
                std::env::var("PATH").unwrap_or_default().split(':').any(|at| Path::new(at).join(program).exists());
            let beside = Path::new("/usr/sbin").join(program).exists();
            (found || beside).then_some(()).ok_or_else(|| format!("no {program}"))?;
        }
        let uid = Command::new("id").arg("-u").output().map_err(|error| error.to_string())?;
        (uid.stdout.trim_ascii() == b"0").then_some(()).ok_or("slurmd must be started by root")?;
        let mut slurm = Slurm { folder: tempfile::tempdir().expect("a folder"), daemons: Vec::new() };
        slurm.write_files();
        let at = |name: &str| slurm.folder.path().join(name).display().to_string();
        let munged =
            ["socket", "key-file", "pid-file", "log-file", "seed-file"].map(|file| format!("--{file}={}", at(file)));
        slurm.spawn("munged", &["--foreground", "--force"], &munged);
        slurm.spawn("slurmctld", &["-D"], &[]);
        slurm.spawn("slurmd", &["-D"], &[]);
        slurm.await_node();
        Ok(slurm)
    }

    fn write_files(&self) {
        let path = self.folder.path();
        // Who asks munged for credentials must be able to reach its socket, and its key be random and nobody else's.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("an own folder");
        let key = path.join("key-file");
        fs::write(&key, (0..64).map(|_| fastrand::u8(..)).collect::<Vec<u8>>()).expect("room");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("an own file");
        fs::write(path.join("slurm.conf"), configuration(path)).expect("room");
    }

    fn spawn(&mut self, program: &str, options: &[&str], more: &[String]) {
        let log = fs::File::create(self.folder.path().join(program)).expect("room");
        let mut daemon = self.command("timeout");
        daemon.args(["--kill-after=5", LIMIT_SECONDS, program]).args(options).args(more);
        daemon.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        self.daemons.push(daemon.spawn().expect("timeout, of coreutils"));
    }

    /// A command that uses this cluster.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf")).env("PATH", path);
        command
    }

    /// Waits until the node has no job.
    #[allow(clippy::disallowed_methods)] // Nobody can wait for a node to become idle: it is asked again and again, for a time.
    fn await_node(&self) {
        let begin = Instant::now();
        loop {
            let node = self.command("sinfo").args(["--noheader", "--format=%T"]).output().expect("sinfo starts");
            if node.stdout.trim_ascii() == b"idle" {
                return;
            }
            let logs = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            let said = ["munged", "slurmctld", "slurmd"].map(logs).join("\n---\n");
            assert!(begin.elapsed() < START, "the node does not come: {}\n{said}", common::shown(&node));
            sleep(Duration::from_millis(100));
        }
    }

    /// Runs `tests/c/NAME.c` by `srun`, on more ranks than there are processors.
    fn run(&self, mpi: &str, name: &str, arguments: &[&str]) -> Output {
        let mut srun = self.command("timeout");
        srun.args([LIMIT_SECONDS, "srun", "--overcommit", "--ntasks=4"]).arg(format!("--mpi={mpi}"));
        srun.arg(common::build(name)).args(arguments).stdin(Stdio::null()).output().expect("timeout, of coreutils")
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // What slurmd says at its end needs the others.
        for daemon in self.daemons.iter_mut().rev() {
            // `timeout` hands it on to the daemon.
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

/// `slurm.conf` of one node that takes any number of ranks, with all files in a folder.
fn configuration(folder: &Path) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a Linux machine");
    let host = host.trim().split('.').next().unwrap_or_default();
    let port = || TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let (controller, node, folder) = (port(), port(), folder.display());
    format!(
        "ClusterName=test\n\
         SlurmctldHost={host}(127.0.0.1)\n\
         SlurmctldPort={controller}\n\
         SlurmdPort={node}\n\
         SlurmUser=root\n\
         AuthType=auth/munge\n\
         AuthInfo=socket={folder}/socket\n\
         StateSaveLocation={folder}/state\n\
         SlurmdSpoolDir={folder}/spool\n\
         SlurmctldPidFile={folder}/slurmctld.pid\n\
         SlurmdPidFile={folder}/slurmd.pid\n\
         KillWait=2\n\
         ProctrackType=proctrack/linuxproc\n\
         TaskPlugin=task/none\n\
         JobAcctGatherType=jobacct_gather/none\n\
         SelectType=select/cons_tres\n\
         NodeName={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN\n\
         PartitionName=all Nodes=ALL Default=YES State=UP\n"
    )
}

#[test]
fn srun_starts_ranks_by_pmi2_and_by_pmix_and_an_abort_ends_its_job() {
    let slurm = match Slurm::start() {
        Ok(slurm) => slurm,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let pmix = format!("/usr/lib/{}-linux-gnu/pmix2/lib/libpmix.so", std::env::consts::ARCH);
    for mpi in ["pmi2", "pmix"] {
        if mpi == "pmix" && !Path::new(&pmix).exists() {
            eprintln!("skipped: no {pmix}, which Slurm loads (Debian: libpmix-dev)");
            continue;
        }
        let output = slurm.run(mpi, "ranks", &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: BTreeSet<&str> = text.lines().collect();
        let expected = ["rank 0 of 4", "rank 1 of 4", "rank 2 of 4", "rank 3 of 4"].into();
        assert!(output.status.success() && lines == expected, "{mpi}: {}", common::shown(&output));
        let output = slurm.run(mpi, "misbehave", &["1", "abort"]);
        // The others wait for ever, and nobody but the rank that aborts has Slurm end them. How a job ended that was aborted while it was
        // still being started, `srun` does not know; that it has ended is what counts.
        assert_ne!(output.status.code(), Some(TIMED_OUT), "{mpi}: {}", common::shown(&output));
        slurm.await_node();
    }
}
