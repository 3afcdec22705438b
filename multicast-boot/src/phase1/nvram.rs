//! A node's record in its NVRAM: its master routes, and what it knows of images.

use crate::session::{BootNode, ImageRecord};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::Route;
use twowire_fabric::routes::MasterRecord;
use twowire_fabric::time::Time;
use twowire_route_store::{Hops, Medium, Record, Store, WriteError, Written};

/// Alternates that a record holds besides the primary route.
pub const ALTERNATES: usize = 3;

/// Reads the record; `None` if the medium holds none that is valid.
pub fn read<M: Medium>(store: &mut Store<M>) -> Option<MasterRecord> {
    let record = store.load().ok()?.record;
    let route = |hops: &Hops| Route::from_bytes(hops.as_bytes()).ok();
    Some(MasterRecord {
        epoch: record.epoch(),
        node: NodeNumber(i32::try_from(record.node()).ok()?),
        primary: route(record.primary())?,
        alternates: record.alternates().iter().filter_map(route).collect(),
    })
}

/// Writes the record, if it says something new. What the NVRAM says of images stays.
pub fn write<M: Medium>(store: &mut Store<M>, record: &MasterRecord) -> Result<Written, WriteError> {
    let before = store.load().ok().map(|current| current.record);
    let record = to_record(record).expect("a master record's routes are hop bytes, and its number is a node's");
    let attempts = before.as_ref().and_then(Record::attempts);
    store.write(&record.with_attempts(attempts).with_floor(before.as_ref().map_or(0, Record::floor)))
}

/// Reads what the record says of images; nothing if the medium holds no record that is valid.
pub fn read_images<M: Medium>(store: &mut Store<M>) -> ImageRecord {
    let record = store.load().ok().map(|current| current.record);
    record.map_or_else(ImageRecord::default, |r| ImageRecord { attempts: r.attempts(), oldest: r.floor() })
}

/// Writes down what a node has to have written down before it goes on. A node without routes gets a record without.
pub fn keep<M: Medium>(now: Time, store: &mut Store<M>, node: &mut BootNode) {
    while let Some(images) = node.record_due() {
        let written = write_images(store, &images, node.number());
        if let Err(error) = &written {
            tracing::warn!(%error, "what became of the image could not be written down");
        }
        node.recorded(now, written.is_ok());
    }
}

fn write_images<M: Medium>(
    store: &mut Store<M>,
    images: &ImageRecord,
    number: Option<NodeNumber>,
) -> Result<Written, WriteError> {
    let before = store.load().ok().map(|current| current.record);
    let number = number.and_then(|number| u32::try_from(number.0).ok()).unwrap_or(0);
    let blank = || Record::new(0, number, Hops::default(), Vec::new()).expect("one route of no hops is a valid record");
    store.write(&before.unwrap_or_else(blank).with_attempts(images.attempts).with_floor(images.oldest))
}

fn to_record(record: &MasterRecord) -> Option<Record> {
    let hops = |route: &Route| Hops::from_bytes(route.as_bytes()).ok();
    let alternates = record.alternates.iter().filter_map(hops).collect();
    Record::new(record.epoch, u32::try_from(record.node.0).ok()?, hops(&record.primary)?, alternates).ok()
}
