//! A directory in which the program runs.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use tempfile::TempDir;

pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// A directory with `small.topo`.
    pub(crate) fn with(topo: &str) -> Sandbox {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("small.topo"), topo).unwrap();
        Sandbox { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xbar"));
        command.args(words.split_whitespace()).current_dir(self.path());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Standard output of a run that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, words: &str) -> String {
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "xbar {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(words)).unwrap()
    }

    /// A run that must end with `code`; each of `expected` must stand in what it says.
    #[track_caller]
    pub(crate) fn fails(&self, words: &str, code: i32, expected: &[&str]) {
        let before = self.names();
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "xbar {words}\n{stderr}");
        for part in expected {
            assert!(stderr.contains(part), "xbar {words}: `{part}` is not in\n{stderr}");
        }
        assert_eq!(self.names(), before, "xbar {words} left something behind");
    }

    /// Starts a run that goes on.
    pub(crate) fn start(&self, words: &str) -> Running {
        let child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running(child)
    }

    /// Starts a shell with this script, in which `$0` is the program.
    pub(crate) fn shell(&self, script: &str) -> Running {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_xbar")]).current_dir(self.path());
        Running(shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A server at `x` that is ready.
    pub(crate) fn serving(&self, words: &str) -> Running {
        let serve = self.start(&format!("serve --at x --json {words}"));
        serve.first_json();
        serve
    }
}

/// A process that is killed when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// The first line that it prints: then it is ready.
    pub(crate) fn first_json(&self) -> Value {
        let stdout = self.0.stdout.as_ref().unwrap();
        // One line at a time comes, so nothing is lost with this reader's buffer.
        let mut line = String::new();
        let stdout = std::os::fd::AsFd::as_fd(stdout).try_clone_to_owned().unwrap();
        BufReader::new(fs::File::from(stdout)).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(mut self) -> ExitStatus {
        self.signal("INT");
        self.0.wait().unwrap()
    }

    /// Sends it a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Kills it at once.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end by itself; returns what it said, too.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.0.wait().unwrap();
        let mut stderr = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it holds: other processes act in their own time.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    assert!((0..200).any(|_| holds()), "{what} did not happen");
}
