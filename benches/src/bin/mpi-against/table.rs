//! The results: medians, and how they compare.

use super::cell::Cell;
use super::library::{Library, Name};
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use twowire_benches::{Figures, median};
use twowire_fabric::program::{Failure, print};

/// All figures so far.
pub(super) struct Table {
    names: Vec<Name>,
    figures: Vec<(Cell, Name, f64)>,
}

/// How we did in a cell.
struct Verdict {
    best: Name,
    ratio: f64,
    goal: f64,
    holds: bool,
}

impl Table {
    pub(super) fn new(libraries: &[Library]) -> Table {
        Table { names: libraries.iter().map(|library| library.name).collect(), figures: Vec::new() }
    }

    pub(super) fn add(&mut self, cell: Cell, name: Name, figure: f64) {
        self.figures.push((cell, name, figure));
    }

    fn median(&self, cell: Cell, name: Name) -> Option<f64> {
        let of = self.figures.iter().filter(|(at, by, _)| *at == cell && *by == name);
        let values: Vec<f64> = of.map(|&(.., figure)| figure).collect();
        (!values.is_empty()).then(|| median(values))
    }

    fn verdict(&self, cell: Cell) -> Option<Verdict> {
        let ours = self.median(cell, Name::Ours)?;
        let others = self.names.iter().filter(|name| **name != Name::Ours);
        let others = others.filter_map(|&name| Some((name, self.median(cell, name)?)));
        let rate = cell.what.is_rate();
        let (best, figure) = others.reduce(|a, b| if (b.1 > a.1) == rate { b } else { a })?;
        let (ratio, goal) = (ours / figure, cell.goal());
        let holds = if rate { ratio >= goal } else { ratio <= goal };
        Some(Verdict { best, ratio, goal, holds })
    }

    /// Prints a cell's line.
    pub(super) fn print(&self, cell: Cell) {
        let mut line = format!("{:<34}", cell.to_string());
        for &name in &self.names {
            let _ = match self.median(cell, name) {
                Some(figure) => write!(line, " {name} {:>8}", short(figure)),
                None => write!(line, " {name} {:>8}", "-"),
            };
        }
        if let Some(Verdict { best, ratio, goal, holds }) = self.verdict(cell) {
            let wanted = if cell.what.is_rate() { "≥" } else { "≤" };
            let sign = if holds { "" } else { ", missed" };
            let _ = write!(line, "   {ratio:.2} × {best} ({wanted} {goal:.2}{sign})");
        }
        // A closed output does not end the measurements.
        let _ = print(|out| writeln!(out, "{line}"));
    }

    /// Keeps the comparison as figures, and all measurements in a file if asked.
    pub(super) fn keep(&self, file: Option<&Path>) -> Result<(), Failure> {
        let mut cells: Vec<Cell> = self.figures.iter().map(|&(cell, ..)| cell).collect();
        cells.dedup();
        let mut figures = Figures::of("mpi");
        for cell in &cells {
            let (Some(ours), Some(verdict)) = (self.median(*cell, Name::Ours), self.verdict(*cell)) else { continue };
            figures.record(cell.to_string(), format!("{}, {:.2} × {}", short(ours), verdict.ratio, verdict.best));
        }
        let Some(file) = file else { return Ok(()) };
        let row = |(cell, name, figure): &(Cell, Name, f64)| json!({ "what": cell.what.name(), "bytes": cell.bytes, "ranks": cell.ranks, "library": name.to_string(), "figure": figure });
        let rows: Vec<_> = self.figures.iter().map(row).collect();
        let text = serde_json::to_string_pretty(&rows).expect("JSON of numbers and names");
        std::fs::write(file, text).map_err(|error| Failure::write(file, &error))
    }
}

/// Three digits that count.
fn short(figure: f64) -> String {
    match figure {
        f if f >= 100.0 => format!("{f:.0}"),
        f if f >= 10.0 => format!("{f:.1}"),
        f => format!("{f:.3}"),
    }
}
