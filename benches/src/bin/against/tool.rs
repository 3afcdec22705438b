//! The tools, and how each is run at its best.

use super::files::Files;
use super::race::Course;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use twowire_hwtests::netns::{DEVICE, Network};

/// A program that sends one file to many machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// `bootd` and `bootnode`.
    Twowire,
    /// `udp-sender` and `udp-receiver`.
    Udpcast,
    /// `uftp` and `uftpd`.
    Uftp,
}

impl Tool {
    /// Every tool, with its name.
    const NAMES: [(Tool, &str); 3] = [(Tool::Twowire, "twowire"), (Tool::Udpcast, "udpcast"), (Tool::Uftp, "uftp")];

    /// True if its receivers end by themselves when they have the file; else the sender's end is the end.
    pub(super) fn receivers_end(self) -> bool {
        self != Tool::Uftp
    }

    /// The sender, on host 0.
    pub(super) fn sender(self, network: &Network, course: Course, files: &Files) -> Command {
        let count = course.receivers.to_string();
        match self {
            Tool::Twowire => {
                let mut bootd = network.command(0, files.program("bootd"));
                bootd.arg("--fabric").arg(format!("raw:{DEVICE}")).arg("--image").arg(files.image());
                bootd.arg("--key").arg(files.key()).args(["--nodes", &count, "--json"]);
                bootd
            }
            Tool::Udpcast => {
                let mut sender = network.command(0, "udp-sender");
                sender.args(["-i", DEVICE, "--min-receivers", &count, "--nokbd", "--no-progress", "-f"]);
                sender.arg(files.payload());
                sender
            }
            Tool::Uftp => {
                let ids: Vec<String> = (0..course.receivers).map(uftp_id).collect();
                // Without -R -1 it sends a megabit a second; a block that does not fit the MTU is cut by IP.
                let block = (course.mtu - 100).min(8800).to_string();
                let mut uftp = network.command(0, "uftp");
                uftp.args(["-I", DEVICE, "-R", "-1", "-B", "16777216", "-b", &block, "-H", &ids.join(",")]);
                uftp.arg(files.payload());
                uftp
            }
        }
    }

    /// A receiver, on host `index + 1`.
    pub(super) fn receiver(self, network: &Network, index: usize, files: &Files) -> Command {
        let folder = files.folder(index);
        match self {
            Tool::Twowire => {
                let mut node = network.command(index + 1, files.program("bootnode"));
                node.arg("--fabric").arg(format!("raw:{DEVICE}")).arg("--key").arg(files.key());
                node.arg("--root").arg(folder).arg("--json");
                node
            }
            Tool::Udpcast => {
                let mut receiver = network.command(index + 1, "udp-receiver");
                receiver.args(["-i", DEVICE, "--nokbd", "--no-progress", "-f"]).arg(folder.join("payload"));
                receiver
            }
            Tool::Uftp => {
                let mut uftpd = network.command(index + 1, "uftpd");
                uftpd.args(["-d", "-I", DEVICE, "-B", "16777216", "-U", &uftp_id(index), "-D"]).arg(folder);
                uftpd
            }
        }
    }

    /// The file that a receiver has written.
    pub(super) fn copy(self, index: usize, files: &Files) -> PathBuf {
        files.folder(index).join(if self == Tool::Twowire { "initramfs" } else { "payload" })
    }
}

fn uftp_id(index: usize) -> String {
    format!("0x{:08x}", index + 1)
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Tool::NAMES.iter().find(|(tool, _)| tool == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(text: &str) -> Result<Tool, String> {
        let names: Vec<&str> = Tool::NAMES.iter().map(|(_, name)| *name).collect();
        let found = Tool::NAMES.iter().find(|(_, name)| *name == text).map(|(tool, _)| *tool);
        found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
    }
}
