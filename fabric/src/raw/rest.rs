//! How long a port lets frames gather before it looks for them again.
//!
//! The kernel wakes a program that waits for a socket once for each frame. While an image comes that costs more than to take
//! the frames in, so the port sleeps for about as long as a good number of them needs, and nobody is woken meanwhile.

use crate::time::Time;
use std::time::Duration;

/// Bytes that are let gather, about.
const GATHERED: usize = 128 << 10;

/// Few bytes are answers and questions, which nobody lets wait.
const BULK: usize = 4 << 10;

/// The shortest and the longest rest.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(1);

/// What has come since the last rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    bytes: usize,
    began: Time,
}

impl Rest {
    /// So many bytes have been taken.
    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// All that had come has been taken. Returns how long to rest; `None` if the next frame shall be waited for.
    pub(super) fn begin(&mut self, now: Time) -> Option<Duration> {
        let (bytes, took) = (std::mem::take(&mut self.bytes), now - std::mem::replace(&mut self.began, now));
        (bytes >= BULK).then(|| took.mul_f64(GATHERED as f64 / bytes as f64).clamp(SHORTEST, LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_rest_is_as_long_as_a_good_number_of_frames_takes() {
        let (mut rest, mut now) = (Rest::default(), Time::ZERO);
        for (ms, bytes, expected) in [
            (10, GATHERED * 40, Some(MS / 4)),
            (1, GATHERED * 2, Some(MS / 2)),
            (1, GATHERED / 4, Some(LONGEST)),
            (1, GATHERED * 1000, Some(SHORTEST)),
            (1, 0, None),
            (1, BULK - 1, None),
        ] {
            now += ms * MS;
            rest.came(bytes);
            assert_eq!(rest.begin(now), expected, "{bytes} bytes in {ms} ms");
        }
    }
}
