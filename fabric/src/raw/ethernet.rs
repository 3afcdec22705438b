//! The frame of a fabric on Ethernet: an Ethernet header, a length, and then what every fabric carries.

use crate::id::UniqueId;
use crate::protocol::Group;
use crate::route::MAX_HOPS;
use crate::wire::frame::LANE_LEN;
use crate::wire::{MAX_HEADER, WireError, frame};
use arrayvec::ArrayVec;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use zerocopy::byteorder::{big_endian, little_endian};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first of the two ethertypes that IEEE 802 keeps for local experiments.
pub const ETHERTYPE: u16 = 0x88b5;

/// The second of them: of frames to one of several ports that a card has.
pub const LANES: u16 = 0x88b6;

/// The first four bytes of a group's address: multicast, locally administered. The number follows, high byte first.
pub(super) const GROUP_PREFIX: [u8; 4] = [0x03, 0x54, 0x57, 0x00];

/// The shortest frame that Ethernet carries, in bytes without its own check sequence; a shorter one is padded.
const MIN_FRAME: usize = 60;

/// The address of an Ethernet card, or of a group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of the card of this unique id; `None` if the id is no card's.
    pub fn of_card(id: UniqueId) -> Option<Mac> {
        let [0, 0, mac @ ..] = id.0.to_be_bytes() else { return None };
        Some(Mac(mac)).filter(|mac| !mac.is_multicast())
    }

    /// The address that a group has.
    pub fn of_group(Group(number): Group) -> Mac {
        let [a, b, c, d] = GROUP_PREFIX;
        let [high, low] = number.to_be_bytes();
        Mac([a, b, c, d, high, low])
    }

    /// True for the address of a group, and for that of all cards.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The card's unique id: the address as a number.
    pub fn unique_id(self) -> UniqueId {
        let [a, b, c, d, e, f] = self.0;
        UniqueId(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

/// The address of whoever is at the other end of a cable.
pub const BROADCAST: Mac = Mac([0xff; 6]);

/// The address that crossbars send from: locally administered.
pub const CROSSBARS: Mac = Mac([0x02, 0x54, 0x57, 0, 0, 0]);

/// Where a frame goes: a card or a group, and there a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) mac: Mac,
    /// Which of the ports that several processes have on one device; 0 for the one that needs no number.
    pub(super) lane: u16,
}

impl Address {
    /// The address of the port of this unique id: a lane's number stands above the card's address. `None` if the id is no card's.
    pub(super) fn of_card(UniqueId(id): UniqueId) -> Option<Address> {
        let mac = Mac::of_card(UniqueId(id & CARD))?;
        Some(Address { mac, lane: (id >> CARD_BITS) as u16 })
    }

    /// The port's unique id.
    pub(super) fn unique_id(self) -> UniqueId {
        UniqueId(self.mac.unique_id().0 | u64::from(self.lane) << CARD_BITS)
    }
}

impl fmt::Display for Mac {
    /// As in `02:00:00:00:00:01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

/// Bits of a unique id that are a card's address.
const CARD_BITS: u32 = 48;
const CARD: u64 = (1 << CARD_BITS) - 1;

/// What comes before header, payload and CRC-32.
///
/// ```text
/// 0             6        12          14       16
/// | destination | source | ethertype | length | header | payload | CRC-32 | padding         to a card or a group
/// | destination | source | ethertype | lane   | length | header | payload | CRC-32 | ...    to a lane of a card
/// ```
///
/// `length` counts header, payload and CRC-32. The ethertype is big-endian, as Ethernet wants it, and so is the lane.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Envelope {
    destination: [u8; 6],
    source: [u8; 6],
    ethertype: big_endian::U16,
    length: little_endian::U16,
}

/// Bytes before the header.
pub const ENVELOPE: usize = size_of::<Envelope>();
const _: () = assert!(ENVELOPE == 16);

/// Bytes of a lane's number.
const LANE: usize = 2;
/// Where it stands.
pub(super) const LANE_AT: usize = 14;

/// Bytes before the header, at most.
pub const MAX_ENVELOPE: usize = ENVELOPE + LANE;

/// Bytes of the Ethernet header, which the MTU does not count.
pub(super) const ETHERNET_HEADER: usize = 14;

/// What a frame with the longest header takes of the MTU besides its payload.
const OVERHEAD: usize = MAX_ENVELOPE - ETHERNET_HEADER + MAX_HEADER + frame::CRC_LEN;

/// The smallest MTU that carries frames of every kind, with a payload.
pub(super) const LEAST_MTU: usize = OVERHEAD + 1;

/// The largest payload that fits a device of this MTU behind a header of any kind.
pub fn max_payload(mtu: usize) -> usize {
    mtu.min(u16::MAX.into()).saturating_sub(OVERHEAD)
}

/// What a frame on a cable to crossbars may have besides: hops, and a lane instead of that of other frames.
pub(super) const CABLE_OVERHEAD: usize = MAX_HOPS + LANE_LEN - LANE;

/// The MTU of a card on a crossbar's port that carries payloads of this size and no larger ones.
pub const fn mtu_of_cable(max_payload: usize) -> usize {
    max_payload + OVERHEAD + CABLE_OVERHEAD
}

/// The first bytes of a frame of `length` bytes of header, payload and CRC-32.
pub(super) fn envelope(to: Address, source: Mac, length: u16) -> ArrayVec<u8, MAX_ENVELOPE> {
    let ethertype = if to.lane == 0 { ETHERTYPE } else { LANES }.into();
    let whole = Envelope { destination: to.mac.0, source: source.0, ethertype, length: length.into() };
    let (head, length) = whole.as_bytes().split_at(LANE_AT);
    let mut bytes = ArrayVec::new();
    bytes.extend(head.iter().copied());
    if to.lane != 0 {
        bytes.extend(to.lane.to_be_bytes());
    }
    bytes.extend(length.iter().copied());
    bytes
}

/// Header, payload and CRC-32 of a frame as it came from the device, for [`frame::parse`].
pub fn open(bytes: &Bytes) -> Result<Bytes, WireError> {
    contents(bytes).map(|contents| bytes.slice(contents))
}

/// The ethertype of a frame; `None` if it has no Ethernet header.
pub fn ethertype(bytes: &[u8]) -> Option<u16> {
    bytes.get(LANE_AT - 2..LANE_AT)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Where a frame that came from a device has what is sent through a fabric. More bytes than its length says are padding if Ethernet
/// had to pad it, and else an error.
pub fn contents(bytes: &[u8]) -> Result<Range<usize>, WireError> {
    let truncated = |needed| WireError::Truncated { needed, got: bytes.len() };
    let (envelope, _) = Envelope::ref_from_prefix(bytes).map_err(|_| truncated(ENVELOPE))?;
    let (length, start) = match envelope.ethertype.get() {
        LANES => (bytes.get(LANE_AT + LANE..MAX_ENVELOPE), MAX_ENVELOPE),
        _ => (bytes.get(LANE_AT..ENVELOPE), ENVELOPE),
    };
    let length = length.and_then(|length| length.first_chunk()).ok_or_else(|| truncated(start))?;
    let end = start + usize::from(u16::from_le_bytes(*length));
    if bytes.len() < end {
        return Err(truncated(end));
    }
    if bytes.len() > end.max(MIN_FRAME) {
        return Err(WireError::TrailingBytes { extra: bytes.len() - end.max(MIN_FRAME) });
    }
    Ok(start..end)
}

/// What comes before a frame of this length on a cable to crossbars.
///
/// Panics if the frame has more than 65,535 bytes: no MTU is larger.
pub fn envelope_of_cable(to: Mac, source: Mac, length: usize) -> ArrayVec<u8, MAX_ENVELOPE> {
    let length = u16::try_from(length).expect("a frame fits the largest MTU");
    envelope(Address { mac: to, lane: 0 }, source, length)
}

/// A whole frame in one piece, as it leaves a device that does not pad; the port sends the same in pieces.
pub fn seal(destination: Mac, source: Mac, frame: &[u8]) -> Vec<u8> {
    [&envelope_of_cable(destination, source, frame.len()), frame].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: Mac = Mac([2, 0, 0x5e, 0, 0, 1]);

    #[test]
    fn the_example_of_the_document() {
        assert_eq!(ONE.unique_id(), UniqueId(0x0200_5e00_0001));
        assert_eq!(ONE.to_string(), "02:00:5e:00:00:01");
        assert_eq!(Mac::of_group(Group(0x1234)).to_string(), "03:54:57:00:12:34");
        let frame = seal(Mac::of_group(Group(1)), ONE, &[0xaa, 0xbb]);
        assert_eq!(frame, [3, 0x54, 0x57, 0, 0, 1, 2, 0, 0x5e, 0, 0, 1, 0x88, 0xb5, 2, 0, 0xaa, 0xbb]);
    }

    #[test]
    fn an_id_that_is_no_cards_has_no_address() {
        assert_eq!(Mac::of_card(UniqueId(1 << 48)), None);
        assert_eq!(Mac::of_card(Mac::of_group(Group(1)).unique_id()), None);
    }

    #[test]
    fn a_lane_of_a_card() {
        let address = Address { mac: ONE, lane: 0x0102 };
        assert_eq!(address.unique_id(), UniqueId(0x0102_0200_5e00_0001));
        assert_eq!(Address::of_card(address.unique_id()), Some(address));
        let mut frame = envelope(address, ONE, 3).to_vec();
        assert_eq!(frame[12..], [0x88, 0xb6, 1, 2, 3, 0]);
        assert_eq!(open(&frame.clone().into()), Err(WireError::Truncated { needed: 21, got: 18 }));
        frame.extend([7, 8, 9]);
        assert_eq!(open(&frame.clone().into()).unwrap(), &[7, 8, 9][..]);
        frame.resize(MIN_FRAME, 0);
        assert_eq!(open(&frame.into()).unwrap(), &[7, 8, 9][..]);
    }

    proptest! {
        #[test]
        fn a_card_keeps_its_id(id in 0u64..1 << 48) {
            if let Some(mac) = Mac::of_card(UniqueId(id)) {
                prop_assert_eq!(mac.unique_id(), UniqueId(id));
            }
        }

        /// What Ethernet pads is cut off; nothing else may follow, and nothing may be missing.
        #[test]
        fn padding_is_cut_off_and_nothing_else(inner in prop::collection::vec(any::<u8>(), 0..200), extra in 1usize..100) {
            let sent = seal(ONE, ONE, &inner);
            let mut padded = sent.clone();
            padded.resize(sent.len().max(MIN_FRAME), 0xee);
            for whole in [&sent, &padded] {
                prop_assert_eq!(open(&Bytes::from(whole.clone())).unwrap(), &inner[..]);
            }
            let mut longer = padded.clone();
            longer.resize(padded.len() + extra, 0);
            prop_assert_eq!(open(&longer.into()), Err(WireError::TrailingBytes { extra }));
            let cut = sent.len().saturating_sub(extra);
            let truncated = matches!(open(&Bytes::from(sent).slice(..cut)), Err(WireError::Truncated { got, .. }) if got == cut);
            prop_assert!(truncated);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = open(&bytes.into());
        }
    }
}
