//! Whole frames: `hop byte × n | header | payload | CRC-32`, and between hops and header the lane where a host has several.

use super::{Header, Packet, WireError};
use crate::protocol::Path;
use crate::route::Route;
use arrayvec::ArrayVec;
use bytes::Bytes;

/// Bytes of the CRC-32 at the end of a frame.
pub const CRC_LEN: usize = 4;

/// The first byte of what says to which lane of a host a frame goes: no hop, and no version of a header.
pub const LANE_MARK: u8 = 0x7f;

/// Bytes of the mark and the lane's number, which is big-endian.
pub const LANE_LEN: usize = 3;

/// The hops of a path through crossbars, and what stands behind them in its frames: nothing, but for a lane. `None` for a path of
/// another kind.
pub fn route_and_lane(path: &Path) -> Option<(Route, ArrayVec<u8, LANE_LEN>)> {
    let (route, lane) = match path {
        Path::Hops(route) => (*route, 0),
        Path::Lane(path) => (path.route, path.to),
        _ => return None,
    };
    let mut mark = ArrayVec::new();
    if lane != 0 {
        mark.push(LANE_MARK);
        mark.extend(lane.to_be_bytes());
    }
    Some((route, mark))
}

/// What a frame to this lane holds behind the lane; all of it where the lane is 0. A frame to another lane is an error.
pub fn of_lane(frame: &Bytes, lane: u16) -> Result<Bytes, WireError> {
    if lane == 0 {
        return Ok(frame.clone());
    }
    let (&[mark, high, low], _) =
        frame.split_first_chunk().ok_or(WireError::Truncated { needed: LANE_LEN, got: frame.len() })?;
    let got = u16::from_be_bytes([high, low]);
    match mark == LANE_MARK && got == lane {
        true => Ok(frame.slice(LANE_LEN..)),
        false => Err(WireError::Lane { expected: lane, mark, got }),
    }
}

/// The frame's bytes as they leave a host: hops, header, payload, CRC-32.
///
/// Panics if the payload has more than 65,535 bytes: a caller keeps to its port's largest payload.
pub fn encode(route: &Route, packet: &Packet) -> Vec<u8> {
    encode_to(&Path::Hops(*route), packet)
}

/// The same along any path: only one through crossbars has hops, and a lane.
pub fn encode_to(path: &Path, packet: &Packet) -> Vec<u8> {
    let (route, lane) = route_and_lane(path).unwrap_or_default();
    let payload_len = u16::try_from(packet.payload.len()).expect("a payload fits its length field");
    let header = packet.header.encode(payload_len);
    let mut frame = Vec::with_capacity(route.len() + lane.len() + header.len() + packet.payload.len() + CRC_LEN);
    frame.extend_from_slice(route.as_bytes());
    frame.extend_from_slice(&lane);
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
