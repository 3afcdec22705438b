//! A frame as it reaches a host, from bytes that nobody can trust.

use bytes::Bytes;
use twowire_fabric::route::Route;
use twowire_fabric::wire::{Header, frame};

/// Reads the bytes as a frame, and as the header of one. What can be read is written to the same bytes.
pub(crate) fn run(data: &[u8]) {
    if let Ok((header, header_len, payload_len)) = Header::parse(data) {
        let payload_len = u16::try_from(payload_len).expect("the field has two bytes");
        assert_eq!(&header.encode(payload_len)[..], &data[..header_len]);
    }
    let whole = Bytes::copy_from_slice(data);
    if let Ok(packet) = frame::parse(&whole) {
        assert_eq!(frame::encode(&Route::EMPTY, &packet), whole);
    }
    // Random bytes have a wrong CRC-32, so the same with a right one.
    if let Some(len) = data.len().checked_sub(frame::CRC_LEN) {
        let crc = frame::crc(&data[..len], &[]).to_le_bytes();
        let mended = Bytes::from([&data[..len], &crc].concat());
        if let Ok(packet) = frame::parse(&mended) {
            assert_eq!(frame::encode(&Route::EMPTY, &packet), mended);
            if let Header::Relay(mut relay) = packet.header {
                relay.check = frame::crc(&packet.payload, &[]);
                assert!(relay.frames(&packet.payload).count() <= packet.payload.len());
            }
        }
    }
}
