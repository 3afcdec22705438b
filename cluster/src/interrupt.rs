//! Ctrl-C.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<()> = OnceLock::new();

/// From now on Ctrl-C (and SIGTERM) is noticed by [`interrupted`] instead of ending the process at once, so that what was
/// begun can be cleaned up.
pub fn catch() {
    INSTALLED.get_or_init(|| {
        let caught = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
        if let Err(error) = caught {
            tracing::warn!(%error, "Ctrl-C cannot be caught, and will end the program at once");
        }
    });
}

/// True once Ctrl-C was pressed.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
