//! A frame as it comes from an Ethernet device, from bytes that nobody can trust.

use bytes::Bytes;
use twowire_fabric::raw::{ENVELOPE, LANES, open};
use twowire_fabric::wire::frame;

/// Opens the bytes, and reads what is in them as a frame.
pub(crate) fn run(data: &[u8]) {
    let whole = Bytes::copy_from_slice(data);
    if let Ok(inner) = open(&whole) {
        let start = if whole[12..14] == LANES.to_be_bytes() { ENVELOPE + 2 } else { ENVELOPE };
        let padding = whole.len() - start - inner.len();
        assert!(padding == 0 || whole.len() <= 60, "{padding} bytes of padding in a frame of {}", whole.len());
        assert_eq!(inner, whole[start..start + inner.len()]);
        let _ = frame::parse(&inner);
    }
}
