//! The hashes of an image, checked when it matters: a node would refuse what is wrong, but could not say why.

use crate::image::{ImageError, PackedImage};
use crate::session::Progress;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use twowire_fabric::program::Failure;
use twowire_fabric::wire::boot::Stage;

/// A check of one image.
///
/// It begins when a node has refused something, has failed, or has all of the image. Until then it would only take time from the transfer: also a
/// thread that runs when nobody else wants to keeps its processor from taking work over from another one.
pub(crate) struct ImageCheck {
    file: PathBuf,
    state: State,
}

enum State {
    /// Not begun.
    Waiting(Box<PackedImage>),
    /// What it finds comes here.
    Begun(Receiver<ImageError>),
}

impl ImageCheck {
    /// The check of the image of this file, which has not begun.
    pub(crate) fn new(file: &Path, image: PackedImage) -> ImageCheck {
        ImageCheck { file: file.to_owned(), state: State::Waiting(Box::new(image)) }
    }

    /// Begins, if it is time to; says what is wrong, as far as it has been found.
    pub(crate) fn look(&mut self, progress: &Progress) -> Result<(), Failure> {
        match &self.state {
            State::Waiting(image) if is_due(progress) => self.state = State::Begun(begin(PackedImage::clone(image))),
            State::Waiting(_) => {}
            State::Begun(found) => {
                if let Ok(error) = found.try_recv() {
                    return Err(Failure::Failed(format!("{}: {error}; pack it again", self.file.display())));
                }
            }
        }
        Ok(())
    }
}

fn is_due(progress: &Progress) -> bool {
    let verified = &progress.at_stage[Stage::Verified as usize..];
    progress.rejected > 0 || progress.failed > 0 || verified.iter().any(|&nodes| nodes > 0)
}

fn begin(image: PackedImage) -> Receiver<ImageError> {
    let (tell, found) = channel();
    thread::spawn(move || {
        only_when_idle();
        image.check().map_err(|error| tell.send(error))
    });
    found
}

/// This thread runs where no other wants to. The lowest `nice` value is not enough: a processor that such a thread has to itself counts as
/// busy, and the others stay on those that are left. If it is refused, the check only takes time from the transfer.
fn only_when_idle() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let _ = thread_priority::set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        ThreadPriority::Min,
        policy,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_due_once_its_result_can_matter() {
        let sent = Progress { frames_sent: 100, repaired: 7, refused_joins: 1, ..Progress::default() };
        let due_at: Vec<Stage> = Stage::ALL
            .into_iter()
            .filter(|&stage| {
                let mut progress = sent.clone();
                progress.at_stage[stage as usize] = 1;
                is_due(&progress)
            })
            .collect();
        assert_eq!(due_at, [Stage::Verified, Stage::HandingOver, Stage::Ready]);
        assert!(is_due(&Progress { rejected: 1, ..sent.clone() }));
        assert!(is_due(&Progress { failed: 1, ..sent }));
    }
}
