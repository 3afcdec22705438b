//! A node's NVRAM, from bytes that nobody can trust.

use twowire_route_store::codec::decode;
use twowire_route_store::{MemoryMedium, Slot, Store};

/// Reads the bytes as a slot, and as a medium of two. What is read from a medium can be written, and is read again.
pub(crate) fn run(data: &[u8]) {
    for slot in Slot::BOTH {
        let _ = decode(slot, data);
    }
    let mut store = Store::new(MemoryMedium::from_bytes(data.to_vec()));
    if let Ok(current) = store.load() {
        assert!(store.write(&current.record).is_ok());
        assert_eq!(store.writes(), 0, "the same record is not written");
        assert_eq!(store.load().expect("it is still there").record, current.record);
    }
}
