//! The hashes of an image, checked while it is sent: a node would refuse what is wrong, but could not say why. The check gets only the
//! processor time that nobody else wants: nothing waits for it.

use crate::image::{ImageError, PackedImage};
use rustix::process::setpriority_process;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use twowire_fabric::program::Failure;

/// The lowest of the kernel's priorities: its `nice` value.
const LOWEST_PRIORITY: i32 = 19;

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
            // In Linux each thread has a priority of its own. Without the lowest one the check only takes time from the transfer.
            let _ = setpriority_process(None, LOWEST_PRIORITY);
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
