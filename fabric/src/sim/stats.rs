//! What the simulator counts.

use std::fmt;

/// Why a frame did not reach the state machine of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropCause {
    /// At a crossbar, and the next byte is no hop; or sent to a path that is no route.
    NoHop,
    /// The hop leads to a port that the crossbar does not have.
    NoPort,
    /// The port has no cable.
    NoCable,
    /// Its way on is a cable that is cut, or leads to a crossbar that is dead.
    DeadLink,
    /// It was in a cable when that was cut, or in a crossbar when that died.
    CutOff,
    /// Lost by [`super::Fault::Loss`].
    Loss,
    /// At a host, with a hop left.
    RouteTooLong,
    /// Its bytes are not a frame: the CRC-32 or a field is wrong.
    Damaged,
    /// The host is switched off, or was when the frame came in or set out.
    HostDown,
    /// The payload is larger than [`super::SimConfig::max_payload`].
    TooLarge,
}

impl DropCause {
    /// Every cause.
    pub const ALL: [DropCause; 10] = [
        DropCause::NoHop,
        DropCause::NoPort,
        DropCause::NoCable,
        DropCause::DeadLink,
        DropCause::CutOff,
        DropCause::Loss,
        DropCause::RouteTooLong,
        DropCause::Damaged,
        DropCause::HostDown,
        DropCause::TooLarge,
    ];
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropCause::NoHop => "no hop left",
            DropCause::NoPort => "no such port",
            DropCause::NoCable => "no cable",
            DropCause::DeadLink => "dead link",
            DropCause::CutOff => "cut off",
            DropCause::Loss => "lost",
            DropCause::RouteTooLong => "route too long",
            DropCause::Damaged => "damaged",
            DropCause::HostDown => "host down",
            DropCause::TooLarge => "too large",
        })
    }
}

/// What a simulation has counted since its start.
///
/// `frames_sent + frames_duplicated` is at every instant the sum of `frames_delivered`, all drops and
/// [`super::Sim::frames_in_flight`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Frames that hosts have handed to their cards.
    pub frames_sent: u64,
    /// Frames that hosts have been handed.
    pub frames_delivered: u64,
    /// Second copies, made by [`super::Fault::Duplicate`].
    pub frames_duplicated: u64,
    /// Frames whose bits were flipped, by [`super::Fault::Corrupt`].
    pub frames_corrupted: u64,
    /// Channels crossed by the heads of frames.
    pub crossings: u64,
    /// Bytes of the frames sent: hops, header, payload and CRC-32.
    pub bytes_sent: u64,
    /// Bytes of the payloads delivered.
    pub payload_delivered: u64,
    pub(super) dropped: [u64; DropCause::ALL.len()],
}

impl Stats {
    /// How many frames were dropped for this cause.
    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.dropped[cause as usize]
    }

    /// How many frames were dropped in all.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// The causes for which frames were dropped, with their numbers.
    pub fn drops(&self) -> impl Iterator<Item = (DropCause, u64)> + '_ {
        DropCause::ALL.into_iter().map(|c| (c, self.dropped(c))).filter(|&(_, n)| n > 0)
    }
}

/// What one channel has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelLoad {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}
