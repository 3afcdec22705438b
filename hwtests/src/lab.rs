//! Labs for tests: a test is a few lines, waits for events, and what it leaves when it fails can be looked at.

use crate::programs::{Process, program, small_mpi_library, static_bootnode};
use rustix::process::geteuid;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use twowire_cluster::lab::emulator::Accelerator;
use twowire_cluster::lab::plan::LabOptions;
use twowire_cluster::lab::{Lab, LabError, down};

/// How long a test waits for machines. Emulated ones on a busy host are slow; what hangs takes longer.
pub const PATIENCE: Duration = Duration::from_secs(420);

/// Where what is left of a failed test goes, if it is set.
const ARTEFACTS: &str = "TWOWIRE_ARTEFACTS";

/// A lab that goes with its test. After a failure its files stay, and the test says where.
pub struct TestLab {
    dir: Option<TempDir>,
    lab: Lab,
}

impl TestLab {
    /// So many nodes in a Clos network, switched on; `None`, with the reason on standard error, where there can be no machines.
    ///
    /// # Panics
    /// If there should be machines, and they do not start.
    pub fn new(nodes: usize) -> Option<TestLab> {
        TestLab::with(nodes, |options| options)
    }

    /// The same with other options.
    pub fn with(nodes: usize, change: impl FnOnce(LabOptions) -> LabOptions) -> Option<TestLab> {
        let dir = tempfile::tempdir().expect("a folder");
        let usual = LabOptions::new(dir.path().join("lab"), nodes);
        let usual = LabOptions {
            // What is looked for is not how fast the processor is, and it is the same everywhere.
            accelerator: Some(Accelerator::Tcg),
            xbar: program("xbar"),
            bootnode: static_bootnode(),
            ..usual
        };
        match Lab::up(&change(usual)) {
            Ok(lab) => Some(TestLab { dir: Some(dir), lab }),
            Err(reason @ (LabError::Emulator(_) | LabError::Memory { .. })) => {
                eprintln!("skipped: {reason}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The path of a file beside the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.as_ref().expect("it goes with the test").path().join(name)
    }

    /// Waits until each of these nodes has printed one of these texts since it was switched on.
    ///
    /// # Panics
    /// If one does not.
    pub fn expect(&self, nodes: &[&str], texts: &[&str]) {
        let nodes: Vec<String> = nodes.iter().map(|&node| node.to_owned()).collect();
        self.lab.wait_for(&nodes, texts, PATIENCE, || false).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until all nodes run phase 1 and wait for their front end.
    pub fn expect_phase1(&self) {
        let nodes: Vec<&str> = self.lab.plan().nodes.iter().map(String::as_str).collect();
        self.expect(&nodes, &["waits for routes"]);
    }

    /// Runs a program beside the lab, which must succeed; what it prints.
    pub fn run(&self, name: &str, args: &[&str]) -> String {
        let output = self.command(name, args).output().expect("a program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{name} {args:?}: {}\n{}", text(&output.stderr), text(&output.stdout));
        text(&output.stdout)
    }

    fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.path(".")).args(args);
        command
    }

    /// Maps the fabric by the intended cabling, into the files `map` and `routes`.
    pub fn map(&self) {
        let fabric = self.lab.fabric();
        self.run(
            "mapper",
            &["--fabric", &fabric, "--topo-out", "map", "--routes-out", "routes", "--routes-per-pair", "2"],
        );
    }

    /// A front end that boots the nodes of the map, which writes to this log.
    pub fn bootd(&self, log: &str) -> Process {
        self.bootd_of(log, &self.lab.folder().image(), None)
    }

    /// The same with this image, and this one for nodes on which it does not become ready.
    pub fn bootd_of(&self, log: &str, image: &Path, fallback: Option<&Path>) -> Process {
        let folder = self.lab.folder();
        let args = ["--topo", "map", "--routes", "routes", "--ready-timeout", "5m", "--node-timeout", "5m", "--json"];
        let mut command = self.command("bootd", &args);
        command.args(["--fabric", &self.lab.fabric(), "--image"]).arg(image).arg("--key").arg(folder.public_key());
        command.arg("--secret").arg(folder.secret());
        if let Some(fallback) = fallback {
            command.arg("--fallback").arg(fallback);
        }
        Process::start(command, &self.path(log))
    }

    /// The record in a node's NVRAM, as `route-store show --json` has it.
    pub fn record(&self, node: &str) -> serde_json::Value {
        let device = format!("file:{}", self.lab.folder().nvram(node).display());
        serde_json::from_str(&self.run("route-store", &["show", "--json", "--device", &device])).expect("a record")
    }

    /// Brings all up by `twowire up`; its report.
    pub fn bring_up(&self) -> serde_json::Value {
        let (fabric, folder) = (self.lab.fabric(), self.lab.folder());
        let text = |path: PathBuf| path.to_str().expect("a name of letters").to_owned();
        let args = ["up", "--fabric", &fabric, "--expect", &text(folder.topology()), "--image", &text(folder.image())];
        let secret = text(folder.secret());
        let more =
            ["--key", &text(folder.public_key()), "--secret", &secret, "--topo-out", "map", "--routes-out", "routes"];
        let out = self.run("twowire", &[&args[..], &more, &["--node-timeout", "5m", "--json"]].concat());
        serde_json::from_str(&out).expect("a report")
    }

    /// `mpirun` on the front end, for a job on nodes; the program follows. The nodes are those of the map that a bring-up has made.
    pub fn mpirun(&self, hosts: &str) -> Command {
        let mut command = self.command("mpirun", &["--timeout", "200", "--map", "map", "--routes", "routes"]);
        command.args(["--via", &self.lab.fabric(), "--hosts", hosts, "--secret"]).arg(self.lab.folder().secret());
        command.env("LD_LIBRARY_PATH", small_mpi_library(&self.path(".")));
        command
    }

    /// The ethertypes in the capture of a node's card, each once.
    pub fn ethertypes(&self, node: &str) -> Vec<u16> {
        let bytes = fs::read(self.lab.folder().capture(node)).expect("a capture");
        let mut found = ethertypes(&bytes);
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The ethertypes of all frames of a capture, as the emulator writes it: a header of 24 bytes, and 16 before each frame, of which four
/// say how long it is.
fn ethertypes(mut capture: &[u8]) -> Vec<u16> {
    let mut found = Vec::new();
    capture = capture.get(24..).unwrap_or_default();
    while let Some((header, rest)) = capture.split_first_chunk::<16>() {
        let length = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        found.extend(frame.get(12..14).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])));
        capture = rest;
    }
    found
}

impl Deref for TestLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        let at = self.lab.folder().path().to_owned();
        if std::thread::panicking() {
            self.keep(&at);
        }
        // The test has said what is wrong; a lab that does not go is one more thing.
        if let Err(error) = down(&at) {
            eprintln!("{error}");
        }
    }
}

impl TestLab {
    /// Keeps the consoles and logs of a failed test.
    fn keep(&mut self, at: &Path) {
        let kept = std::env::var_os(ARTEFACTS).map_or_else(std::env::temp_dir, PathBuf::from);
        let kept = kept.join(format!("twowire-failed-{}-{}", std::process::id(), geteuid().as_raw()));
        let copied = fs::create_dir_all(&kept).and_then(|()| {
            for entry in [at, &self.path(".")].into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten()
            {
                let small = entry.metadata().is_ok_and(|data| data.is_file() && data.len() < 8 << 20);
                if small {
                    fs::copy(entry.path(), kept.join(entry.file_name()))?;
                }
            }
            Ok(())
        });
        match copied {
            Ok(()) => eprintln!("what is left of the lab is in {}", kept.display()),
            Err(error) => eprintln!("what is left of the lab cannot be kept in {}: {error}", kept.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captures_ethertypes_are_read_to_the_last_whole_frame() {
        let mut capture = vec![0; 24];
        for ethertype in [0x88b5u16, 0x0806] {
            let frame = [&[0; 12][..], &ethertype.to_be_bytes(), &[0; 46]].concat();
            capture.extend([&[0; 8][..], &(frame.len() as u32).to_ne_bytes(), &[0; 4], &frame].concat());
        }
        assert_eq!(ethertypes(&capture), [0x88b5, 0x0806]);
        assert_eq!(ethertypes(&capture[..capture.len() - 1]), [0x88b5]);
        assert_eq!(ethertypes(&capture[..10]), [0u16; 0]);
    }
}
