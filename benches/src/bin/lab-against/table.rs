//! The results: medians, and how they compare.

use super::run::{Milestone, Times};
use std::fmt::Write;
use twowire_benches::{Figures, median};
use twowire_fabric::program::{Failure, print};

/// All boots so far.
#[derive(Default)]
pub(super) struct Table {
    boots: Vec<(usize, &'static str, Times)>,
}

impl Table {
    pub(super) fn add(&mut self, nodes: usize, way: &'static str, times: Times) {
        self.boots.push((nodes, way, times));
    }

    /// Machines and ways, in the order in which they came.
    fn rows(&self) -> Vec<(usize, &'static str)> {
        let mut rows: Vec<(usize, &'static str)> = Vec::new();
        for &(nodes, way, _) in &self.boots {
            if !rows.contains(&(nodes, way)) {
                rows.push((nodes, way));
            }
        }
        rows
    }

    fn medians(&self, row: (usize, &'static str)) -> [f64; Milestone::ALL.len()] {
        let boots = || self.boots.iter().filter(|(nodes, way, _)| (*nodes, *way) == row);
        std::array::from_fn(|at| median(boots().map(|(.., times)| times.0[at]).collect()))
    }

    /// Prints the table, if there is anything in it, and keeps its rows as figures.
    pub(super) fn print(&self) -> Result<(), Failure> {
        if self.boots.is_empty() {
            return Ok(());
        }
        let mut figures = Figures::of("lab");
        let mut text = "machines  way     first frame  image  kernel  ready   (s, the last machine)\n".to_owned();
        let mut before: Option<(usize, f64)> = None;
        for row in self.rows() {
            let (nodes, way) = row;
            let [frame, image, kernel, ready] = self.medians(row);
            let _ = write!(text, "{nodes:>8}  {way:<6} {frame:>12.1} {image:>6.1} {kernel:>7.1} {ready:>6.1}");
            let ratio = before.filter(|(of, _)| *of == nodes).map(|(_, first)| ready / first);
            let _ = writeln!(text, "{}", ratio.map_or(String::new(), |ratio| format!("   {ratio:.2} x")));
            let figure =
                format!("first frame {frame:.1} s, image {image:.1} s, kernel {kernel:.1} s, ready {ready:.1} s");
            figures.record(format!("{nodes} machines, {way}"), figure);
            before = before.filter(|(of, _)| *of == nodes).or(Some((nodes, ready)));
        }
        print(|out| out.write_all(text.as_bytes()))
    }
}
