//! Process 1 of a machine that does nothing but write records into its NVRAM, one after the other, each of a later epoch: for tests that
//! cut its power in the middle of it.

use std::fs;
use twowire_multicast_boot::init::left::Left;
use twowire_multicast_boot::init::machine;
use twowire_route_store::{Access, Hops, Record, Store};

/// Every so many records one is told.
const TOLD: u32 = 50;

fn main() {
    machine::mount_all().expect("the kernel has its file systems");
    machine::load_modules().iter().for_each(|error| println!("{error}"));
    let cmdline = fs::read_to_string("/proc/cmdline").expect("the kernel shows its command line");
    let device = Left::of(&cmdline).ok().and_then(|left| left.nvram().ok()?);
    let device = device.expect("twowire.nvram=DEVICE is on the kernel's command line");
    let mut store = Store::new(device.open(Access::Write).expect("the NVRAM opens"));
    let first = store.load().map_or(0, |current| current.record.epoch());
    println!("found {first}");
    let route = |epoch: u32| Hops::from_bytes(&vec![0x80 | epoch as u8; 1 + epoch as usize % 40]).expect("hops");
    for epoch in first + 1.. {
        let record = Record::new(epoch, 7, route(epoch), vec![route(epoch + 1), route(epoch + 2)]).expect("a record");
        store.write(&record).expect("the NVRAM takes it");
        if epoch % TOLD == 0 {
            println!("wrote {epoch}");
        }
    }
}
