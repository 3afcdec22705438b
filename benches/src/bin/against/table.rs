//! The results: medians, and how they compare.

use super::race::{Course, Run};
use super::tool::Tool;
use std::fmt::Write;
use twowire_benches::{Figures, median};
use twowire_fabric::program::{Failure, print};

/// All runs so far.
pub(super) struct Table {
    bytes: usize,
    runs: Vec<(Course, Tool, Run)>,
}

/// A tool on a course.
struct Row {
    tool: Tool,
    runs: usize,
    failed: usize,
    /// At each receiver; 0 if no run delivered every copy.
    mb_per_s: f64,
    sender_cpu: f64,
    receivers_cpu: f64,
}

impl Table {
    pub(super) fn new(bytes: usize) -> Table {
        Table { bytes, runs: Vec::new() }
    }

    pub(super) fn add(&mut self, course: Course, tool: Tool, run: Run) {
        self.runs.push((course, tool, run));
    }

    fn rows(&self, course: Course) -> Vec<Row> {
        let here = || self.runs.iter().filter(|(on, ..)| *on == course);
        let mut tools: Vec<Tool> = Vec::new();
        for (_, tool, _) in here() {
            if !tools.contains(tool) {
                tools.push(*tool);
            }
        }
        tools
            .into_iter()
            .map(|tool| self.row(tool, here().filter(|(_, by, _)| *by == tool).map(|(.., run)| run)))
            .collect()
    }

    fn row<'a>(&self, tool: Tool, runs: impl Iterator<Item = &'a Run>) -> Row {
        let (right, wrong): (Vec<&Run>, Vec<&Run>) = runs.partition(|run| run.is_right());
        let of = |value: fn(&Run) -> f64| {
            if right.is_empty() { 0.0 } else { median(right.iter().map(|run| value(run)).collect()) }
        };
        let seconds = of(|run| run.seconds);
        Row {
            tool,
            runs: right.len() + wrong.len(),
            failed: wrong.len(),
            mb_per_s: if seconds > 0.0 { self.bytes as f64 / seconds / 1e6 } else { 0.0 },
            sender_cpu: of(|run| run.sender_cpu),
            receivers_cpu: of(|run| run.receivers_cpu),
        }
    }

    /// Prints the rows of a course.
    pub(super) fn print(&self, course: Course) {
        let mut text = format!("{course}\n");
        for row in self.rows(course) {
            let Row { tool, runs, failed, mb_per_s, sender_cpu, receivers_cpu } = row;
            let _ = writeln!(
                text,
                "  {tool:<8} {mb_per_s:>8.1} MB/s   CPU {sender_cpu:>6.2} + {receivers_cpu:>6.2} s   {failed} of {runs} runs failed"
            );
        }
        if let Some(ratio) = self.ratio(course) {
            let _ = writeln!(text, "  twowire / the best other: {ratio:.2}");
        }
        // A closed output does not end the measurements.
        let _ = print(|out| out.write_all(text.as_bytes()));
    }

    /// Our goodput over that of the best other.
    fn ratio(&self, course: Course) -> Option<f64> {
        let (ours, others): (Vec<Row>, Vec<Row>) =
            self.rows(course).into_iter().partition(|row| row.tool == Tool::Twowire);
        let best = others.iter().map(|row| row.mb_per_s).fold(0.0, f64::max);
        ours.first().filter(|_| best > 0.0).map(|ours| ours.mb_per_s / best)
    }

    /// Keeps the medians as figures. Fails if a run of ours did not deliver every copy.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let mut figures = Figures::of("against");
        let mut courses: Vec<Course> = Vec::new();
        for (course, ..) in &self.runs {
            if courses.contains(course) {
                continue;
            }
            courses.push(*course);
            let mut figure: Vec<String> = Vec::new();
            for row in self.rows(*course) {
                let cpu = row.sender_cpu + row.receivers_cpu;
                figure.push(format!("{} {:.0} MB/s ({cpu:.1} s of CPU)", row.tool, row.mb_per_s));
            }
            figure.extend(self.ratio(*course).map(|ratio| format!("ratio {ratio:.2}")));
            figures.record(format!("{course}, {} MiB", self.bytes >> 20), figure.join(", "));
        }
        let ours = self.runs.iter().filter(|(_, tool, run)| *tool == Tool::Twowire && !run.is_right()).count();
        if ours > 0 {
            Err(Failure::Failed(format!("{ours} runs of twowire left a copy missing or wrong")))
        } else {
            Ok(())
        }
    }
}
