//! Frames longer than the MTU, for ways that carry them.
//!
//! Between virtual devices of one machine a TCP stream passes as pieces of up to 64 KiB, each with one set of headers: a device that could cut it
//! into frames of the MTU (segmentation offload) hands it on whole if the next one could as well. A frame in the same clothes passes in the same way,
//! through veth devices, bridges, taps and virtio, for a fraction of the work that its parts would be. A real card cuts it up, and what arrives are
//! parts that are taken by nobody; so it is sent only where it has been found out to arrive.
//!
//! It looks like a segment of TCP, and it is none: its addresses are of 0.0.0.0/8, which no host has and no router forwards, so that the
//! receiver's IP drops it. No IP address is needed for it.

use super::ethernet::{Address, ETHERNET_HEADER, Mac};
use crate::wire::{Header, Packet, WireError, frame};
use arrayvec::ArrayVec;
use bytes::Bytes;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::byteorder::little_endian;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The largest payload of a long frame: 62 KiB, and what a program puts before them. A frame of IPv4 has less than 64 KiB, and shorter ones cost more:
/// with 32 KiB a message of 1 MiB took half as long again.
pub(super) const LONG_PAYLOAD: usize = (62 << 10) + 64;
const _: () = assert!(INNER + crate::wire::MAX_HEADER + LONG_PAYLOAD + frame::CRC_LEN <= u16::MAX as usize);

/// The ethertype that they travel under: IPv4's.
pub(super) const CLOTHES: u16 = 0x0800;

/// Sender and receiver in the IPv4 header.
const FROM: u32 = 0x0054_5701;
const TO: u32 = 0x0054_5702;
/// The sender's port; the receiver's is the lane.
const PORT: u16 = 0x5457;
const TCP: u8 = 6;
const VERSION_AND_LENGTH: u8 = 0x45;

/// What the socket wants to know (`struct virtio_net_hdr`), in the machine's byte order: how the card would cut the frame up.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Offload {
    flags: u8,
    kind: u8,
    header_len: [u8; 2],
    segment: [u8; 2],
    sum_from: [u8; 2],
    sum_at: [u8; 2],
}
/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` and `VIRTIO_NET_HDR_GSO_TCPV4`.
const NEEDS_SUM: u8 = 1;
const CUT_AS_TCP: u8 = 1;

/// What comes before the header of the packet.
///
/// ```text
/// 0             6        12       14     34    54
/// | destination | source | 0x0800 | IPv4 | TCP | header | payload | CRC-32 of the header
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Clothes {
    destination: [u8; 6],
    source: [u8; 6],
    ethertype: U16,
    version_and_length: u8,
    service: u8,
    length: U16,
    identification: U16,
    fragment: U16,
    hops: u8,
    protocol: u8,
    sum: U16,
    from: U32,
    to: U32,
    from_port: U16,
    to_port: U16,
    sequence: U32,
    acknowledged: U32,
    offset_and_flags: U16,
    window: U16,
    tcp_sum: U16,
    urgent: U16,
}

/// Bytes that a socket tells of a frame.
pub(super) const OFFLOAD: usize = size_of::<Offload>();
const HEADERS: usize = size_of::<Clothes>();
const _: () = assert!(OFFLOAD == 10 && HEADERS == 54);
/// Bytes of the headers of IPv4 and TCP, which the MTU counts.
const INNER: usize = HEADERS - ETHERNET_HEADER;

/// Where a filter finds the addresses and the lane.
pub(super) const FIRST_AT: usize = ETHERNET_HEADER;
pub(super) const PROTOCOL_AT: usize = 23;
pub(super) const FROM_AT: usize = 26;
pub(super) const TO_AT: usize = 30;
pub(super) const LANE_AT: usize = 36;
/// What it finds there.
pub(super) const FIRST: u8 = VERSION_AND_LENGTH;
pub(super) const PROTOCOL: u8 = TCP;
pub(super) const ADDRESSES: [u32; 2] = [FROM, TO];

/// Bytes that come before the packet's header.
pub(super) const PRELUDE: usize = OFFLOAD + HEADERS;

/// The bytes of the longest one, with what the socket adds.
pub(super) const LONGEST: usize = PRELUDE + crate::wire::MAX_HEADER + LONG_PAYLOAD + frame::CRC_LEN;

/// Adds to a sum in ones' complement.
fn add(sum: u16, word: u16) -> u16 {
    let (sum, carry) = sum.overflowing_add(word);
    sum + u16::from(carry)
}

/// The sum of the addresses, the protocol and the length, which a device completes to TCP's checksum.
fn pseudo_sum(len: u16) -> u16 {
    let words = [FROM, TO].into_iter().flat_map(|address| [(address >> 16) as u16, address as u16]);
    words.chain([TCP.into(), len]).fold(0, add)
}

/// What comes before the packet's header, for a packet of `len` bytes with its header and CRC-32, on a device of this MTU.
pub(super) fn prelude(to: Address, source: Mac, mtu: usize, len: u16) -> ArrayVec<u8, PRELUDE> {
    let segment = (mtu - INNER) as u16;
    let offload = Offload {
        flags: NEEDS_SUM,
        kind: CUT_AS_TCP,
        header_len: (HEADERS as u16).to_ne_bytes(),
        segment: segment.to_ne_bytes(),
        sum_from: 34u16.to_ne_bytes(),
        sum_at: 16u16.to_ne_bytes(),
    };
    let mut clothes = Clothes {
        destination: to.mac.0,
        source: source.0,
        ethertype: CLOTHES.into(),
        version_and_length: VERSION_AND_LENGTH,
        service: 0,
        length: (len + INNER as u16).into(),
        identification: 0.into(),
        fragment: 0x4000.into(),
        hops: 1,
        protocol: TCP,
        sum: 0.into(),
        from: FROM.into(),
        to: TO.into(),
        from_port: PORT.into(),
        to_port: to.lane.into(),
        sequence: 0.into(),
        acknowledged: 0.into(),
        // Five words; PSH and ACK.
        offset_and_flags: 0x5018.into(),
        window: 0.into(),
        tcp_sum: pseudo_sum(len + 20).into(),
        urgent: 0.into(),
    };
    let words = clothes.as_bytes()[ETHERNET_HEADER..34].chunks_exact(2);
    clothes.sum = (!words.map(|word| u16::from_be_bytes([word[0], word[1]])).fold(0, add)).into();
    offload.as_bytes().iter().chain(clothes.as_bytes()).copied().collect()
}

/// The packet in a long frame as it came from the socket. Its payload has not been looked at: what travels in long frames has a check of its own.
pub(super) fn open(bytes: &Bytes) -> Result<Packet, WireError> {
    let truncated = |needed| WireError::Truncated { needed, got: bytes.len() };
    let (clothes, _) =
        Clothes::ref_from_prefix(bytes.get(OFFLOAD..).ok_or(truncated(PRELUDE))?).map_err(|_| truncated(PRELUDE))?;
    let end = OFFLOAD + ETHERNET_HEADER + usize::from(clothes.length.get());
    if bytes.len() < end || end < PRELUDE {
        return Err(truncated(end.max(PRELUDE)));
    }
    if bytes.len() > end {
        return Err(WireError::TrailingBytes { extra: bytes.len() - end });
    }
    let (header, header_len, payload_len) = Header::parse(&bytes[PRELUDE..])?;
    let payload = PRELUDE + header_len..PRELUDE + header_len + payload_len;
    let needed = payload.end + frame::CRC_LEN;
    if needed > end {
        return Err(truncated(needed));
    }
    if needed < end {
        return Err(WireError::TrailingBytes { extra: end - needed });
    }
    let expected = frame::crc(&bytes[PRELUDE..payload.start], &[]);
    let (got, _) = little_endian::U32::read_from_prefix(&bytes[payload.end..]).map_err(|_| truncated(needed))?;
    if got.get() != expected {
        return Err(WireError::Crc { expected, got: got.get() });
    }
    Ok(Packet { header, payload: bytes.slice(payload) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::endpoint::Sounding;
    use proptest::prelude::*;

    const TO: Address = Address { mac: Mac([2, 0, 0x5e, 0, 0, 1]), lane: 0x0102 };
    const SOURCE: Mac = Mac([2, 0, 0x5e, 0, 0, 2]);

    fn sounding(payload: &[u8]) -> (Header, Vec<u8>) {
        let header: Header = Sounding { connection: 1, path: 2, check: 3 }.into();
        let bytes = header.encode(payload.len() as u16);
        let crc = frame::crc(&bytes, &[]).to_le_bytes();
        let packet = [&bytes, payload, &crc].concat();
        (header, [&prelude(TO, SOURCE, 1500, packet.len() as u16), &packet[..]].concat())
    }

    /// The example of `docs/wire-format.md`.
    #[test]
    fn the_headers_are_those_of_a_segment_of_tcp() {
        let prelude = prelude(TO, SOURCE, 1500, 0x1234);
        assert_eq!(
            prelude[..OFFLOAD],
            [&[1, 1][..], &54u16.to_ne_bytes(), &1460u16.to_ne_bytes(), &34u16.to_ne_bytes(), &16u16.to_ne_bytes()]
                .concat()
        );
        let ip = &prelude[OFFLOAD + ETHERNET_HEADER..][..20];
        assert_eq!(ip[..10], [0x45, 0, 0x12, 0x5c, 0, 0, 0x40, 0, 1, 6]);
        assert_eq!(ip[12..], [0, 0x54, 0x57, 1, 0, 0x54, 0x57, 2]);
        let sum = ip.chunks(2).fold(0, |sum, word| add(sum, u16::from_be_bytes([word[0], word[1]])));
        assert_eq!(sum, 0xffff, "the checksum of the IPv4 header");
        assert_eq!(
            prelude[PRELUDE - 20..],
            [0x54, 0x57, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0xc0, 0xf9, 0, 0]
        );
    }

    #[test]
    fn what_is_sent_is_read() {
        let (header, sent) = sounding(&[7; 20_000]);
        let packet = open(&sent.into()).expect("it is whole");
        assert_eq!((packet.header, &packet.payload[..]), (header, &[7; 20_000][..]));
    }

    proptest! {
        /// A part of it, and it with more behind it, are refused; so is a damaged header.
        #[test]
        fn only_the_whole_is_taken(payload in prop::collection::vec(any::<u8>(), 0..300), extra in 1usize..100, at in 0usize..17, bit in 0u8..8) {
            let (_, sent) = sounding(&payload);
            let cut = sent.len().saturating_sub(extra);
            prop_assert!(open(&Bytes::from(sent.clone()).slice(..cut)).is_err());
            let mut longer = sent.clone();
            longer.resize(sent.len() + extra, 0);
            prop_assert!(open(&longer.into()).is_err());
            let mut damaged = sent;
            damaged[PRELUDE + at] ^= 1 << bit;
            prop_assert!(open(&damaged.into()).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&bytes.into());
        }

        #[test]
        fn no_length_panics(len: u16, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut frame = [&prelude(TO, SOURCE, 1500, 0)[..], &bytes].concat();
            frame[OFFLOAD + ETHERNET_HEADER + 2..][..2].copy_from_slice(&len.to_be_bytes());
            let _ = open(&frame.into());
        }
    }
}
