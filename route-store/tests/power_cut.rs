//! Power cuts and flipped bits.
//!
//! The fault model. A medium remembers what was written before the last sync that returned. Of what was written after
//! it, a power cut keeps any bytes and loses the others, in any order: the tests try every prefix and every suffix (a
//! write cut at every byte), each byte alone and each byte alone missing, and random sets, over all writes that are not
//! yet synced. A program that is killed loses nothing: the next one reads what was written, synced or not.

use twowire_route_store::{Hops, LoadError, Medium, MemoryMedium, Record, Store};

const SIZE: usize = 64;

/// One thing that a store did to its medium.
#[derive(Clone, Debug)]
enum Operation {
    Write(usize, Vec<u8>),
    Sync,
}

/// A medium that remembers what was done to it, to find all states that a power cut can leave.
#[derive(Clone)]
struct Recorder {
    /// What the medium keeps in any case.
    durable: Vec<u8>,
    /// What a program reads.
    seen: Vec<u8>,
    log: Vec<Operation>,
}

impl Recorder {
    fn new(durable: Vec<u8>) -> Recorder {
        Recorder { seen: durable.clone(), durable, log: Vec::new() }
    }

    /// Every state that a power cut between or during the recorded operations can leave.
    fn crash_states(&self) -> Vec<Vec<u8>> {
        let mut states = vec![self.durable.clone()];
        let mut durable = self.durable.clone();
        let mut pending: Vec<(usize, u8)> = Vec::new();
        for operation in &self.log {
            match operation {
                Operation::Write(offset, bytes) => {
                    pending.extend(bytes.iter().enumerate().map(|(i, &byte)| (offset + i, byte)));
                    states.extend(torn(&durable, &pending));
                }
                Operation::Sync => pending.drain(..).for_each(|(at, byte)| durable[at] = byte),
            }
        }
        states.push(self.seen.clone());
        states
    }
}

/// The states in which some of the pending bytes were kept.
fn torn(durable: &[u8], pending: &[(usize, u8)]) -> Vec<Vec<u8>> {
    let keep = |kept: &dyn Fn(usize) -> bool| {
        let mut state = durable.to_vec();
        pending.iter().enumerate().filter(|(i, _)| kept(*i)).for_each(|(_, &(at, byte))| state[at] = byte);
        state
    };
    let mut states = Vec::new();
    for cut in 0..=pending.len() {
        states.push(keep(&|i| i < cut));
        states.push(keep(&|i| i >= cut));
        states.push(keep(&|i| i == cut));
        states.push(keep(&|i| i != cut));
    }
    let mut rng = fastrand::Rng::with_seed(pending.len() as u64);
    for _ in 0..64 {
        let chosen: Vec<bool> = pending.iter().map(|_| rng.bool()).collect();
        states.push(keep(&|i| chosen[i]));
    }
    states
}

impl Medium for Recorder {
    fn size(&self) -> usize {
        self.seen.len()
    }

    fn read(&mut self, offset: usize, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.copy_from_slice(&self.seen[offset..offset + buffer.len()]);
        Ok(())
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> std::io::Result<()> {
        self.seen[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.log.push(Operation::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.log.push(Operation::Sync);
        Ok(())
    }
}

fn hops(text: &str) -> Hops {
    text.parse().unwrap()
}

/// A record that differs from others of another epoch in nearly every byte, and now and then in its length.
fn record(epoch: u32) -> Record {
    let byte = 0x80 | (epoch.wrapping_mul(37) & 0x7f) as u8;
    let primary = Hops::from_bytes(&vec![byte; 3 + epoch as usize % 3]).unwrap();
    Record::new(epoch.wrapping_mul(0x0101_0101), epoch, primary, vec![hops("89f886")]).unwrap()
}

fn load(state: &[u8]) -> Result<Record, LoadError> {
    Store::new(MemoryMedium::from_bytes(state.to_vec())).load().map(|current| current.record)
}

/// The bytes of a medium to which the records of these epochs were written.
fn written(epochs: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut store = Store::new(MemoryMedium::new(SIZE));
    for epoch in epochs {
        store.write(&record(epoch)).unwrap();
    }
    store.into_medium().bytes().to_vec()
}

#[test]
fn a_power_cut_leaves_the_old_record_or_the_new_one() {
    for old in 1..=6 {
        let mut store = Store::new(Recorder::new(written(1..=old)));
        store.write(&record(old + 1)).unwrap();
        let states = store.medium().crash_states();
        assert!(states.len() > 150);
        let (mut olds, mut news) = (0, 0);
        for state in states {
            match load(&state).unwrap_or_else(|error| panic!("{error}: {state:02x?}")) {
                read if read == record(old) => olds += 1,
                read if read == record(old + 1) => news += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(olds > 0 && news > 0);
    }
}

#[test]
fn a_second_power_cut_during_the_next_write_does_no_harm() {
    let mut store = Store::new(Recorder::new(written(1..=3)));
    store.write(&record(4)).unwrap();
    let mut states = store.medium().crash_states();
    states.sort();
    states.dedup();
    for state in states {
        let before = load(&state).unwrap();
        let mut store = Store::new(Recorder::new(state));
        store.write(&record(5)).unwrap();
        for state in store.medium().crash_states() {
            let read = load(&state).unwrap();
            // The second write may happen to complete the first one, where both have the same byte.
            assert!([&before, &record(4), &record(5)].contains(&&read), "{read:?}");
        }
    }
}

#[test]
fn a_power_cut_during_the_very_first_write_leaves_the_record_or_none() {
    for blank in [0x00, 0xff] {
        let mut store = Store::new(Recorder::new(vec![blank; SIZE]));
        store.write(&record(1)).unwrap();
        for state in store.medium().crash_states() {
            match load(&state) {
                Ok(read) => assert_eq!(read, record(1)),
                Err(LoadError::Blank | LoadError::Corrupt { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            // And the node is not stuck: the next attempt works.
            let mut next = Store::new(MemoryMedium::from_bytes(state));
            next.write(&record(2)).unwrap();
            assert_eq!(next.load().unwrap().record, record(2));
        }
    }
}

#[test]
fn a_program_killed_before_its_sync_and_then_a_power_cut_do_no_harm() {
    let mut store = Store::new(Recorder::new(written(1..=2)));
    store.write(&record(3)).unwrap();
    let mut killed = store.into_medium();
    // The program died after its write: all operations from there on never happened.
    let write = killed.log.iter().position(|operation| matches!(operation, Operation::Write(..))).unwrap();
    killed.log.truncate(write + 1);
    let mut next = Store::new(killed);
    next.write(&record(4)).unwrap();
    for state in next.medium().crash_states() {
        let read = load(&state).unwrap_or_else(|error| panic!("{error}: {state:02x?}"));
        assert!([record(2), record(3), record(4)].contains(&read), "{read:?}");
    }
}

#[test]
fn a_power_cut_beside_a_broken_slot_does_no_harm() {
    let mut bytes = written(1..=2);
    bytes[SIZE / 2 + 5] ^= 1;
    let mut store = Store::new(Recorder::new(bytes));
    store.write(&record(3)).unwrap();
    for state in store.medium().crash_states() {
        let read = load(&state).unwrap();
        assert!(read == record(1) || read == record(3), "{read:?}");
    }
}

#[test]
fn flipped_bits_never_give_a_wrong_route() {
    let clean = written(1..=2);
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut old, mut new, mut errors) = (0, 0, 0);
    for case in 0..100_000 {
        let mut bytes = clean.clone();
        for _ in 0..rng.usize(1..=24) {
            bytes[rng.usize(..SIZE)] ^= 1 << rng.u8(..8);
        }
        match load(&bytes) {
            Ok(read) if read == record(1) => old += 1,
            Ok(read) if read == record(2) => new += 1,
            Ok(wrong) => panic!("case {case}: {wrong:?}"),
            Err(LoadError::Corrupt { .. }) => errors += 1,
            Err(error) => panic!("case {case}: {error}"),
        }
    }
    assert!(old > 1000 && new > 1000 && errors > 1000, "{old} old, {new} new, {errors} errors");
}

#[test]
fn random_bytes_never_give_a_route() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..100_000 {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(SIZE).collect();
        (bytes[0], bytes[SIZE / 2]) = (b'T', b'T');
        assert!(matches!(load(&bytes), Err(LoadError::Corrupt { .. })));
    }
}
