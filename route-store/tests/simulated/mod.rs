//! Simulated media whose power can be cut.
//!
//! | medium | what a power cut leaves |
//! |---|---|
//! | [`Bytes`]: CMOS memory, mapped memory, a file | of what was written since the last sync that returned, any bytes and not the others |
//! | [`Sectors`]: a block device | the old sector, the new one, one torn at any byte, or one that cannot be read |
//! | [`Chip`]: flash | of the block that was being erased or written, any bits changed and not the others |
//! | [`Firmware`]: EFI variables | the old variable or the new one, as a whole; the store fills up until the next boot |
//!
//! A program that is killed loses nothing: the next one reads what was written, synced or not.

pub(crate) mod bytes;
pub(crate) mod chip;
pub(crate) mod firmware;
pub(crate) mod sectors;

use twowire_route_store::{Hops, LoadError, Medium, Record, Slot, Store};

/// A medium that knows all states that a power cut during what was done to it can leave.
pub(crate) trait Simulated: Medium + Clone {
    /// Every such state, as the medium is after the next power-on.
    fn crash_states(&self) -> Vec<Self>;

    /// The same medium without power cuts: what was done to it is done.
    fn settled(&self) -> Self;

    /// Flips a bit of a slot.
    fn flip(&mut self, slot: Slot, byte: usize, bit: u8);
}

/// The byte sets to keep: every prefix and suffix, each byte alone, all but each, and random ones.
pub(crate) fn torn(len: usize, mut state: impl FnMut(&dyn Fn(usize) -> bool)) {
    for cut in 0..=len {
        state(&|i| i < cut);
        state(&|i| i >= cut);
        state(&|i| i == cut);
        state(&|i| i != cut);
    }
    let mut rng = fastrand::Rng::with_seed(len as u64);
    for _ in 0..64 {
        let chosen: Vec<bool> = (0..len).map(|_| rng.bool()).collect();
        state(&|i| chosen[i]);
    }
}

fn hops(text: &str) -> Hops {
    text.parse().unwrap()
}

/// A record that differs from others of another epoch in nearly every byte, and now and then in its length.
pub(crate) fn record(epoch: u32) -> Record {
    let byte = 0x80 | (epoch.wrapping_mul(37) & 0x7f) as u8;
    let primary = Hops::from_bytes(&vec![byte; 3 + epoch as usize % 3]).unwrap();
    let record = Record::new(epoch.wrapping_mul(0x0101_0101), epoch, primary, vec![hops("89f886")]).unwrap();
    record.with_floor(epoch.wrapping_mul(3).into())
}

/// What a node reads at power-on.
pub(crate) fn load<M: Medium>(medium: M) -> Result<Record, LoadError> {
    Store::new(medium).load().map(|current| current.record)
}

/// A medium to which the records of these epochs were written.
pub(crate) fn written<S: Simulated>(blank: S, epochs: impl IntoIterator<Item = u32>) -> S {
    let mut store = Store::new(blank);
    for epoch in epochs {
        store.write(&record(epoch)).unwrap();
    }
    store.into_medium().settled()
}
