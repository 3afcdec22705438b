//! The host's monotonic clock, as the C library reads it: rustix reads it without, but not under valgrind, which hides from a program where
//! the kernel put the code for that.
#![allow(unsafe_code)]

use libc::{CLOCK_MONOTONIC, clock_getres, clock_gettime, timespec};
use std::time::Duration;

/// The time since some moment before the host's programs began: the same for all processes of the host.
#[inline]
pub fn now() -> Duration {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is writable.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
    duration(time)
}

/// Its resolution.
pub fn resolution() -> Duration {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above.
    unsafe { clock_getres(CLOCK_MONOTONIC, &raw mut time) };
    duration(time)
}

/// The clock exists on every Linux, and does not run before zero.
fn duration(time: timespec) -> Duration {
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_run_backwards_and_is_fine() {
        let first = now();
        assert!(now() >= first);
        assert!(first > Duration::ZERO);
        assert!(resolution() > Duration::ZERO && resolution() < Duration::from_millis(20));
    }
}
