//! A directory of its own in which the program runs.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// The directory.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs `mapper` with these words.
    pub(crate) fn run(&self, words: &str) -> Output {
        let mapper = env!("CARGO_BIN_EXE_mapper");
        Command::new(mapper).args(words.split_whitespace()).current_dir(self.path()).output().unwrap()
    }

    /// Standard output of a run that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, words: &str) -> String {
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "mapper {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(words)).unwrap()
    }

    /// A run that must end with `code`; each of `expected` must stand in what it says. Nothing is left behind.
    #[track_caller]
    pub(crate) fn fails(&self, words: &str, code: i32, expected: &[&str]) {
        let before = self.names();
        let output = self.run(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "mapper {words}\n{stderr}");
        for text in expected {
            assert!(stderr.contains(text), "mapper {words}\nexpected: {text}\ngot: {stderr}");
        }
        if code == 1 {
            assert_eq!(stderr.lines().count(), 1, "mapper {words}\none line, please: {stderr}");
        }
        assert!(output.stdout.is_empty(), "mapper {words}");
        assert_eq!(self.names(), before, "mapper {words} left something behind");
    }
}
