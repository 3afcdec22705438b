//! Phase 2 as a command: what a machine that was started with the image does, for a node that is an ordinary process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::time::Time;

/// A command that is ready when it has ended well.
pub(super) struct Phase2 {
    command: PathBuf,
    child: Child,
    limit: Duration,
    until: Time,
}

impl Phase2 {
    /// Starts a command on the folder that holds the image.
    pub(super) fn start(now: Time, command: &Path, root: &Path, limit: Duration) -> Result<Phase2, Failure> {
        let child = Command::new(command).arg(root).spawn();
        let child =
            child.map_err(|error| failure(command, &format!("cannot be run: {error}; give another --start")))?;
        Ok(Phase2 { command: command.to_owned(), child, limit, until: now + limit })
    }

    /// True once it is ready; an error if it will not be.
    pub(super) fn is_ready(&mut self, now: Time) -> Result<bool, Failure> {
        match self.child.try_wait() {
            Ok(None) if now < self.until => Ok(false),
            Ok(None) => {
                let why = format!("took more than {:?}; give it more by --ready-timeout", self.limit);
                Err(failure(&self.command, &why))
            }
            Ok(Some(status)) if status.success() => Ok(true),
            Ok(Some(status)) => Err(failure(&self.command, &format!("ended with {status}"))),
            Err(error) => Err(failure(&self.command, &format!("cannot be waited for: {error}"))),
        }
    }
}

impl Drop for Phase2 {
    fn drop(&mut self) {
        // It has ended, or is not waited for any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failure(command: &Path, why: &str) -> Failure {
    Failure::Failed(format!("phase 2 is not ready: {} {why}", command.display()))
}
