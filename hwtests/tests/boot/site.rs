//! A folder with a key, an image, and what the processes of a test write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use twowire_hwtests::programs::program;

/// See the module.
pub(crate) struct Site {
    dir: TempDir,
    initramfs: Vec<u8>,
}

impl Site {
    /// A site whose image has so many bytes.
    pub(crate) fn new(bytes: usize) -> Site {
        let dir = tempfile::tempdir().unwrap();
        // Whatever the bytes are, no two chunks are alike.
        let initramfs: Vec<u8> =
            (0..bytes as u32 / 4).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
        let site = Site { dir, initramfs };
        fs::write(site.path("initrd"), &site.initramfs).unwrap();
        site.run("twowire", &["key", "new", "--out", "key"]);
        site.run("twowire", &["image", "pack", "--initrd", "initrd", "--key", "key", "-o", "image"]);
        site
    }

    /// The path of something in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program that will run in the folder.
    pub(crate) fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        command.current_dir(self.dir.path()).args(args);
        command
    }

    /// Runs a program, which must succeed.
    pub(crate) fn run(&self, name: &str, args: &[&str]) {
        let output = self.command(name, args).output().unwrap();
        assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Fails unless this node's folder holds the image, and nothing else.
    pub(crate) fn check(&self, node: &str) {
        let root = self.path(node);
        assert!(fs::read(root.join("initramfs")).unwrap() == self.initramfs, "{node} has other bytes");
        assert_eq!(names(&root), ["cmdline", "initramfs"], "{node}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
