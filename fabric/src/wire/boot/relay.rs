//! Control frames that one node passes on for the root: to others, or from others.

use super::number;
use crate::id::NodeNumber;
use crate::wire::{DEFAULT_MAX_PAYLOAD, Header, HeaderBytes, Kind, MAX_HEADER, PREFIX, Packet, WireError, put, take};
use bytes::Bytes;
use zerocopy::byteorder::little_endian::{I32, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Frames in one relay, at most.
pub const MAX_RELAYED: usize = 256;

/// Several frames in one. The payload is a part that they share, which may be empty, and then their headers one after
/// the other, each with the length of the shared part as its payload length, and each as what it changes in the one
/// before: many headers of one kind differ in a few bytes.
///
/// ```text
/// 4            8            12       14           18
/// | session    | from       | shared | check      |
/// ```
///
/// The check is the CRC-32 of the payload. The frame's own may have been checked long before a memory that the headers
/// lie in fails; a header is believed, while all other payloads are verified against the image's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The session.
    pub session: u32,
    /// Who has put these frames together.
    pub from: NodeNumber,
    /// Bytes of the shared part.
    pub shared: u16,
    /// The CRC-32 of the payload.
    pub check: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RelayLayout {
    session: U32,
    from: I32,
    shared: U16,
    check: U32,
}
const _: () = assert!(size_of::<RelayLayout>() == 14);

impl Relay {
    /// Puts the frames of these headers together, all with the payload `shared`. Those that do not fit are left out.
    pub fn packet(session: u32, from: NodeNumber, shared: &Bytes, headers: &[Header]) -> Packet {
        let mut relayed = Relayed::new(shared);
        headers.iter().take_while(|header| relayed.push(header)).for_each(drop);
        relayed.packet(session, from)
    }

    /// The frames in the payload of a packet with this header; none if the payload is not the one that was sent. What
    /// comes after the first header that is none is not read, and neither is a relay within a relay.
    pub fn frames<'a>(&self, payload: &'a Bytes) -> impl Iterator<Item = Packet> + 'a {
        let is_whole = crc32fast::hash(payload) == self.check;
        let (shared, mut changes) = payload.split_at(usize::from(self.shared).min(payload.len()));
        let shared = payload.slice_ref(shared);
        let mut bytes = [0; MAX_HEADER];
        std::iter::from_fn(move || {
            changes = apply(changes, &mut bytes).filter(|_| is_whole)?;
            let (header, _, payload_len) = Header::parse(&bytes).ok()?;
            let fits = payload_len == shared.len() && !matches!(header, Header::Relay(_));
            fits.then(|| Packet { header, payload: shared.clone() })
        })
        .fuse()
        .take(MAX_RELAYED)
    }

    pub(in crate::wire) fn encode(&self, out: &mut HeaderBytes) {
        let layout = RelayLayout {
            session: self.session.into(),
            from: self.from.0.into(),
            shared: self.shared.into(),
            check: self.check.into(),
        };
        put(out, &layout);
    }

    pub(in crate::wire) fn parse(body: &[u8]) -> Result<(Relay, usize), WireError> {
        let (l, _) = take::<RelayLayout>(body, PREFIX)?;
        let from = number(Kind::Relay, "from", l.from.get())?;
        let relay = Relay { session: l.session.get(), from, shared: l.shared.get(), check: l.check.get() };
        Ok((relay, size_of::<RelayLayout>()))
    }
}

/// Frames that are put together in one [`Relay`].
pub struct Relayed {
    shared: u16,
    payload: Vec<u8>,
    /// The header that was put last, over what is left of those before.
    last: [u8; MAX_HEADER],
    count: usize,
}

impl Relayed {
    /// None yet; all will have this payload.
    ///
    /// # Panics
    /// If it is longer than any payload.
    pub fn new(shared: &Bytes) -> Relayed {
        let len = u16::try_from(shared.len()).expect("a payload fits its length field");
        Relayed { shared: len, payload: shared.to_vec(), last: [0; MAX_HEADER], count: 0 }
    }

    /// True if any further header fits.
    pub fn has_room(&self) -> bool {
        self.count < MAX_RELAYED && self.payload.len() + MAX_CHANGES <= DEFAULT_MAX_PAYLOAD
    }

    /// Adds a frame, if there is room; says whether. One that is the same as the last says nothing, and is left out.
    pub fn push(&mut self, header: &Header) -> bool {
        let bytes = header.encode(self.shared);
        if self.last.starts_with(&bytes) {
            return true;
        }
        if !self.has_room() {
            return false;
        }
        put_changes(&mut self.payload, &mut self.last, &bytes);
        self.count += 1;
        true
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them in one packet, put together by this node.
    pub fn packet(self, session: u32, from: NodeNumber) -> Packet {
        let check = crc32fast::hash(&self.payload);
        Packet::with_payload(Relay { session, from, shared: self.shared, check }, self.payload.into())
    }
}

/// What a byte says of the next bytes of a header: so many stay (the high four bits), so many others follow (the low
/// four). One of 0 ends the header.
const RUN: usize = 15;

/// What the changes of a header take at most: a byte for each that differs and the end, and one for the first run, for
/// each byte that ends a run by being the same, and for each full run.
const MAX_CHANGES: usize = MAX_HEADER + MAX_HEADER / RUN + 2;

/// Writes what `new` changes in `last`, and makes the changes there.
fn put_changes(out: &mut Vec<u8>, last: &mut [u8; MAX_HEADER], new: &[u8]) {
    let run = |from: usize, last: &[u8; MAX_HEADER], same: bool| {
        std::iter::zip(&new[from..], &last[from..]).take(RUN).take_while(|(a, b)| (a == b) == same).count()
    };
    let mut at = 0;
    while new[at..] != last[at..new.len()] {
        let stay = run(at, last, true);
        let differ = run(at + stay, last, false);
        out.push((stay << 4 | differ) as u8);
        let changed = at + stay..at + stay + differ;
        out.extend_from_slice(&new[changed.clone()]);
        at = changed.end;
    }
    last[..new.len()].copy_from_slice(new);
    out.push(0);
}

/// Makes the changes of one header; returns what follows them, or `None` if they are none.
fn apply<'a>(mut changes: &'a [u8], header: &mut [u8; MAX_HEADER]) -> Option<&'a [u8]> {
    let mut at = 0;
    loop {
        let (&[run], rest) = changes.split_first_chunk()?;
        if run == 0 {
            // A header without a change would cost its reader more than its sender.
            return (at > 0).then_some(rest);
        }
        let (stay, differ) = (usize::from(run >> 4), usize::from(run & 15));
        let (new, rest) = rest.split_at_checked(differ)?;
        header.get_mut(at + stay..)?.get_mut(..differ)?.copy_from_slice(new);
        (at, changes) = (at + stay + differ, rest);
    }
}

impl From<Relay> for Header {
    fn from(h: Relay) -> Header {
        Header::Relay(h)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::boot::{Offer, Offering};
    use proptest::prelude::*;

    fn offer(to: i32) -> Header {
        let (to, offering) = (NodeNumber(to), Offering::Normal);
        Offer { session: 7, epoch: 1, to, report_ms: 20, challenge: None, offering }.into()
    }

    fn read(packet: &Packet) -> Vec<Packet> {
        let Header::Relay(relay) = packet.header else { panic!("{packet:?} is no relay") };
        relay.frames(&packet.payload).collect()
    }

    #[test]
    fn what_is_put_together_is_taken_apart() {
        let shared = Bytes::from_static(b"manifest");
        let headers = [offer(3), offer(4)];
        let packet = Relay::packet(7, NodeNumber::FRONT_END, &shared, &headers);
        assert_eq!(read(&packet), headers.map(|header| Packet { header, payload: shared.clone() }));
        assert_eq!(read(&Relay::packet(7, NodeNumber(1), &Bytes::new(), &[])), vec![]);
    }

    #[test]
    fn one_is_full_by_its_bytes_or_by_its_number() {
        for (shared, most) in [(300, MAX_RELAYED), (3600, 140)] {
            let shared = Bytes::from(vec![1; shared]);
            let mut relayed = Relayed::new(&shared);
            let headers: Vec<Header> = (0..400).map(offer).take_while(|header| relayed.push(header)).collect();
            assert!(relayed.len() <= most && relayed.len() > most - 20 && !relayed.has_room(), "{}", relayed.len());
            let packet = relayed.packet(7, NodeNumber::FRONT_END);
            assert!(packet.payload.len() <= DEFAULT_MAX_PAYLOAD);
            assert_eq!(read(&packet).into_iter().map(|packet| packet.header).collect::<Vec<_>>(), headers);
        }
    }

    #[test]
    fn a_header_without_a_change_is_not_put_and_ends_what_is_read() {
        let packet = Relay::packet(7, NodeNumber(2), &Bytes::new(), &[offer(1), offer(1), offer(2)]);
        assert_eq!(read(&packet).len(), 2);
        let payload = Bytes::from([&packet.payload[..], &[0, 0x11, 5, 0]].concat());
        let relay = Relay { session: 7, from: NodeNumber(2), shared: 0, check: crc32fast::hash(&payload) };
        assert_eq!(relay.frames(&payload).count(), 2);
    }

    #[test]
    fn a_relay_in_a_relay_is_not_read() {
        let inner = Relay { session: 7, from: NodeNumber(1), shared: 0, check: 0 };
        let packet = Relay::packet(7, NodeNumber(2), &Bytes::new(), &[offer(1), inner.into(), offer(2)]);
        assert_eq!(read(&packet).len(), 1);
    }

    #[test]
    fn a_damaged_one_is_not_read() {
        let packet = Relay::packet(7, NodeNumber(2), &Bytes::new(), &[offer(1), offer(2)]);
        for bit in 0..packet.payload.len() * 8 {
            let mut bytes = packet.payload.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&Packet { payload: bytes.into(), ..packet.clone() }), vec![]);
        }
    }

    proptest! {
        #[test]
        fn what_a_header_changes_makes_it(
            headers in prop::collection::vec(prop::collection::vec(0u8..3, 1..=MAX_HEADER), 1..8)
        ) {
            let (mut written, mut read) = ([0; MAX_HEADER], [0; MAX_HEADER]);
            for header in headers {
                let mut changes = Vec::new();
                let is_new = written[..header.len()] != header;
                put_changes(&mut changes, &mut written, &header);
                prop_assert!(changes.len() <= MAX_CHANGES);
                prop_assert_eq!(apply(&changes, &mut read).map(<[u8]>::len), is_new.then_some(0));
                prop_assert_eq!(&read, &written);
            }
        }

        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300), shared in 0u16..400) {
            let payload = Bytes::from(bytes);
            let relay = Relay { session: 1, from: NodeNumber(0), shared, check: crc32fast::hash(&payload) };
            prop_assert!(relay.frames(&payload).count() <= payload.len());
        }
    }
}
