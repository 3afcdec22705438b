//! A node's master record in its NVRAM.

use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::Route;
use twowire_fabric::routes::MasterRecord;
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

fn to_record(record: &MasterRecord) -> Option<Record> {
    let hops = |route: &Route| Hops::from_bytes(route.as_bytes()).ok();
    let alternates = record.alternates.iter().filter_map(hops).collect();
    Record::new(record.epoch, u32::try_from(record.node.0).ok()?, hops(&record.primary)?, alternates).ok()
}
