//! Real devices, where this machine has them: each test says why it is skipped where it has not.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use twowire_route_store::medium::OpenError;
use twowire_route_store::{Access, Device, Hops, LoadError, Record, Store, WriteError, Written};

fn record(epoch: u32) -> Record {
    let hops = |text: &str| text.parse::<Hops>().unwrap();
    Record::new(epoch, 17, hops("88f887"), vec![hops("89f886"), hops("8af885")]).unwrap()
}

fn device(spelling: &str) -> Device {
    spelling.parse().unwrap()
}

/// Writes, reads back through a fresh opening, and counts the writes.
fn exercise(device: &Device) {
    let open = |access| Store::new(device.open(access).unwrap_or_else(|error| panic!("{device}: {error}")));
    let first = 1 + open(Access::Read).load().map_or(0, |current| current.record.epoch());
    for epoch in first..first + 5 {
        let mut store = open(Access::Write);
        assert!(matches!(store.write(&record(epoch)).unwrap(), Written::To { .. }), "{device}");
        assert_eq!(store.writes(), 1);
        drop(store);
        let mut again = open(Access::Write);
        assert_eq!(again.load().unwrap().record, record(epoch).fit(again.room()).unwrap(), "{device}");
        assert_eq!(again.write(&record(epoch)).unwrap(), Written::Unchanged);
        assert_eq!(again.writes(), 0);
    }
    open(Access::Write).wipe().unwrap();
    assert!(matches!(open(Access::Read).load(), Err(LoadError::Blank)), "{device}");
}

/// A loop device over a file, gone when it is dropped.
struct Loop {
    path: PathBuf,
}

impl Loop {
    fn new(file: &Path) -> Result<Loop, String> {
        let output =
            Command::new("losetup").args(["--find", "--show"]).arg(file).output().map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(Loop { path: text(&output.stdout).into() }) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

#[test]
fn a_block_device() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("disk");
    fs::write(&file, vec![0; 1 << 16]).unwrap();
    let disk = match Loop::new(&file) {
        Ok(disk) => disk,
        Err(error) => return println!("skipped: no loop device: {error}"),
    };
    let path = disk.path.to_str().unwrap();
    exercise(&device(path));
    exercise(&device(&format!("block:{path}@8192")));
    let misplaced = device(&format!("block:{path}@512")).open(Access::Read).err().unwrap();
    assert!(misplaced.to_string().contains("multiple of 4096"), "{misplaced}");
    let behind = device(&format!("block:{path}@0x10000")).open(Access::Read).err().unwrap();
    assert!(behind.to_string().contains("the device has 65536 bytes"), "{behind}");

    // A file system's superblock: nothing of it is overwritten.
    let mut superblock = vec![0; 1 << 16];
    superblock[1024 + 56..1024 + 58].copy_from_slice(&[0x53, 0xef]);
    File::options().write(true).open(&file).unwrap().write_all_at(&superblock, 0).unwrap();
    let disk = Loop::new(&file).unwrap();
    let mut store = Store::new(device(disk.path.to_str().unwrap()).open(Access::Write).unwrap());
    assert!(matches!(store.write(&record(1)), Err(WriteError::Foreign)));
    drop((store, disk));
    assert_eq!(fs::read(&file).unwrap(), superblock);
}

#[test]
fn a_file_is_no_block_device_and_no_flash() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    fs::write(&file, vec![0; 8192]).unwrap();
    for (kind, expected) in [("block", "a block device"), ("mtd", "an MTD device")] {
        match device(&format!("{kind}:{}", file.display())).open(Access::Read).err().unwrap() {
            OpenError::Kind { expected: got, .. } => assert_eq!(got, expected),
            // A file system without direct transfers.
            OpenError::Io(error) if kind == "block" => println!("skipped: {error}"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn mapped_bytes_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bar");
    let before: Vec<u8> = (0..20_000).map(|i| if i < 5000 { 7 } else { 0 }).collect();
    fs::write(&file, &before).unwrap();
    exercise(&device(&format!("mem:{}@5000", file.display())));
    assert_eq!(fs::read(&file).unwrap(), before, "nothing before the window was touched");
    let beyond = device(&format!("mem:{}@20000", file.display())).open(Access::Read).err().unwrap();
    assert!(matches!(beyond, OpenError::Place { .. }), "{beyond}");
}

#[test]
fn the_memory_of_a_pci_card() {
    // Only a card that is made for this: the shared memory of virtual machines.
    let cards = fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten().map(|entry| entry.path());
    let id = |card: &Path, file: &str| fs::read_to_string(card.join(file)).unwrap_or_default();
    let found = cards.into_iter().find(|card| {
        id(card, "vendor").trim() == "0x1af4"
            && id(card, "device").trim() == "0x1110"
            && card.join("resource2").exists()
    });
    match found {
        Some(card) => exercise(&device(card.join("resource2").to_str().unwrap())),
        None => println!("skipped: this machine has no ivshmem card (1af4:1110)"),
    }
}

#[test]
fn cmos_memory() {
    if !Path::new("/dev/nvram").exists() {
        return println!("skipped: this machine has no /dev/nvram");
    }
    let device = device("/dev/nvram");
    match device.open(Access::Write).map(|medium| Store::new(medium).load().map(drop)) {
        Ok(Err(LoadError::Blank)) => exercise(&device),
        Ok(other) => println!("skipped: the window is not blank, or cannot be read: {other:?}"),
        Err(error) => println!("skipped: {error}"),
    }
}

#[test]
fn efi_variables() {
    let device = device("efi:TwowireTest");
    match device.open(Access::Write) {
        Ok(_) => exercise(&device),
        Err(error) => println!("skipped: no efivarfs: {error}"),
    }
}

/// The same code on another file system that has the kernel's immutable flag.
#[test]
fn variables_that_the_kernel_protects() {
    let dir = tempfile::tempdir().unwrap();
    let device = device(&format!("efi:{}/Name", dir.path().display()));
    let mut store = Store::new(device.open(Access::Write).unwrap());
    store.write(&record(1)).unwrap();
    store.write(&record(2)).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    let guid = twowire_route_store::medium::efi::VENDOR;
    assert_eq!(names, [format!("Name0-{guid}"), format!("Name1-{guid}")]);
    assert_eq!(fs::read(&files[0]).unwrap()[..5], [7, 0, 0, 0, b'T'], "the attributes, then the record");
    let protect = |flag: &str| {
        files.iter().all(|file| Command::new("chattr").arg(flag).arg(file).status().is_ok_and(|s| s.success()))
    };
    if !protect("+i") {
        return println!("skipped: this file system has no immutable flag, or this user may not set it");
    }
    let denied = fs::write(&files[0], "x").is_err();
    let written = store.write(&record(3));
    let still = fs::write(&files[0], "x").is_err();
    drop(store);
    let read = Store::new(device.open(Access::Read).unwrap()).load().map(|current| current.record);
    let wiped = Store::new(device.open(Access::Write).unwrap()).wipe();
    protect("-i");
    assert!(denied && still, "the flag was set, and is again");
    assert!(written.is_ok(), "{written:?}");
    assert_eq!(read.unwrap(), record(3));
    assert!(wiped.is_ok(), "{wiped:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn flash() {
    let is_ram = |n: &u32| {
        fs::read_to_string(format!("/sys/class/mtd/mtd{n}/name")).is_ok_and(|name| name.trim() == "mtdram test device")
    };
    match (0..8).find(is_ram) {
        Some(n) => exercise(&device(&format!("/dev/mtd{n}"))),
        None => println!("skipped: this machine has no mtdram (modprobe mtdram)"),
    }
}

#[test]
fn persistent_memory() {
    // Used only if it is blank: it may be somebody's.
    let device = device("/dev/pmem0");
    match device.open(Access::Write).map(|medium| Store::new(medium).load().map(drop)) {
        Ok(Err(LoadError::Blank)) => exercise(&device),
        Ok(other) => println!("skipped: /dev/pmem0 is not blank: {other:?}"),
        Err(error) => println!("skipped: no /dev/pmem0: {error}"),
    }
}
