//! `route-store check`.

use super::error::CliError;
use super::{Common, open, print};
use serde::Serialize;
use std::process::ExitCode;
use twowire_route_store::{Access, Slot, SlotState};

#[derive(Serialize)]
struct SlotReport {
    slot: usize,
    state: &'static str,
    sequence: Option<u16>,
    epoch: Option<u32>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct CheckReport {
    device: String,
    ok: bool,
    current: Option<usize>,
    error: Option<String>,
    slots: [SlotReport; 2],
}

pub(super) fn run(common: &Common) -> Result<ExitCode, CliError> {
    let device = &common.device;
    let mut store = open(device, Access::Read)?;
    let slots = store.slots().map_err(|error| CliError::load(device, &error))?;
    let damaged = slots.iter().any(|state| matches!(state, SlotState::Invalid(_)));
    let current = store.load();
    let report = CheckReport {
        device: device.to_string(),
        ok: current.is_ok() && !damaged,
        current: current.as_ref().ok().map(|current| current.slot.index()),
        error: current.as_ref().err().map(|error| CliError::load(device, error).to_string()),
        slots: Slot::BOTH.map(|slot| slot_report(slot, &slots[slot.index()])),
    };
    print(common.json, &report, || {
        let line = |slot: Slot| {
            let counts = if report.current == Some(slot.index()) { "  <- counts" } else { "" };
            format!("{slot}  {}{counts}\n", slots[slot.index()])
        };
        Slot::BOTH.map(line).concat()
    })?;
    match (report.error, damaged) {
        (Some(error), _) => Err(CliError::new(error)),
        (None, true) => Err(CliError::of(device, "a slot is damaged; the next change of the record mends it")),
        (None, false) => Ok(ExitCode::SUCCESS),
    }
}

fn slot_report(slot: Slot, state: &SlotState) -> SlotReport {
    let empty = SlotReport { slot: slot.index(), state: "blank", sequence: None, epoch: None, reason: None };
    match state {
        SlotState::Valid { record, sequence } => {
            SlotReport { state: "valid", sequence: Some(*sequence), epoch: Some(record.epoch()), ..empty }
        }
        SlotState::Blank => empty,
        SlotState::Invalid(error) => SlotReport { state: "invalid", reason: Some(error.to_string()), ..empty },
    }
}
