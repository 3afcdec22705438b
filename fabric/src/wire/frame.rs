//! Whole frames: `hop byte × n | header | payload | CRC-32`.

use super::{Header, Packet, WireError};
use crate::route::Route;
use bytes::Bytes;

/// Bytes of the CRC-32 at the end of a frame.
pub const CRC_LEN: usize = 4;

/// The frame's bytes as they leave a host: hops, header, payload, CRC-32.
///
/// Panics if the payload has more than 65,535 bytes: a caller keeps to its port's largest payload.
pub fn encode(route: &Route, packet: &Packet) -> Vec<u8> {
    let payload_len = u16::try_from(packet.payload.len()).expect("a payload fits its length field");
    let header = packet.header.encode(payload_len);
    let mut frame = Vec::with_capacity(route.len() + header.len() + packet.payload.len() + CRC_LEN);
    frame.extend_from_slice(route.as_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(&packet.payload);
    frame.extend_from_slice(&crc(&header, &packet.payload).to_le_bytes());
    frame
}

/// Reads a frame as it reaches a host, its hops gone. The payload shares `frame`'s bytes.
pub fn parse(frame: &Bytes) -> Result<Packet, WireError> {
    let (header, header_len, payload_len) = Header::parse(frame)?;
    let end = header_len + payload_len;
    let needed = end + CRC_LEN;
    if frame.len() < needed {
        return Err(WireError::Truncated { needed, got: frame.len() });
    }
    if frame.len() > needed {
        return Err(WireError::TrailingBytes { extra: frame.len() - needed });
    }
    let got = u32::from_le_bytes([frame[end], frame[end + 1], frame[end + 2], frame[end + 3]]);
    let expected = crc(&frame[..header_len], &frame[header_len..end]);
    if got != expected {
        return Err(WireError::Crc { expected, got });
    }
    Ok(Packet { header, payload: frame.slice(header_len..end) })
}

/// The CRC-32 (IEEE 802.3) over header and payload. Hops are not part of it, so it stands unchanged from end to end.
pub fn crc(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}
