use super::*;
use crate::hops::Hops;
use crate::medium::memory::MemoryMedium;

const SIZE: usize = 64;

/// A record that is recognised by its epoch.
fn record(epoch: u32) -> Record {
    Record::new(epoch, 17, "88f887".parse().unwrap(), vec!["89f886".parse().unwrap()]).unwrap()
}

/// What a case puts into a slot.
#[derive(Clone, Copy, Debug)]
enum Content {
    Blank,
    Erased,
    /// A record of this epoch and sequence.
    Good(u32, u16),
    /// The same, one bit of it flipped.
    Broken(u32, u16),
    /// The same, but written for the other slot.
    Misplaced(u32, u16),
    /// The same, of version 3.
    Newer(u32, u16),
    /// The same, of version 1.
    Older(u32, u16),
    /// Somebody else's bytes.
    Foreign,
    /// The medium does not give it.
    Unreadable,
}

impl Content {
    fn bytes(self, slot: Slot) -> Vec<u8> {
        let mut bytes = match self {
            Content::Blank | Content::Unreadable => vec![],
            Content::Erased => vec![0xff; SIZE / 2],
            Content::Good(epoch, sequence) => codec::encode(&record(epoch), slot, sequence),
            Content::Broken(epoch, sequence) => {
                let mut bytes = codec::encode(&record(epoch), slot, sequence);
                bytes[9] ^= 0x40;
                bytes
            }
            Content::Misplaced(epoch, sequence) => codec::encode(&record(epoch), slot.other(), sequence),
            Content::Newer(epoch, sequence) => of_version(3, codec::encode(&record(epoch), slot, sequence)),
            Content::Older(epoch, sequence) => of_version(1, codec::encode(&record(epoch), slot, sequence)),
            Content::Foreign => b"a boot sector of somebody".to_vec(),
        };
        bytes.resize(SIZE / 2, 0);
        bytes
    }
}

fn of_version(version: u8, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[1] = version << 1 | bytes[1] & 1;
    let body = bytes.len() - 4;
    let crc = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn memory(zero: Content, one: Content) -> MemoryMedium {
    MemoryMedium::from_bytes([zero.bytes(Slot::Zero), one.bytes(Slot::One)].concat())
}

/// A medium of which a slot may not be readable until it is written.
struct Sectors {
    memory: MemoryMedium,
    unreadable: [bool; 2],
}

impl Medium for Sectors {
    fn slot_len(&self) -> usize {
        self.memory.slot_len()
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        if self.unreadable[slot.index()] { Err(io::Error::other("bad sector")) } else { self.memory.read(slot, buffer) }
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.unreadable[slot.index()] = false;
        self.memory.write(slot, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn store(zero: Content, one: Content) -> Store<Sectors> {
    let unreadable = [zero, one].map(|content| matches!(content, Content::Unreadable));
    Store::new(Sectors { memory: memory(zero, one), unreadable })
}

/// What a case reads: the epoch of the record and its slot, or the name of the error.
fn outcome(store: &mut Store<Sectors>) -> Result<(u32, usize), &'static str> {
    match store.load() {
        Ok(current) => {
            assert_eq!(current.record, record(current.record.epoch()), "a wrong route");
            Ok((current.record.epoch(), current.slot.index()))
        }
        Err(LoadError::Blank) => Err("blank"),
        Err(LoadError::Corrupt { .. }) => Err("corrupt"),
        Err(LoadError::Version(1 | 3)) => Err("version"),
        Err(LoadError::Io(_)) => Err("unreadable"),
        Err(LoadError::Forked { .. }) => Err("forked"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_choice_between_the_slots() {
    use Content::*;
    let table = [
        // One valid record, whatever the other slot holds.
        (Good(1, 5), Blank, Ok((1, 0))),
        (Blank, Good(1, 5), Ok((1, 1))),
        (Good(1, 5), Erased, Ok((1, 0))),
        (Good(1, 5), Broken(2, 6), Ok((1, 0))),
        (Broken(2, 6), Good(1, 5), Ok((1, 1))),
        (Good(1, 5), Misplaced(2, 6), Ok((1, 0))),
        (Misplaced(2, 6), Good(1, 5), Ok((1, 1))),
        (Good(1, 5), Newer(2, 6), Ok((1, 0))),
        (Older(2, 6), Good(1, 5), Ok((1, 1))),
        (Good(1, 5), Foreign, Ok((1, 0))),
        (Unreadable, Good(1, 5), Ok((1, 1))),
        (Good(1, 5), Unreadable, Ok((1, 0))),
        // Two: the newer sequence, not the higher epoch.
        (Good(1, 5), Good(2, 6), Ok((2, 1))),
        (Good(2, 6), Good(1, 5), Ok((2, 0))),
        (Good(9, 5), Good(2, 6), Ok((2, 1))),
        (Good(1, 0), Good(2, 0x7fff), Ok((2, 1))),
        // The sequence wraps around.
        (Good(1, 0xffff), Good(2, 0), Ok((2, 1))),
        (Good(2, 0), Good(1, 0xffff), Ok((2, 0))),
        (Good(2, 3), Good(1, 0xfff0), Ok((2, 0))),
        // Neither is newer.
        (Good(1, 5), Good(1, 5), Ok((1, 0))),
        (Good(1, 5), Good(2, 5), Err("forked")),
        (Good(1, 0), Good(1, 0x8000), Ok((1, 0))),
        (Good(1, 0), Good(2, 0x8000), Err("forked")),
        // None.
        (Blank, Blank, Err("blank")),
        (Erased, Erased, Err("blank")),
        (Blank, Erased, Err("blank")),
        (Broken(1, 5), Blank, Err("corrupt")),
        (Blank, Broken(1, 5), Err("corrupt")),
        (Broken(1, 5), Broken(2, 6), Err("corrupt")),
        (Misplaced(1, 5), Blank, Err("corrupt")),
        (Misplaced(1, 5), Misplaced(2, 6), Err("corrupt")),
        (Newer(1, 5), Blank, Err("version")),
        (Broken(2, 6), Newer(1, 5), Err("version")),
        (Older(1, 5), Older(2, 6), Err("version")),
        (Foreign, Foreign, Err("corrupt")),
        (Unreadable, Blank, Err("corrupt")),
        (Broken(1, 5), Unreadable, Err("corrupt")),
        (Unreadable, Unreadable, Err("unreadable")),
    ];
    for (zero, one, expected) in table {
        assert_eq!(outcome(&mut store(zero, one)), expected, "{zero:?}, {one:?}");
    }
}

#[test]
fn a_write_goes_to_the_slot_that_does_not_count() {
    use Content::*;
    let to = |slot, sequence| Ok(Written::To { slot, sequence });
    let table = [
        (Blank, Blank, to(Slot::Zero, 1)),
        (Good(1, 5), Blank, to(Slot::One, 6)),
        (Good(1, 5), Good(2, 6), to(Slot::Zero, 7)),
        (Good(3, 7), Good(2, 6), to(Slot::One, 8)),
        (Good(3, 0xffff), Good(2, 0xfffe), to(Slot::One, 0)),
        (Good(1, 5), Broken(2, 6), to(Slot::One, 6)),
        (Broken(2, 6), Good(1, 5), to(Slot::Zero, 6)),
        (Broken(2, 6), Broken(1, 5), to(Slot::Zero, 1)),
        (Good(1, 5), Good(2, 5), to(Slot::Zero, 6)),
        (Newer(1, 5), Blank, Err("version")),
        (Good(1, 5), Newer(2, 6), Err("version")),
        (Older(2, 6), Good(1, 5), Err("version")),
        (Good(1, 5), Unreadable, to(Slot::One, 6)),
        (Unreadable, Good(1, 5), to(Slot::Zero, 6)),
        (Unreadable, Blank, to(Slot::Zero, 1)),
        // A first write that was cut short may look like this; bytes in both slots are somebody's.
        (Foreign, Blank, to(Slot::Zero, 1)),
        (Foreign, Good(1, 5), to(Slot::Zero, 6)),
        (Foreign, Foreign, Err("foreign")),
        (Unreadable, Unreadable, Err("unreadable")),
    ];
    for (zero, one, expected) in table {
        let mut store = store(zero, one);
        let before = store.medium().memory.clone();
        let written = store.write(&record(9)).map_err(|error| match error {
            WriteError::Version(1 | 3) => "version",
            WriteError::Foreign => "foreign",
            WriteError::Load(LoadError::Io(_)) => "unreadable",
            error => panic!("{error}"),
        });
        assert_eq!(written, expected, "{zero:?}, {one:?}");
        match expected {
            Ok(_) => assert_eq!(outcome(&mut store).unwrap().0, 9, "{zero:?}, {one:?}"),
            Err(_) => assert_eq!(store.medium().memory, before, "{zero:?}, {one:?}"),
        }
    }
}

#[test]
fn nothing_is_written_unless_something_changed() {
    let mut medium = MemoryMedium::new(SIZE);
    let mut store = Store::new(&mut medium);
    store.write(&record(1)).unwrap();
    assert_eq!(store.writes(), 1);
    // With an alternate for which there is no room: the record is the same without it.
    let larger = Record::new(
        1,
        17,
        *record(1).primary(),
        vec!["89f886".parse().unwrap(), Hops::from_bytes(&[0x81; 30]).unwrap()],
    );
    let larger = larger.unwrap();
    store.write(&larger).unwrap();
    assert_eq!((store.writes(), store.load().unwrap().record.left_out()), (2, 1));
    for _ in 0..1000 {
        let mut reboot = Store::new(&mut medium);
        assert_eq!(reboot.load().unwrap().record, larger.fit(SIZE / 2).unwrap());
        assert_eq!(reboot.write(&larger).unwrap(), Written::Unchanged);
        assert_eq!(reboot.writes(), 0);
    }
    assert_eq!(medium.writes(), 2);
    Store::new(&mut medium).write(&record(2)).unwrap();
    assert_eq!(medium.writes(), 3);
}

#[test]
fn what_lies_behind_a_record_may_be_anything_but_what_is_not_a_record_is_not_ours() {
    let mut bytes = vec![0; 1024];
    bytes[400] = 0xaa;
    let mut store = Store::new(MemoryMedium::from_bytes(bytes.clone()));
    assert_eq!(store.slots().unwrap()[0], SlotState::Invalid(SlotError::Foreign));
    assert!(matches!(store.write(&record(1)), Err(WriteError::Foreign)));
    assert_eq!(store.medium().writes(), 0);
    store.wipe().unwrap();
    assert_eq!((store.writes(), store.medium().bytes()), (2, &[0; 1024][..]));
    bytes[..32].copy_from_slice(&Content::Good(1, 5).bytes(Slot::Zero));
    assert_eq!(Store::new(MemoryMedium::from_bytes(bytes)).load().unwrap().record, record(1));
}

#[test]
fn the_newest_record_wins_through_two_rounds_of_the_sequence() {
    let mut store = Store::new(MemoryMedium::new(SIZE));
    for epoch in 1..=2 * 65536 + 3 {
        let expected = Written::To { slot: Slot::BOTH[(epoch as usize + 1) % 2], sequence: epoch as u16 };
        assert_eq!(store.write(&record(epoch)).unwrap(), expected);
        assert_eq!(store.load().unwrap().record, record(epoch));
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let long: Hops = "80".repeat(21).parse().unwrap();
    let record = Record::new(1, 2, long, vec![]).unwrap();
    let mut store = Store::new(MemoryMedium::new(SIZE));
    let error = store.write(&record).unwrap_err();
    assert!(matches!(error, WriteError::Record(RecordError::TooLarge { needed: 33, room: 32 })), "{error}");
    assert_eq!((store.writes(), store.medium().writes()), (0, 0));
    assert!(matches!(Store::new(MemoryMedium::new(23)).load(), Err(LoadError::TooSmall { slot_len: 11 })));
    assert!(matches!(Store::new(MemoryMedium::new(0)).load(), Err(LoadError::TooSmall { slot_len: 0 })));
}

/// A medium on which one kind of call goes wrong.
struct Faulty {
    inner: MemoryMedium,
    fault: Fault,
    calls: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Write,
    Sync,
    Forgets,
}

impl Medium for Faulty {
    fn slot_len(&self) -> usize {
        self.inner.slot_len()
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read(slot, buffer)
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        self.calls += 1;
        match self.fault {
            Fault::Write => Err(io::Error::other("broken")),
            Fault::Forgets => Ok(()),
            Fault::Sync => self.inner.write(slot, bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.fault == Fault::Sync && self.calls > 0 { Err(io::Error::other("broken")) } else { Ok(()) }
    }
}

#[test]
fn after_a_failure_nothing_more_is_written() {
    for fault in [Fault::Write, Fault::Sync, Fault::Forgets] {
        let mut store = Store::new(Faulty { inner: MemoryMedium::new(SIZE), fault, calls: 0 });
        let error = store.write(&record(1)).unwrap_err();
        match fault {
            Fault::Forgets => assert!(matches!(error, WriteError::ReadBack { slot: Slot::Zero }), "{error}"),
            _ => assert!(matches!(error, WriteError::Io(_)), "{error}"),
        }
        assert!(matches!(store.write(&record(1)), Err(WriteError::Failed)));
        assert_eq!(store.medium().calls, 1);
    }
}

/// A record that is there needs no room: nothing is written, so nothing of somebody else's is in danger.
#[test]
fn a_record_that_is_there_is_unchanged_although_the_other_slot_is_somebody_elses() {
    const SLOT: usize = MAX_RECORD + 10;
    let mut bytes = codec::encode(&record(1), Slot::Zero, 5);
    bytes.resize(SLOT, 0);
    bytes.resize(2 * SLOT, b'x');
    let mut store = Store::new(MemoryMedium::from_bytes(bytes.clone()));
    assert!(matches!(store.write(&record(1)), Ok(Written::Unchanged)));
    assert!(matches!(store.write(&record(2)), Err(WriteError::Foreign)));
    assert_eq!((store.writes(), store.medium().bytes()), (0, bytes.as_slice()));
}
