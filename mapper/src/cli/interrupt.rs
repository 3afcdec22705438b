//! Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C (and SIGTERM) is noticed by [`interrupted`] instead of ending the process at once, so that no file is
/// left behind half-written.
pub(super) fn catch() {
    if let Err(error) = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)) {
        tracing::warn!(%error, "Ctrl-C cannot be caught, and will end the program at once");
    }
}

/// True once Ctrl-C was pressed.
pub(super) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
