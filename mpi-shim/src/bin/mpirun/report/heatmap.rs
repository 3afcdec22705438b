//! The report as a picture: how many bytes each rank sent to each, as an SVG that is read on light and on dark ground.
//!
//! Bytes are shown by nine colours, each for the same factor. Cells without bytes are not drawn, and in large jobs neighbours of one colour are
//! one shape, so that the file of a job of 256 ranks stays within a megabyte.

use super::record::{Ranks, Sum};
use super::units;
use std::fmt::Write;

const LEVELS: usize = 9;
/// From few bytes to many, on light ground,
const LIGHT: [&str; LEVELS] =
    ["#e3eefa", "#cbdff3", "#aacdea", "#82b8df", "#59a0d2", "#3885c3", "#1f68ae", "#0d4c91", "#08306b"];
/// and on dark.
const DARK: [&str; LEVELS] =
    ["#15304f", "#1a4068", "#205183", "#28659f", "#357bba", "#5094cf", "#78aedf", "#a8cbed", "#e0eefb"];
/// The picture's cells take so many points together, if a cell is between these two.
const WIDTH: usize = 640;
const CELL: (usize, usize) = (2, 40);
/// Up to here each cell is a shape of its own, which says its numbers when it is pointed at.
const EACH: usize = 32;
/// Most numbers along an axis.
const TICKS: usize = 16;
const LEFT: usize = 72;
const TOP: usize = 64;

/// The picture.
pub(super) fn write(ranks: &Ranks) -> String {
    let picture = Picture::new(ranks);
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = picture.write(&mut svg);
    svg
}

struct Picture {
    size: usize,
    cell: usize,
    /// What each rank sent to each: sender by sender.
    cells: Vec<Sum>,
    least: u64,
    most: u64,
}

impl Picture {
    fn new(ranks: &Ranks) -> Picture {
        let size = ranks.len();
        let mut cells = vec![Sum::default(); size * size];
        for (from, rank) in ranks.iter().enumerate() {
            for (&to, sent) in rank.iter().flat_map(|rank| &rank.sent) {
                cells[from * size + to as usize] = sent.all();
            }
        }
        let sent = || cells.iter().map(|sum| sum.bytes).filter(|&bytes| bytes > 0);
        let (least, most) = (sent().min().unwrap_or(0), sent().max().unwrap_or(0));
        Picture { size, cell: (WIDTH / size.max(1)).clamp(CELL.0, CELL.1), cells, least, most }
    }

    /// The colour of so many bytes: 0 for none.
    fn level(&self, bytes: u64) -> usize {
        if bytes == 0 {
            return 0;
        }
        let span = (self.most as f64 / self.least as f64).ln();
        let place = if span > 0.0 { (bytes as f64 / self.least as f64).ln() / span } else { 1.0 };
        1 + ((place * LEVELS as f64) as usize).min(LEVELS - 1)
    }

    /// The fewest bytes of a colour.
    fn bound(&self, level: usize) -> u64 {
        let factor = (self.most as f64 / self.least.max(1) as f64).powf((level - 1) as f64 / LEVELS as f64);
        (self.least as f64 * factor).ceil() as u64
    }

    fn write(&self, svg: &mut String) -> std::fmt::Result {
        let side = self.size * self.cell;
        let (width, height) = (LEFT + side.max(260) + 150, TOP + side.max(250) + 56);
        let total: u64 = self.cells.iter().map(|sum| sum.bytes).fold(0, u64::saturating_add);
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">"
        )?;
        writeln!(svg, "<title>Bytes between ranks</title>")?;
        let (ranks, total) = (self.size, units::bytes(total));
        writeln!(svg, "<desc>How many bytes each of {ranks} ranks sent to each; {total} in all.</desc>")?;
        svg.push_str(&style());
        writeln!(svg, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>")?;
        writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"26\">Bytes between ranks: {total} in all</text>")?;
        self.axes(svg, side)?;
        let scale = self.cell;
        writeln!(svg, "<g transform=\"translate({LEFT} {TOP}) scale({scale})\">")?;
        if self.size <= EACH {
            self.each_cell(svg)?
        } else {
            self.runs(svg)?
        }
        writeln!(svg, "</g>")?;
        writeln!(svg, "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{side}\" height=\"{side}\"/>")?;
        self.legend(svg, LEFT + side + 24)?;
        writeln!(svg, "</svg>")
    }

    fn axes(&self, svg: &mut String, side: usize) -> std::fmt::Result {
        let step = (0..).map(|power| 1_usize << power).find(|step| self.size <= step * TICKS).unwrap_or(1);
        let (cell, middle) = (self.cell, side / 2);
        for rank in (0..self.size).step_by(step) {
            let place = rank * cell + cell / 2;
            let (x, y) = (LEFT + place, TOP - 6);
            writeln!(svg, "<text class=\"tick\" text-anchor=\"middle\" x=\"{x}\" y=\"{y}\">{rank}</text>")?;
            let (x, y) = (LEFT - 6, TOP + place + 4);
            writeln!(svg, "<text class=\"tick\" text-anchor=\"end\" x=\"{x}\" y=\"{y}\">{rank}</text>")?;
        }
        let (x, y) = (LEFT + middle, TOP - 22);
        writeln!(svg, "<text class=\"axis\" text-anchor=\"middle\" x=\"{x}\" y=\"{y}\">receiver</text>")?;
        let (x, y) = (LEFT - 44, TOP + middle);
        let turn = format!("transform=\"rotate(-90 {x} {y})\"");
        writeln!(svg, "<text class=\"axis\" text-anchor=\"middle\" x=\"{x}\" y=\"{y}\" {turn}>sender</text>")
    }

    fn each_cell(&self, svg: &mut String) -> std::fmt::Result {
        for (index, sum) in self.cells.iter().enumerate().filter(|(_, sum)| sum.messages > 0) {
            let (from, to, level) = (index / self.size, index % self.size, self.level(sum.bytes));
            let (bytes, messages) = (units::bytes(sum.bytes), sum.messages);
            write!(svg, "<rect class=\"l{level}\" x=\"{to}\" y=\"{from}\" width=\"1\" height=\"1\">")?;
            writeln!(svg, "<title>rank {from} to rank {to}: {bytes} in {messages} messages</title></rect>")?;
        }
        Ok(())
    }

    /// One path for each colour, of the runs of cells in each row.
    fn runs(&self, svg: &mut String) -> std::fmt::Result {
        let mut paths = vec![String::new(); LEVELS + 1];
        for (from, row) in self.cells.chunks(self.size).enumerate() {
            let mut to = 0;
            for run in row.chunk_by(|one, next| self.level(one.bytes) == self.level(next.bytes)) {
                let (level, len) = (self.level(run[0].bytes), run.len());
                write!(paths[level], "M{to} {from}h{len}v1h-{len}z")?;
                to += len;
            }
        }
        for (level, path) in paths.iter().enumerate().skip(1).filter(|(_, path)| !path.is_empty()) {
            writeln!(svg, "<path class=\"l{level}\" d=\"{path}\"/>")?;
        }
        Ok(())
    }

    fn legend(&self, svg: &mut String, x: usize) -> std::fmt::Result {
        writeln!(svg, "<text class=\"axis\" x=\"{x}\" y=\"{}\">bytes, from</text>", TOP + 8)?;
        if self.most == 0 {
            return writeln!(svg, "<text class=\"tick\" x=\"{x}\" y=\"{}\">none</text>", TOP + 30);
        }
        let levels: Vec<usize> = if self.most == self.least { vec![LEVELS] } else { (1..=LEVELS).rev().collect() };
        for (index, &level) in levels.iter().enumerate() {
            let y = TOP + 18 + index * 22;
            let bound = units::bytes(if self.most == self.least { self.most } else { self.bound(level) });
            writeln!(svg, "<rect class=\"l{level}\" x=\"{x}\" y=\"{y}\" width=\"26\" height=\"22\"/>")?;
            writeln!(svg, "<text class=\"tick\" x=\"{}\" y=\"{}\">{bound}</text>", x + 34, y + 15)?;
        }
        let y = TOP + 34 + levels.len() * 22;
        writeln!(svg, "<text class=\"tick\" x=\"{x}\" y=\"{y}\">most: {}</text>", units::bytes(self.most))
    }
}

/// The colours; a viewer that does not know of dark grounds shows the light one.
fn style() -> String {
    let fills = |colours: &[&str]| -> String {
        (1..).zip(colours).map(|(level, colour)| format!(".l{level}{{fill:{colour}}}")).collect()
    };
    format!(
        "<style>text{{font-family:system-ui,sans-serif;fill:#1a1a1a}}.title{{font-size:17px;font-weight:600}}.axis{{font-size:13px}}\
         .tick{{font-size:11px}}.ground{{fill:#ffffff}}.frame{{fill:none;stroke:#8a8a8a}}.l0{{fill:none;pointer-events:all}}{}\
         @media (prefers-color-scheme:dark){{text{{fill:#e8e8e8}}.ground{{fill:#121619}}{}}}</style>\n",
        fills(&LIGHT),
        fills(&DARK)
    )
}

#[cfg(test)]
mod tests {
    use super::super::record::parse;
    use super::*;

    fn lines(size: u32, bytes: impl Fn(u32, u32) -> u64) -> String {
        let mut text = String::new();
        for from in 0..size {
            text += &format!("{from} elapsed 1\n");
            for to in 0..size {
                text += &format!("{from} sent {to} user eager 1 {}\n", bytes(from, to));
            }
        }
        text
    }

    /// Every element is closed, in order.
    fn check_balance(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric()).collect();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_small_job_says_its_numbers() {
        let svg = write(&parse(&lines(3, |from, to| u64::from(from + to) * 1024), 3));
        check_balance(&svg);
        for part in [
            "Bytes between ranks: 18.0 KiB in all",
            ">receiver</text>",
            ">sender</text>",
            "<rect class=\"l9\" x=\"2\" y=\"2\" width=\"1\" height=\"1\"><title>rank 2 to rank 2: 4.0 KiB in 1 messages</title>",
            "<rect class=\"l0\" x=\"0\" y=\"0\"",
            "prefers-color-scheme:dark",
            ">most: 4.0 KiB<",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn a_large_job_stays_small() {
        let scattered = |from: u32, to: u32| 1 << ((from * 7919 + to * 104_729) % 40);
        let svg = write(&parse(&lines(256, scattered), 256));
        check_balance(&svg);
        assert!(svg.len() < 1_500_000, "{}", svg.len());
        assert!(svg.contains(">240</text>") && !svg.contains(">241</text>"));
        let even = write(&parse(&lines(256, |from, to| u64::from(from.abs_diff(to) == 1)), 256));
        assert!(even.len() < 30_000, "{}", even.len());
    }

    #[test]
    fn a_job_without_messages_and_one_with_equal_ones() {
        let none = write(&parse("", 2));
        check_balance(&none);
        assert!(none.contains(">none</text>"));
        let equal = write(&parse(&lines(2, |_, _| 5), 2));
        assert_eq!(equal.matches("class=\"l9\"").count(), 5, "{equal}");
    }

    #[test]
    fn colours_begin_at_their_bounds() {
        let ranks = parse(&lines(2, |from, to| [1, 10, 100, 1_000_000][(from * 2 + to) as usize]), 2);
        let picture = Picture::new(&ranks);
        for level in 1..=LEVELS {
            assert_eq!(picture.level(picture.bound(level) + 1), level, "{}", picture.bound(level));
        }
        assert_eq!((picture.level(0), picture.level(1), picture.level(1_000_000)), (0, 1, 9));
    }
}
