//! Power cuts and flipped bits, on every medium that can be simulated. The fault model of each is in `simulated`.

mod simulated;

use simulated::bytes::Bytes;
use simulated::sectors::Sectors;
use simulated::{Simulated, chip, firmware, load, record, written};
use twowire_route_store::{LoadError, Medium, MemoryMedium, Slot, Store, WriteError};

/// The window of CMOS memory.
const WINDOW: usize = 64;

/// Runs a test on a blank medium of each kind.
macro_rules! on_every_medium {
    ($($name:ident: $test:ident;)*) => {$(
        #[test]
        fn $name() {
            $test(Bytes::new(vec![0; WINDOW]));
            $test(Bytes::new(vec![0xff; WINDOW]));
            $test(Bytes::new(vec![0; 1024]));
            $test(Sectors::blank());
            $test(chip::blank());
            $test(firmware::blank());
        }
    )*};
}

on_every_medium! {
    a_power_cut_leaves_the_old_record_or_the_new_one: old_or_new;
    a_second_power_cut_during_the_next_write_does_no_harm: second_cut;
    a_power_cut_during_the_very_first_write_leaves_the_record_or_none: first_write;
    a_power_cut_beside_a_broken_slot_does_no_harm: beside_a_broken_slot;
    flipped_bits_never_give_a_wrong_route: flipped_bits;
    reboots_without_a_change_write_nothing: reboots;
}

fn old_or_new<S: Simulated>(blank: S) {
    for old in 1..=6 {
        let mut store = Store::new(written(blank.clone(), 1..=old));
        store.write(&record(old + 1)).unwrap();
        let (mut olds, mut news) = (0, 0);
        for state in store.medium().crash_states() {
            match load(state).unwrap_or_else(|error| panic!("after {old}: {error}")) {
                read if read == record(old) => olds += 1,
                read if read == record(old + 1) => news += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(olds > 0 && news > 0);
    }
}

fn second_cut<S: Simulated>(blank: S) {
    let mut store = Store::new(written(blank, 1..=3));
    store.write(&record(4)).unwrap();
    let states = store.medium().crash_states();
    // All of a small medium's states, and a sample of a large one's.
    for state in states.iter().step_by((states.len() / 200).max(1)) {
        let before = load(state.clone()).unwrap();
        let mut store = Store::new(state.clone());
        store.write(&record(5)).unwrap();
        for state in store.medium().crash_states() {
            let read = load(state).unwrap();
            // The second write may happen to complete the first one, where both have the same byte.
            assert!([&before, &record(4), &record(5)].contains(&&read), "{read:?}");
        }
    }
}

fn first_write<S: Simulated>(blank: S) {
    let mut store = Store::new(blank);
    store.write(&record(1)).unwrap();
    for state in store.medium().crash_states() {
        match load(state.clone()) {
            Ok(read) => assert_eq!(read, record(1)),
            Err(LoadError::Blank | LoadError::Corrupt { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        // And the node is not stuck: the next attempt works.
        let mut next = Store::new(state);
        next.write(&record(2)).unwrap();
        assert_eq!(next.load().unwrap().record, record(2));
    }
}

fn beside_a_broken_slot<S: Simulated>(blank: S) {
    let mut medium = written(blank, 1..=2);
    medium.flip(Slot::One, 7, 0);
    let mut store = Store::new(medium);
    store.write(&record(3)).unwrap();
    for state in store.medium().crash_states() {
        let read = load(state).unwrap();
        assert!(read == record(1) || read == record(3), "{read:?}");
    }
}

fn flipped_bits<S: Simulated>(blank: S) {
    let clean = written(blank, 1..=2);
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut old, mut new, mut errors) = (0, 0, 0);
    for case in 0..100_000 {
        let mut medium = clean.clone();
        for _ in 0..rng.usize(1..=24) {
            medium.flip(Slot::BOTH[rng.usize(..2)], rng.usize(..WINDOW / 2), rng.u8(..8));
        }
        match load(medium) {
            Ok(read) if read == record(1) => old += 1,
            Ok(read) if read == record(2) => new += 1,
            Ok(wrong) => panic!("case {case}: {wrong:?}"),
            Err(LoadError::Corrupt { .. }) => errors += 1,
            Err(error) => panic!("case {case}: {error}"),
        }
    }
    assert!(old > 1000 && new > 1000 && errors > 1000, "{old} old, {new} new, {errors} errors");
}

fn reboots<S: Simulated>(blank: S) {
    let mut medium = written(blank, 1..=2);
    for _ in 0..1000 {
        let mut store = Store::new(medium);
        assert_eq!(store.load().unwrap().record, record(2));
        store.write(&record(2)).unwrap();
        assert_eq!(store.writes(), 0);
        medium = store.into_medium().settled();
    }
}

#[test]
fn a_program_killed_before_its_sync_and_then_a_power_cut_do_no_harm() {
    let mut store = Store::new(written(Bytes::new(vec![0; WINDOW]), 1..=2));
    store.write(&record(3)).unwrap();
    let mut next = Store::new(store.into_medium().killed_after_first_write());
    next.write(&record(4)).unwrap();
    for state in next.medium().crash_states() {
        let read = load(state).unwrap();
        assert!([record(2), record(3), record(4)].contains(&read), "{read:?}");
    }
}

#[test]
fn a_flash_chip_is_changed_in_its_two_blocks_alone() {
    let mut store = Store::new(chip::blank());
    for epoch in 1..=5 {
        store.write(&record(epoch)).unwrap();
    }
    store.wipe().unwrap();
    assert!(chip::is_untouched_outside(store.medium()));
}

#[test]
fn a_full_store_of_variables_keeps_the_record_until_it_is_reclaimed() {
    let mut store = Store::new(firmware::blank());
    let mut epoch = 0;
    let error = loop {
        epoch += 1;
        match store.write(&record(epoch)) {
            Ok(_) => assert!(epoch < 100, "the store never fills up"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, WriteError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull), "{error}");
    assert!(error.to_string().contains("reboot it"), "{error}");
    let rebooted = store.into_medium().settled();
    assert_eq!(load(rebooted.clone()).unwrap(), record(epoch - 1));
    Store::new(rebooted).write(&record(epoch)).unwrap();
}

#[test]
fn random_bytes_never_give_a_route() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..100_000 {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(WINDOW).collect();
        (bytes[0], bytes[WINDOW / 2]) = (b'T', b'T');
        assert!(matches!(load(MemoryMedium::from_bytes(bytes)), Err(LoadError::Corrupt { .. })));
    }
}

#[test]
fn the_medium_behind_a_box_is_the_same_medium() {
    let mut medium: Box<dyn Medium> = Box::new(MemoryMedium::new(WINDOW));
    Store::new(&mut medium).write(&record(1)).unwrap();
    assert_eq!(load(medium).unwrap(), record(1));
}
