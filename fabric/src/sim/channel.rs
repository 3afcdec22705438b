//! One direction of a cable: the sender's output at one end, the input buffer at the other.

use super::frames::{List, NONE};

/// Frames that an input buffer holds at most, however small they are: its descriptors.
pub(super) const FRAMES_PER_BUFFER: usize = 4;

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
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Far {
    /// Nothing: the port has no cable.
    Nothing,
    /// A crossbar, whose first output channel is [`Channel::dest`].
    Crossbar,
    /// The host [`Channel::dest`].
    Host,
}

/// The state of one channel. A commitment may lie in the future: whoever is next in line for an output knows its turn as
/// soon as the frames before it know theirs, so no event is needed for it.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Channel {
    /// When the last frame that is committed to the output has left it.
    pub(super) busy_until: u64,
    /// When the last room that was taken back became known to the sender.
    room_at: u64,
    /// When the last frame that is committed to go on has left the input buffer.
    pub(super) input_free: u64,
    /// Bytes of the input buffer that are free.
    room: u32,
    /// Nanoseconds a byte, times 2^16.
    ns_per_byte_q16: u32,
    /// Nanoseconds from the start of sending until the head is ready to leave the far end.
    pub(super) delay: u32,
    /// Nanoseconds on the cable alone.
    pub(super) flight: u32,
    /// Frames that want the output, and do not know yet when there will be room behind it; first come, first served.
    pub(super) waiting: List,
    /// Frames in the input buffer behind the one whose turn it is.
    pub(super) queued: List,
    /// See [`Far`].
    pub(super) dest: u32,
    /// The last frame whose head has come in at the far end, and when its tail is there.
    pub(super) last_frame: u32,
    pub(super) last_tail: u64,
    pub(super) far: Far,
    /// The port where it comes in.
    pub(super) port: u8,
    /// How many ports the crossbar there has.
    pub(super) ports: u8,
    /// [`down`], or 0.
    pub(super) down: u8,
    /// The frame whose turn it is in the input buffer is waiting for an output.
    pub(super) blocked: bool,
    descriptors: u8,
    releases_first: u8,
    releases_len: u8,
    /// Room that has been given back, but not yet been taken: when the sender knows, and how much.
    release_times: [u64; FRAMES_PER_BUFFER],
    release_bytes: [u32; FRAMES_PER_BUFFER],
}

impl Channel {
    /// A channel that leads nowhere.
    pub(super) fn unconnected(buffer_bytes: u32) -> Channel {
        Channel {
            busy_until: 0,
            room_at: 0,
            input_free: 0,
            room: buffer_bytes,
            ns_per_byte_q16: 0,
            delay: 0,
            flight: 0,
            waiting: List::EMPTY,
            queued: List::EMPTY,
            dest: NONE,
            last_frame: NONE,
            last_tail: 0,
            far: Far::Nothing,
            port: 0,
            ports: 0,
            down: 0,
            blocked: false,
            descriptors: FRAMES_PER_BUFFER as u8,
            releases_first: 0,
            releases_len: 0,
            release_times: [0; FRAMES_PER_BUFFER],
            release_bytes: [0; FRAMES_PER_BUFFER],
        }
    }

    /// Sets the rate, in bits a second.
    pub(super) fn set_rate(&mut self, bits_per_s: u64) {
        let q16 = (8_000_000_000u128 << 16) / u128::from(bits_per_s.max(1));
        self.ns_per_byte_q16 = u32::try_from(q16).unwrap_or(u32::MAX).max(1);
    }

    /// The rate, in bits a second.
    pub(super) fn rate_bits_per_s(&self) -> u64 {
        (8_000_000_000 << 16) / u64::from(self.ns_per_byte_q16)
    }

    /// Nanoseconds that `bytes` take to be sent.
    pub(super) fn serialisation(&self, bytes: u32) -> u64 {
        (u64::from(bytes) * u64::from(self.ns_per_byte_q16)) >> 16
    }

    /// Takes room for a frame in the input buffer; false if it is not known yet when there will be enough.
    pub(super) fn reserve(&mut self, bytes: u32) -> bool {
        while self.room < bytes || self.descriptors == 0 {
            if self.releases_len == 0 {
                return false;
            }
            let first = usize::from(self.releases_first) % FRAMES_PER_BUFFER;
            self.room += self.release_bytes[first];
            self.room_at = self.room_at.max(self.release_times[first]);
            self.descriptors += 1;
            self.releases_first = self.releases_first.wrapping_add(1);
            self.releases_len -= 1;
        }
        self.room -= bytes;
        self.descriptors -= 1;
        true
    }

    /// The earliest that a frame may start which has just reserved its room.
    pub(super) fn open_at(&self) -> u64 {
        self.busy_until.max(self.room_at)
    }

    /// Gives back a frame's room: it has left the input buffer at `at`, which the sender knows a flight later.
    pub(super) fn release(&mut self, at: u64, bytes: u32) {
        let slot = usize::from(self.releases_first.wrapping_add(self.releases_len)) % FRAMES_PER_BUFFER;
        self.release_times[slot] = at + u64::from(self.flight);
        self.release_bytes[slot] = bytes;
        self.releases_len += 1;
    }

    /// Bytes and descriptors that are free or will be without anything more happening.
    #[cfg(test)]
    pub(super) fn free_for_good(&self) -> (u32, usize) {
        let pending = usize::from(self.releases_len);
        let slots = (0..pending).map(|i| (usize::from(self.releases_first) + i) % FRAMES_PER_BUFFER);
        (self.room + slots.map(|s| self.release_bytes[s]).sum::<u32>(), usize::from(self.descriptors) + pending)
    }
}
