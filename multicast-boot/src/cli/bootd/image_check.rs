//! The hashes of an image, checked while it is sent: a node would refuse what is wrong, but could not say why. The check gets only the
//! processor time that nobody else wants: nothing waits for it.

use crate::image::{ImageError, PackedImage};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use twowire_fabric::program::Failure;

/// A check that goes on by itself.
pub(crate) struct ImageCheck {
    file: PathBuf,
    found: Receiver<ImageError>,
}

impl ImageCheck {
    /// Begins to check the image of this file.
    pub(crate) fn start(file: &Path, image: PackedImage) -> ImageCheck {
        let (tell, found) = channel();
        thread::spawn(move || {
            only_when_idle();
            image.check().map_err(|error| tell.send(error))
        });
        ImageCheck { file: file.to_owned(), found }
    }

    /// What is wrong, as far as it has been found.
    pub(crate) fn look(&self) -> Result<(), Failure> {
        match self.found.try_recv() {
            Ok(error) => Err(Failure::Failed(format!("{}: {error}; pack it again", self.file.display()))),
            Err(_) => Ok(()),
        }
    }
}

/// This thread runs where no other wants to. The lowest `nice` value is not enough: a processor that such a thread has to itself counts as
/// busy, and the transfer stays on those that are left. If it is refused, the check only takes time from the transfer.
fn only_when_idle() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let _ = thread_priority::set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        ThreadPriority::Min,
        policy,
    );
}
