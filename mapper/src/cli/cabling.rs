//! The found cabling beside the intended one.

use super::report::row;
use crate::cabling::{Instruction, Suspect, instructions, suspects};
use crate::diff::{Change, diff};
use serde::Serialize;
use std::io::{self, Write};
use twowire_fabric::topology::{HostId, Topology};

/// What differs, what to do about it, and what may be broken.
#[derive(Debug, Serialize)]
pub(super) struct CablingReport {
    /// What differs from the intended cabling.
    pub differences: Vec<Change>,
    /// What makes it the intended cabling, in this order.
    pub instructions: Vec<Instruction>,
    /// What explains the dead cables, the likeliest first.
    pub suspects: Vec<Suspect>,
}

impl CablingReport {
    /// Compares what was found with what was intended, each with its front end.
    pub(super) fn compare(intended: &(Topology, HostId), found: &Topology, front_end: HostId) -> CablingReport {
        let (intended, its_front_end) = (&intended.0, intended.1);
        CablingReport {
            differences: diff(intended, its_front_end, found, front_end),
            instructions: instructions(intended, its_front_end, found, front_end),
            suspects: suspects(intended, its_front_end, found, front_end),
        }
    }

    /// True if nothing is to be done.
    pub(super) fn is_as_intended(&self) -> bool {
        self.differences.is_empty() && self.instructions.is_empty()
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_as_intended() {
            return row(out, "cabling", "as intended");
        }
        row(out, "cabling", "not as intended; to do, in this order:")?;
        for (number, instruction) in (1..).zip(&self.instructions) {
            writeln!(out, "  {number}. {instruction}")?;
        }
        if !self.suspects.is_empty() {
            row(out, "suspects", "the likeliest first:")?;
        }
        self.suspects.iter().try_for_each(|suspect| writeln!(out, "  {suspect}"))
    }
}
