//! A log for each node: a file of its name, a line for each change. And one for all that are none.

use super::{Change, Refusal};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Logs in a folder. They are appended to, so that what happened at earlier boots stays.
pub struct Journal {
    dir: PathBuf,
    began: SystemTime,
}

impl Journal {
    /// Logs in this folder, which is made if need be. The times of changes count from `began`.
    pub fn open(dir: &Path, began: SystemTime) -> io::Result<Journal> {
        fs::create_dir_all(dir)?;
        Ok(Journal { dir: dir.to_owned(), began })
    }

    /// Adds a line to the log of the node.
    pub fn write(&self, change: &Change) -> io::Result<()> {
        let mut line = change.state.to_owned();
        if change.state == "receiving" {
            line += &format!(" {} %", change.percent);
        }
        if let Some(reason) = &change.reason {
            line += &format!(" {reason}");
        }
        if let Some(note) = &change.note {
            line += &format!(" ({note})");
        }
        self.append(&change.node, change.at_ms, &line)
    }

    /// Adds a line to the log of those who were refused.
    pub fn write_refusal(&self, refusal: &Refusal) -> io::Result<()> {
        self.append("refused", refusal.at_ms, &format!("{}: {}", refusal.refused, refusal.reason))
    }

    fn append(&self, log: &str, at_ms: u64, line: &str) -> io::Result<()> {
        let at = humantime::format_rfc3339_millis(self.began + Duration::from_millis(at_ms));
        let path = self.dir.join(format!("{log}.log"));
        File::options().create(true).append(true).open(path)?.write_all(format!("{at} {line}\n").as_bytes())
    }
}
