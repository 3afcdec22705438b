//! Control frames that one node passes on for the root: to others, or from others.

use super::number;
use crate::id::NodeNumber;
use crate::wire::{DEFAULT_MAX_PAYLOAD, Header, HeaderBytes, Kind, PREFIX, Packet, WireError, put, take};
use bytes::Bytes;
use zerocopy::byteorder::little_endian::{I32, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Several frames in one. The payload is a part that they share, which may be empty, and then their headers one after
/// the other, each with the length of the shared part as its payload length.
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
    /// Puts the frames of these headers together, all with the payload `shared`. Those that do not fit
    /// [`DEFAULT_MAX_PAYLOAD`] are left out: see [`Relay::capacity`].
    pub fn packet(session: u32, from: NodeNumber, shared: &Bytes, headers: &[Header]) -> Packet {
        let shared_len = u16::try_from(shared.len()).expect("a payload fits its length field");
        let mut payload = shared.to_vec();
        for header in headers {
            let bytes = header.encode(shared_len);
            if payload.len() + bytes.len() > DEFAULT_MAX_PAYLOAD {
                break;
            }
            payload.extend_from_slice(&bytes);
        }
        let check = crc32fast::hash(&payload);
        Packet::with_payload(Relay { session, from, shared: shared_len, check }, payload.into())
    }

    /// How many frames fit whose header is as long as this one's.
    pub fn capacity(shared: &Bytes, header: &Header) -> usize {
        DEFAULT_MAX_PAYLOAD.saturating_sub(shared.len()) / header.encode(0).len()
    }

    /// The frames in the payload of a packet with this header; none if the payload is not the one that was sent. What comes after the first header that is none is not
    /// read, and neither is a relay within a relay.
    pub fn frames<'a>(&self, payload: &'a Bytes) -> impl Iterator<Item = Packet> + 'a {
        let is_whole = crc32fast::hash(payload) == self.check;
        let shared = payload.slice(..usize::from(self.shared).min(payload.len()));
        let mut at = if is_whole { shared.len() } else { payload.len() };
        std::iter::from_fn(move || {
            let (header, header_len, payload_len) = Header::parse(&payload[at..]).ok()?;
            at += header_len;
            let fits = payload_len == shared.len() && !matches!(header, Header::Relay(_));
            fits.then(|| Packet { header, payload: shared.clone() })
        })
        .fuse()
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
    fn a_full_one_has_as_many_as_it_says() {
        let shared = Bytes::from(vec![1; 300]);
        let headers: Vec<Header> = (0..400).map(offer).collect();
        let packet = Relay::packet(7, NodeNumber::FRONT_END, &shared, &headers);
        assert_eq!(read(&packet).len(), Relay::capacity(&shared, &headers[0]));
        assert!(packet.payload.len() <= DEFAULT_MAX_PAYLOAD);
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
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300), shared in 0u16..400) {
            let payload = Bytes::from(bytes);
            let relay = Relay { session: 1, from: NodeNumber(0), shared, check: crc32fast::hash(&payload) };
            prop_assert!(relay.frames(&payload).count() <= payload.len());
        }
    }
}
