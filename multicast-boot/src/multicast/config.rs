//! How a sender behaves. The reasons are in `docs/boot-protocol.md`.

use std::time::Duration;

/// The sender's window and its patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderConfig {
    /// Bytes that may be on their way at first.
    pub window_first: usize,
    /// Bytes that may always be on their way.
    pub window_min: usize,
    /// Bytes that may be on their way at most: no more than a receiver's port can buffer.
    pub window_max: usize,
    /// From a poll to its last answer, as long as nothing is known.
    pub round_first: Duration,
    /// The least time after which a poll is repeated that was not answered by all.
    pub repeat_min: Duration,
    /// A receiver that does not answer for so long is no longer waited for.
    pub patience: Duration,
    /// The same before the payload is sent, as long as all that have answered hold an older image: if the others do as
    /// well, it need not be sent at all.
    pub patience_first: Duration,
    /// For how long one is not waited for.
    pub leave: Duration,
    /// A receiver holds the others up if it answers so much later than four times what the faster half took...
    pub slack: Duration,
    /// ...so many times in a row.
    pub held: u32,
    /// When nothing is asked for, the first poll; later ones come at twice the interval.
    pub idle_first: Duration,
    /// The longest interval between polls.
    pub idle_max: Duration,
    /// What restoring a block costs a receiver, in parts of 16 of what it costs to receive it: parity is sent only where
    /// it saves more symbols than that.
    pub restore_cost: u16,
}

impl Default for SenderConfig {
    fn default() -> SenderConfig {
        SenderConfig {
            window_first: 256 << 10,
            window_min: 64 << 10,
            window_max: 4 << 20,
            round_first: Duration::from_millis(5),
            repeat_min: Duration::from_millis(5),
            patience: Duration::from_millis(250),
            patience_first: Duration::from_secs(1),
            leave: Duration::from_secs(1),
            slack: Duration::from_millis(20),
            held: 8,
            idle_first: Duration::from_millis(1),
            idle_max: Duration::from_millis(50),
            restore_cost: 5,
        }
    }
}
