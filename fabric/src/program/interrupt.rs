//! Ctrl-C, for the programs.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static CAUGHT: OnceLock<()> = OnceLock::new();

/// From now on Ctrl-C (and SIGTERM) is noticed by [`interrupted`] instead of ending the process at once, so that what was
/// begun can be cleaned up, and no file is left behind half-written.
pub fn catch() {
    CAUGHT.get_or_init(|| {
        if let Err(error) = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)) {
            tracing::warn!(%error, "Ctrl-C cannot be caught, and will end the program at once");
        }
    });
}

/// True once Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
