//! One direction of a cable: the sender's output at one end, the input buffer at the other.
//!
//! The state of an output fits a cache line, that of an input half of one, and what many cables have in common is kept
//! once: a simulation's speed is that of its memory.

use super::frames::{List, NONE};

/// Frames that an input buffer holds at most, however small they are: its descriptors.
pub(super) const FRAMES_PER_BUFFER: usize = 4;

/// Bytes of buffer space that are given out together.
const GRAIN: u32 = 4;

/// Why a channel carries nothing.
pub(super) mod down {
    /// Its cable is cut.
    pub(crate) const CUT: u8 = 1;
    /// The crossbar that sends on it is dead.
    pub(crate) const SENDER: u8 = 2;
    /// The crossbar that receives from it is dead.
    pub(crate) const RECEIVER: u8 = 4;
}

/// What a channel leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Far {
    /// Nothing: the port has no cable.
    Nothing,
    /// A crossbar, whose first output is [`Input::dest`].
    Crossbar,
    /// The host [`Input::dest`].
    Host,
}

/// What cables of one make and length have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CableClass {
    /// Nanoseconds a byte, times 2^16.
    ns_per_byte_q16: u32,
    /// Nanoseconds on the cable.
    pub(super) flight: u32,
    /// Nanoseconds from the start of sending until the head is ready to leave the far end.
    pub(super) delay: u32,
    pub(super) far: Far,
}

impl CableClass {
    /// The class of a port that has no cable.
    pub(super) const NOTHING: CableClass = CableClass { ns_per_byte_q16: 0, flight: 0, delay: 0, far: Far::Nothing };

    pub(super) fn new(bits_per_s: u64, flight_ns: u64, crossbar_delay_ns: u64, far: Far) -> CableClass {
        let clamp = |n: u128| u32::try_from(n).unwrap_or(u32::MAX);
        let at_far_end = if far == Far::Crossbar { crossbar_delay_ns } else { 0 };
        CableClass {
            ns_per_byte_q16: clamp((8_000_000_000u128 << 16) / u128::from(bits_per_s.max(1))).max(1),
            flight: clamp(flight_ns.into()),
            delay: clamp(u128::from(flight_ns) + u128::from(at_far_end)),
            far,
        }
    }

    /// The rate, in bits a second.
    pub(super) fn rate_bits_per_s(&self) -> u64 {
        (8_000_000_000 << 16) / u64::from(self.ns_per_byte_q16.max(1))
    }

    /// Nanoseconds that `bytes` take to be sent.
    pub(super) fn serialisation(&self, bytes: u32) -> u64 {
        (u64::from(bytes) * u64::from(self.ns_per_byte_q16)) >> 16
    }

    /// Nanoseconds in the crossbar at the far end.
    pub(super) fn inside_crossbar(&self) -> u64 {
        u64::from(self.delay - self.flight)
    }
}

/// The sender's end of a channel. A commitment may lie in the future: whoever is next in line for an output knows its
/// turn as soon as the frames before it know theirs, so no event is needed for it.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Output {
    /// When the next frame may start: the last one that is committed has left, and the last room that was taken back is
    /// known of.
    pub(super) free_at: u64,
    /// Room that has been given back, but not yet been taken: when the sender knows, and how much.
    release_times: [u64; FRAMES_PER_BUFFER],
    release_grains: [u16; FRAMES_PER_BUFFER],
    releases_first: u8,
    releases_len: u8,
    /// Frames that the input buffer can still hold.
    descriptors: u8,
    /// [`down`], or 0.
    pub(super) down: u8,
    /// Grains of the input buffer that are free.
    room: u32,
    /// Frames that want the output, and do not know yet when there will be room behind it; first come, first served.
    pub(super) waiting: List,
    /// Index of the [`CableClass`].
    pub(super) class: u32,
}
const _: () = assert!(size_of::<Output>() == 64);

/// The receiver's end of a channel.
#[derive(Clone)]
#[repr(C, align(32))]
pub(super) struct Input {
    /// When the last frame that is committed to go on has left the buffer.
    pub(super) free_at: u64,
    /// The last frame whose head has come in, and when its tail is there.
    pub(super) last_tail: u64,
    pub(super) last_frame: u32,
    /// Frames in the buffer behind the one whose turn it is.
    pub(super) queued: List,
    /// See [`Far`].
    pub(super) dest: u32,
    /// The port where the channel comes in.
    pub(super) port: u8,
    /// How many ports the crossbar there has.
    pub(super) ports: u8,
    /// The frame whose turn it is waits for an output.
    pub(super) blocked: bool,
}
const _: () = assert!(size_of::<Input>() == 32);

fn grains(bytes: u32) -> u32 {
    bytes.div_ceil(GRAIN)
}

impl Output {
    /// The output of a port without a cable; class 0.
    pub(super) fn new(buffer_bytes: u32) -> Output {
        Output {
            free_at: 0,
            release_times: [0; FRAMES_PER_BUFFER],
            release_grains: [0; FRAMES_PER_BUFFER],
            releases_first: 0,
            releases_len: 0,
            descriptors: FRAMES_PER_BUFFER as u8,
            down: 0,
            room: grains(buffer_bytes),
            waiting: List::EMPTY,
            class: 0,
        }
    }

    /// Takes room for a frame in the input buffer; false if it is not known yet when there will be enough.
    pub(super) fn reserve(&mut self, bytes: u32) -> bool {
        let needed = grains(bytes);
        while self.room < needed || self.descriptors == 0 {
            if self.releases_len == 0 {
                return false;
            }
            let first = usize::from(self.releases_first) % FRAMES_PER_BUFFER;
            self.room += u32::from(self.release_grains[first]);
            self.free_at = self.free_at.max(self.release_times[first]);
            self.descriptors += 1;
            self.releases_first = self.releases_first.wrapping_add(1);
            self.releases_len -= 1;
        }
        self.room -= needed;
        self.descriptors -= 1;
        true
    }

    /// Gives back a frame's room, from `at` on.
    pub(super) fn release(&mut self, at: u64, bytes: u32) {
        let slot = usize::from(self.releases_first.wrapping_add(self.releases_len)) % FRAMES_PER_BUFFER;
        self.release_times[slot] = at;
        self.release_grains[slot] = grains(bytes) as u16;
        self.releases_len += 1;
    }

    /// Bytes and descriptors that are free or will be without anything more happening.
    #[cfg(test)]
    pub(super) fn free_for_good(&self) -> (u32, usize) {
        let pending = usize::from(self.releases_len);
        let slots = (0..pending).map(|i| (usize::from(self.releases_first) + i) % FRAMES_PER_BUFFER);
        let released: u32 = slots.map(|s| u32::from(self.release_grains[s])).sum();
        ((self.room + released) * GRAIN, usize::from(self.descriptors) + pending)
    }
}

impl Input {
    /// An input that leads nowhere.
    pub(super) const NOWHERE: Input = Input {
        free_at: 0,
        last_tail: 0,
        last_frame: NONE,
        queued: List::EMPTY,
        dest: NONE,
        port: 0,
        ports: 0,
        blocked: false,
    };
}
