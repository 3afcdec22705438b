//! The hashes of an image, checked while it is sent: a node would refuse what is wrong, but could not say why.

use crate::image::{ImageError, PackedImage};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
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
        thread::spawn(move || image.check().map_err(|error| tell.send(error)));
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
