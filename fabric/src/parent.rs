//! Processes that end when the one that started them does.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// From now on the kernel kills this process, and whatever program it becomes, when the thread that started it ends. False if `parent`, which
/// started it, has ended already.
pub fn die_with(parent: Pid) -> rustix::io::Result<bool> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the kernel knew.
    Ok(getppid() == Some(parent))
}
