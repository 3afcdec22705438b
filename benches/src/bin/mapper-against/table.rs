//! The results: medians, and how they compare with the mapper's.

use crate::run::Took;
use std::fmt::Write;
use twowire_benches::{Figures, median};
use twowire_fabric::program::{Failure, print};

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    network: String,
    task: String,
    program: String,
}

impl Row {
    pub(crate) fn new(network: &str, task: &str, program: &str) -> Row {
        Row { network: network.to_owned(), task: task.to_owned(), program: program.to_owned() }
    }

    fn is_of_one_task(&self, other: &Row) -> bool {
        self.network == other.network && self.task == other.task
    }
}

/// All runs so far.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(Row, Vec<Took>)>,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row, took: Took) {
        eprintln!("{}, {}, {}: {:.3} s", row.network, row.task, row.program, took.wall_s);
        match self.rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, runs)) => runs.push(took),
            None => self.rows.push((row, vec![took])),
        }
    }

    /// Prints the table, and keeps its rows as figures. Ratios are to the first program of the same task.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut figures = Figures::of("mapper");
        let mut text =
            format!("{:<14} {:<16} {:<32} {:>9} {:>9}   (s, medians)\n", "network", "task", "program", "wall", "CPU");
        for (row, runs) in &self.rows {
            let wall = |runs: &[Took]| median(runs.iter().map(|took| took.wall_s).collect());
            let cpu = |runs: &[Took]| median(runs.iter().map(|took| took.cpu_s).collect());
            let first = self.rows.iter().find(|(first, _)| first.is_of_one_task(row)).map_or(runs, |(_, runs)| runs);
            let ratio = match (wall(runs) / wall(first), cpu(runs) / cpu(first)) {
                (1.0, _) => String::new(),
                (wall, cpu) if cpu.is_nan() => format!("   {wall:.1} x"),
                (wall, cpu) => format!("   {wall:.1} x, CPU {cpu:.1} x"),
            };
            let cpu = Some(cpu(runs)).filter(|cpu| !cpu.is_nan()).map_or("-".to_owned(), |cpu| format!("{cpu:.3}"));
            let (wall, Row { network, task, program }) = (wall(runs), row);
            let _ = writeln!(text, "{network:<14} {task:<16} {program:<32} {wall:>9.4} {cpu:>9}{ratio}");
            figures.record(format!("{network}, {task}, {program}"), format!("{wall:.4} s, CPU {cpu} s"));
        }
        print(|out| out.write_all(text.as_bytes()))
    }
}
