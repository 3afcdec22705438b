//! A picture of a map: crossbars in a row for each level, the highest on top; below the lowest one its hosts; cables as lines.

use crate::levels;
use std::fmt::Write;
use twowire_fabric::topology::{Cable, CrossbarId, Host, HostId, NodeId, PortId, Topology};

const MARGIN: f64 = 24.0;
const CAPTION: f64 = 28.0;
/// Room for one crossbar whose name is written upwards.
const PITCH: f64 = 18.0;
const BOX_HEIGHT: f64 = 46.0;
const ROW_HEIGHT: f64 = 240.0;
/// Side of a host's square, with its gap.
const HOST: f64 = 8.0;
const HOSTS_IN_A_COLUMN: usize = 8;

const STYLE: &str = "text{font:9px sans-serif;fill:#1f2937}.c{font-size:14px}.x{fill:#dbeafe;stroke:#1d4ed8}\
    .h{fill:#16a34a}.m{fill:#dc2626}.l{stroke:#64748b;stroke-opacity:.35;fill:none}.l:hover,.x:hover{stroke:#dc2626;\
    stroke-opacity:1;stroke-width:2}";

/// Draws a map as an SVG document. Names and unique ids appear when the pointer rests on a shape.
pub fn draw(topology: &Topology) -> String {
    let layout = Layout::of(topology);
    let mut out = String::new();
    layout.write(&mut out).expect("writing into a string does not fail");
    out
}

struct Layout<'t> {
    topology: &'t Topology,
    levels: Vec<u32>,
    highest: u32,
    /// Where the middle of each crossbar's box is, from the left.
    middle: Vec<f64>,
    width: f64,
    box_width: f64,
    hosts_height: f64,
}

impl<'t> Layout<'t> {
    fn of(topology: &'t Topology) -> Layout<'t> {
        let levels = levels::of_crossbars(topology);
        let highest = levels.iter().copied().max().unwrap_or(1);
        let most_hosts = topology.crossbar_ids().map(|x| hosts_at(topology, x).count()).max().unwrap_or(0);
        let columns = most_hosts.div_ceil(HOSTS_IN_A_COLUMN);
        let host_pitch = PITCH.max(columns as f64 * HOST + 4.0);
        let in_row = |level: u32| levels.iter().filter(|&&l| l == level).count();
        let row_width = |level: u32| in_row(level) as f64 * if level == 1 { host_pitch } else { PITCH };
        let inner = (1..=highest).map(row_width).fold(600.0, f64::max);
        let mut seen = vec![0; highest as usize + 1];
        let middle = levels.iter().map(|&level| {
            seen[level as usize] += 1;
            MARGIN + inner * (f64::from(seen[level as usize]) - 0.5) / in_row(level) as f64
        });
        let middle = middle.collect();
        let column_height = most_hosts.min(HOSTS_IN_A_COLUMN) as f64 * HOST;
        Layout {
            topology,
            middle,
            highest,
            width: inner + 2.0 * MARGIN,
            box_width: PITCH - 4.0,
            hosts_height: 12.0 + column_height + 60.0,
            levels,
        }
    }

    /// The upper edge of a crossbar's box.
    fn top(&self, crossbar: CrossbarId) -> f64 {
        MARGIN + CAPTION + 60.0 + f64::from(self.highest - self.levels[crossbar.0 as usize]) * ROW_HEIGHT
    }

    fn height(&self) -> f64 {
        let lowest = MARGIN + CAPTION + 60.0 + f64::from(self.highest - 1) * ROW_HEIGHT;
        lowest + BOX_HEIGHT + self.hosts_height + MARGIN
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (width, height) = (self.width, self.height());
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}">"#
        )?;
        writeln!(out, "<style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>")?;
        writeln!(out, r#"<text class="c" x="{MARGIN}" y="{:.0}">{}</text>"#, MARGIN + 10.0, self.caption())?;
        for cable in self.topology.cables() {
            self.cable(out, cable)?;
        }
        for crossbar in self.topology.crossbar_ids() {
            self.crossbar(out, crossbar)?;
            self.hosts(out, crossbar)?;
        }
        out.write_str("</svg>\n")
    }

    fn caption(&self) -> String {
        let Topology { name, .. } = self.topology;
        let counts = [
            (self.topology.hosts().len(), "hosts"),
            (self.topology.crossbars().len(), "crossbars"),
            (self.topology.cables().len(), "cables"),
        ];
        let counts = counts.map(|(count, what)| format!("{count} {what}")).join(", ");
        if name.is_empty() { counts } else { format!("{}: {counts}", escaped(name)) }
    }

    /// A cable between crossbars: a line between rows, an arc within one. Hosts stand beside their crossbars instead.
    fn cable(&self, out: &mut String, cable: &Cable) -> std::fmt::Result {
        let (NodeId::Crossbar(a), NodeId::Crossbar(b)) = (cable.a.node, cable.b.node) else { return Ok(()) };
        let (x1, x2) = (self.port(a, cable.a), self.port(b, cable.b));
        let (top_a, top_b) = (self.top(a), self.top(b));
        let title = format!("{} {}", self.topology.port_name(cable.a), self.topology.port_name(cable.b));
        let path = if top_a == top_b {
            let rise = 20.0 + (x1 - x2).abs().min(ROW_HEIGHT) / 2.0;
            format!("M{x1:.1} {top_a:.1}Q{:.1} {:.1} {x2:.1} {top_b:.1}", (x1 + x2) / 2.0, top_a - rise)
        } else {
            let (y1, y2) = if top_a < top_b { (top_a + BOX_HEIGHT, top_b) } else { (top_a, top_b + BOX_HEIGHT) };
            format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")
        };
        writeln!(out, r#"<path class="l" d="{path}"><title>{}</title></path>"#, escaped(&title))
    }

    /// Where a port is on its crossbar's edge, from the left.
    fn port(&self, crossbar: CrossbarId, end: PortId) -> f64 {
        let ports = f64::from(self.topology.crossbar(crossbar).ports);
        self.middle[crossbar.0 as usize] + ((f64::from(end.port) + 0.5) / ports - 0.5) * self.box_width
    }

    fn crossbar(&self, out: &mut String, crossbar: CrossbarId) -> std::fmt::Result {
        let (middle, top) = (self.middle[crossbar.0 as usize], self.top(crossbar));
        let (left, name) = (middle - self.box_width / 2.0, escaped(&self.topology.crossbar(crossbar).name));
        let width = self.box_width;
        write!(out, r#"<rect class="x" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{BOX_HEIGHT}" rx="2">"#)?;
        writeln!(out, "<title>{name}</title></rect>")?;
        upwards(out, middle + 3.0, top + BOX_HEIGHT - 4.0, &name)
    }

    /// The squares of a crossbar's hosts, in columns below it, and the names of the first and last.
    fn hosts(&self, out: &mut String, crossbar: CrossbarId) -> std::fmt::Result {
        let hosts: Vec<&Host> = hosts_at(self.topology, crossbar).map(|host| self.topology.host(host)).collect();
        let (Some(first), Some(last)) = (hosts.first(), hosts.last()) else { return Ok(()) };
        let columns = hosts.len().div_ceil(HOSTS_IN_A_COLUMN);
        let left = self.middle[crossbar.0 as usize] - columns as f64 * HOST / 2.0;
        let top = self.top(crossbar) + BOX_HEIGHT + 6.0;
        for (index, host) in hosts.iter().enumerate() {
            let (column, row) = (index / HOSTS_IN_A_COLUMN, index % HOSTS_IN_A_COLUMN);
            let (x, y) = (left + column as f64 * HOST, top + row as f64 * HOST);
            let class = if host.name == "master" { "m" } else { "h" };
            let side = HOST - 1.0;
            write!(out, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{side}" height="{side}">"#)?;
            writeln!(out, "<title>{} {}</title></rect>", escaped(&host.name), host.id)?;
        }
        let label = if hosts.len() == 1 { first.name.clone() } else { format!("{}–{}", first.name, last.name) };
        let bottom = self.top(crossbar) + BOX_HEIGHT + self.hosts_height;
        upwards(out, self.middle[crossbar.0 as usize] + 3.0, bottom, &escaped(&label))
    }
}

/// Text that runs upwards from a point.
fn upwards(out: &mut String, x: f64, y: f64, text: &str) -> std::fmt::Result {
    writeln!(out, r#"<text transform="translate({x:.1} {y:.1})rotate(-90)">{text}</text>"#)
}

/// The hosts at a crossbar, in the order of its ports.
fn hosts_at(topology: &Topology, crossbar: CrossbarId) -> impl Iterator<Item = HostId> + '_ {
    topology.peers(crossbar.into()).iter().flatten().filter_map(|peer| match peer.node {
        NodeId::Host(host) => Some(host),
        NodeId::Crossbar(_) => None,
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::id::UniqueId;
    use twowire_fabric::topology::generate::{Torus, pink};

    fn count(svg: &str, what: &str) -> usize {
        svg.matches(what).count()
    }

    #[test]
    fn everything_is_in_the_picture_of_pink() {
        let svg = draw(&pink());
        assert_eq!(count(&svg, "class=\"x\""), 320);
        assert_eq!(count(&svg, "class=\"h\"") + count(&svg, "class=\"m\""), 1024);
        assert_eq!(count(&svg, "class=\"l\""), 2048, "cables between crossbars");
        assert!(svg.contains("<title>x1.0:8 x2.0:0</title>") && svg.contains(">master–n6</text>"));
        assert!(svg.contains("pink: 1024 hosts, 320 crossbars, 3072 cables"));
        assert_eq!(count(&svg, "<title>"), count(&svg, "</title>"));
    }

    #[test]
    fn boxes_of_one_row_do_not_overlap() {
        let pink = pink();
        let layout = Layout::of(&pink);
        let mut boxes: Vec<(u64, u64)> =
            pink.crossbar_ids().map(|x| (layout.top(x) as u64, (layout.middle[x.0 as usize] * 10.0) as u64)).collect();
        boxes.sort_unstable();
        for pair in boxes.windows(2) {
            assert!(pair[0].0 < pair[1].0 || pair[1].1 - pair[0].1 >= (layout.box_width * 10.0) as u64);
        }
        assert!(layout.width / layout.height() < 4.0, "as wide as a screen, about");
    }

    #[test]
    fn a_fabric_of_one_level_has_arcs_and_names_cannot_break_the_text() {
        let svg = draw(&Torus { dimensions: vec![4, 4], hosts_per: 1 }.build().unwrap());
        assert_eq!(count(&svg, "Q"), 32);
        let mut odd = Topology::new("<&>");
        odd.add_host("a<b", UniqueId(1), 1).unwrap();
        assert!(draw(&odd).contains("&lt;&amp;&gt;: 1 hosts"));
        assert!(draw(&Topology::default()).ends_with("</svg>\n"));
    }
}
