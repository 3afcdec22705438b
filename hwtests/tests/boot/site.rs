//! A folder with a key, an image, and what the processes of a test write.

use std::fs;
use std::os::unix::fs::PermissionsExt;
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

    /// Another version of the image, with a hundredth of its bytes changed in extents of 16 KiB.
    pub(crate) fn change_one_percent(&mut self) {
        let (extent, len) = (16 << 10, self.initramfs.len());
        let extents = len / 100 / extent;
        for start in (0..extents).map(|index| index * (len / extents) + 1000) {
            self.initramfs[start..start + extent].iter_mut().for_each(|byte| *byte ^= 0x55);
        }
        fs::write(self.path("initrd"), &self.initramfs).unwrap();
        let pack = ["image", "pack", "--initrd", "initrd", "--image-version", "2", "--key", "key", "-o", "image"];
        self.run("twowire", &pack);
    }

    /// An image that does not become ready, a fallback that does, and the command that finds it out.
    pub(crate) fn make_bad_image_and_fallback(&self) {
        for (name, version) in [("bad", "2"), ("rescue", "1")] {
            let pack =
                ["image", "pack", "--initrd", "initrd", "--name", name, "--image-version", version, "--cmdline", name];
            self.run("twowire", &[&pack[..], &["--key", "key", "-o", name]].concat());
        }
        fs::write(self.path("start"), "#!/bin/sh\ngrep -q rescue \"$1/cmdline\"\n").unwrap();
        fs::set_permissions(self.path("start"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A blank NVRAM.
    pub(crate) fn make_nvram(&self, name: &str) {
        if !self.path(name).exists() {
            fs::write(self.path(name), [0; 1024]).unwrap();
        }
    }

    /// The last line of a front end: nodes that are ready, that have failed, and that boot the fallback.
    pub(crate) fn counts(output: &str) -> [u64; 3] {
        let last: serde_json::Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
        ["nodes_ready", "nodes_failed", "nodes_on_fallback"].map(|key| last[key].as_u64().unwrap())
    }

    /// The share of the image that a front end says it has sent, with lists and parity, in its last line.
    pub(crate) fn share_sent(&self, output: &str) -> f64 {
        let last: serde_json::Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
        last["bytes_sent"].as_u64().unwrap() as f64 / self.initramfs.len() as f64
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
