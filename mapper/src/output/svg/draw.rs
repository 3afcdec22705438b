//! The picture's shapes.

use super::layout::{Box, HOST, HOSTS_IN_A_COLUMN, Layout, MARGIN, hosts_at};
use super::{CableState, Picture, Shade};
use std::fmt::{Result, Write};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, PortId, Topology};

/// From so many cables on, lines are thin.
const MANY: usize = 400;

const STYLE: &str = "text{font:10px sans-serif;fill:#1f2937}.c{font-size:15px;font-weight:bold}.s{fill:#6b7280}\
    .b{fill:#f3f4f6}.x{fill:#dbeafe;stroke:#1d4ed8}.h{fill:#16a34a}.m{fill:#1d4ed8}.d{fill:#fecaca;stroke:#dc2626}\
    path{fill:none;stroke:#94a3b8}path:hover{stroke-width:3;stroke-opacity:1}.dead{stroke:#dc2626;stroke-dasharray:5 3;stroke-width:1.6}";

pub(super) fn draw(picture: &Picture<'_>) -> String {
    let drawing = Drawing { picture, topology: picture.topology, layout: Layout::of(picture.topology) };
    let mut out = String::new();
    drawing.write(&mut out).expect("a string takes all");
    out
}

struct Drawing<'p, 't> {
    picture: &'p Picture<'t>,
    topology: &'t Topology,
    layout: Layout,
}

impl Drawing<'_, '_> {
    fn write(&self, out: &mut String) -> Result {
        let (width, height) = (self.layout.width, self.layout.height);
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}">"#
        )?;
        writeln!(out, "<style>{STYLE}{}</style>", self.shades())?;
        writeln!(out, r##"<rect width="100%" height="100%" fill="#fff"/>"##)?;
        self.head(out)?;
        self.rows(out)?;
        self.cables(out)?;
        for x in self.topology.crossbar_ids() {
            self.crossbar(out, x)?;
            self.hosts(out, x)?;
        }
        out.write_str("</svg>\n")
    }

    /// Where there are many cables, only those that are busier than others stand out.
    fn shades(&self) -> String {
        let many = self.topology.cables().len() > MANY;
        let style = |shade: Shade| {
            let (width, opacity) = match (shade, many) {
                (Shade::Low | Shade::Even, true) => (0.7, 0.3),
                (Shade::Low | Shade::Even, false) => (1.4, 0.9),
                (Shade::High | Shade::Hot, true) => (1.2, 0.9),
                (Shade::High | Shade::Hot, false) => (2.2, 1.0),
            };
            let (class, colour) = (shade.class(), shade.colour());
            format!(".{class}{{stroke:{colour};stroke-width:{width};stroke-opacity:{opacity}}}")
        };
        Shade::ALL.map(style).concat()
    }

    /// The caption, and what the colours mean, with how many cables have each.
    fn head(&self, out: &mut String) -> Result {
        writeln!(out, r#"<text class="c" x="{MARGIN}" y="{:.0}">{}</text>"#, MARGIN + 10.0, self.caption())?;
        let y = MARGIN + 34.0;
        let mut x = MARGIN;
        let mut entry = |out: &mut String, class: &str, text: String| {
            writeln!(
                out,
                r#"<path class="{class}" style="stroke-width:3;stroke-opacity:1" d="M{x:.0} {:.0}h18"/>"#,
                y - 3.0
            )?;
            writeln!(out, r#"<text x="{:.0}" y="{y:.0}">{text}</text>"#, x + 23.0)?;
            x += 40.0 + 5.6 * text.len() as f64;
            Result::Ok(())
        };
        for shade in Shade::ALL {
            let is_shade =
                |state: &&CableState| matches!(state, CableState::Load(load) if self.picture.shade(*load) == shade);
            let count = self.picture.cables.iter().filter(is_shade).count();
            if count > 0 {
                entry(out, shade.class(), format!("{}: {count}", shade.label()))?;
            }
        }
        let dead = self.picture.cables.iter().filter(|state| **state == CableState::Dead).count();
        if dead > 0 { entry(out, "dead", format!("dead: {dead}")) } else { Ok(()) }
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

    /// The names of the levels, and a background for each subtree.
    fn rows(&self, out: &mut String) -> Result {
        let lowest = self.layout.rows.iter().map(|row| row.1).fold(0.0, f64::max);
        let second = self.layout.rows.get(self.layout.rows.len().saturating_sub(2)).map_or(lowest, |row| row.1);
        if self.layout.bands.len() > 1 {
            for (left, right) in &self.layout.bands {
                let (x, width, top) = (left - 3.0, right - left + 6.0, second.min(lowest) - 40.0);
                let height = self.layout.height - MARGIN / 2.0 - top;
                writeln!(
                    out,
                    r#"<rect class="b" x="{x:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="4"/>"#
                )?;
            }
        }
        for (name, y) in &self.layout.rows {
            writeln!(out, r#"<text class="s" x="{MARGIN}" y="{:.1}">{name}</text>"#, y + 4.0)?;
        }
        Ok(())
    }

    /// Cables between crossbars; those that matter most last, so that they are on top.
    fn cables(&self, out: &mut String) -> Result {
        let rank = |state: &CableState| match state {
            CableState::Unknown => 0,
            CableState::Load(load) => 1 + self.picture.shade(*load) as usize,
            CableState::Dead => 9,
        };
        let mut cables = self.picture.cables_in_order();
        cables.sort_by_key(|(_, _, state)| rank(state));
        cables.into_iter().try_for_each(|(upper, lower, state)| self.cable(out, upper, lower, state))
    }

    fn cable(&self, out: &mut String, upper: PortId, lower: PortId, state: CableState) -> Result {
        let (NodeId::Crossbar(a), NodeId::Crossbar(b)) = (upper.node, lower.node) else { return Ok(()) };
        let path = if self.layout.is_grid { self.across(a, b) } else { self.between((a, upper), (b, lower)) };
        let name = format!("{} {}", self.topology.port_name(lower), self.topology.port_name(upper));
        let (class, said) = match state {
            CableState::Dead => ("dead", ", dead".to_owned()),
            CableState::Load(load) => (self.picture.shade(load).class(), format!(", {load} routes")),
            CableState::Unknown => ("u", String::new()),
        };
        writeln!(out, r#"<path class="{class}" d="{path}"><title>{}{said}</title></path>"#, escaped(&name))
    }

    /// A line between rows, an arc within one.
    fn between(&self, (a, upper): (CrossbarId, PortId), (b, lower): (CrossbarId, PortId)) -> String {
        let (one, other) = (self.place(a), self.place(b));
        let (x1, x2) = (self.port(a, upper), self.port(b, lower));
        if one.top == other.top {
            let rise = 20.0 + (x1 - x2).abs().min(200.0) / 2.0;
            return format!("M{x1:.1} {0:.1}Q{1:.1} {2:.1} {x2:.1} {0:.1}", one.top, (x1 + x2) / 2.0, one.top - rise);
        }
        let (y1, y2) = if one.top < other.top { (one.bottom(), other.top) } else { (one.top, other.bottom()) };
        format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}")
    }

    /// On a grid: a line to a neighbour, and round about for what is farther away.
    fn across(&self, a: CrossbarId, b: CrossbarId) -> String {
        let middle = |place: &Box| (place.middle, place.top + place.height / 2.0);
        let ((x1, y1), (x2, y2)) = (middle(self.place(a)), middle(self.place(b)));
        let (dx, dy) = (x2 - x1, y2 - y1);
        let distance = dx.hypot(dy);
        if distance < 120.0 && a != b {
            return format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}");
        }
        let bend = if a == b { 60.0 } else { (0.08 * distance + 14.0).min(48.0) };
        let (nx, ny) = if a == b { (0.7, -0.7) } else { (dy.abs() / distance, -dx.abs() / distance) };
        format!(
            "M{x1:.1} {y1:.1}Q{:.1} {:.1} {x2:.1} {y2:.1}",
            (x1 + x2) / 2.0 + nx * bend * 2.0,
            (y1 + y2) / 2.0 + ny * bend * 2.0
        )
    }

    fn place(&self, crossbar: CrossbarId) -> &Box {
        &self.layout.boxes[crossbar.0 as usize]
    }

    /// Where a port is on its crossbar's edge, from the left.
    fn port(&self, crossbar: CrossbarId, end: PortId) -> f64 {
        let ports = f64::from(self.topology.crossbar(crossbar).ports);
        let place = self.place(crossbar);
        place.middle + ((f64::from(end.port) + 0.5) / ports - 0.5) * place.width
    }

    fn crossbar(&self, out: &mut String, crossbar: CrossbarId) -> Result {
        let place = self.place(crossbar);
        let Box { middle, top, width, height } = *place;
        let (left, name) = (middle - width / 2.0, escaped(&self.topology.crossbar(crossbar).name));
        let class = if self.picture.is_dead(crossbar.into()) { "d" } else { "x" };
        write!(
            out,
            r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="3">"#
        )?;
        writeln!(out, "<title>{name}</title></rect>")?;
        if place.is_wide() {
            let y = if self.layout.is_grid { top + 14.0 } else { top + height / 2.0 + 4.0 };
            return writeln!(out, r#"<text text-anchor="middle" x="{middle:.1}" y="{y:.1}">{name}</text>"#);
        }
        upwards(out, middle + 3.5, top + height - 4.0, &name)
    }

    /// A crossbar's hosts: below it with names where there is room, and else as squares with the first and last name.
    fn hosts(&self, out: &mut String, crossbar: CrossbarId) -> Result {
        let hosts: Vec<HostId> = hosts_at(self.topology, crossbar).collect();
        let (Some(&first), Some(&last)) = (hosts.first(), hosts.last()) else { return Ok(()) };
        let place = self.place(crossbar);
        if self.layout.named_hosts {
            return hosts.iter().enumerate().try_for_each(|(index, &host)| {
                let x = place.middle + 14.0 * (index as f64 - (hosts.len() - 1) as f64 / 2.0);
                self.named_host(out, place, host, x)
            });
        }
        let columns = if self.layout.is_grid { 6 } else { hosts.len().div_ceil(HOSTS_IN_A_COLUMN) };
        let (left, top) = match self.layout.is_grid {
            true => (place.middle - hosts.len().min(columns) as f64 * HOST / 2.0, place.top + 20.0),
            false => (place.middle - columns as f64 * HOST / 2.0, place.bottom() + 6.0),
        };
        for (index, &host) in hosts.iter().enumerate() {
            let (column, row) = if self.layout.is_grid {
                (index % columns, index / columns)
            } else {
                (index / HOSTS_IN_A_COLUMN, index % HOSTS_IN_A_COLUMN)
            };
            self.square(out, host, left + column as f64 * HOST, top + row as f64 * HOST)?;
        }
        if self.layout.is_grid {
            return Ok(());
        }
        let name = |host: HostId| self.topology.host(host).name.as_str();
        let label = if hosts.len() == 1 { name(first).to_owned() } else { format!("{}–{}", name(first), name(last)) };
        upwards(out, place.middle + 3.5, self.layout.height - MARGIN, &escaped(&label))
    }

    fn named_host(&self, out: &mut String, place: &Box, host: HostId, x: f64) -> Result {
        let (top, bottom) = (place.bottom(), place.bottom() + 22.0);
        let class = if self.picture.is_dead(host.into()) { "dead" } else { "u" };
        writeln!(out, r#"<path class="{class}" d="M{x:.1} {top:.1}V{bottom:.1}"/>"#)?;
        self.square(out, host, x - HOST / 2.0 + 0.5, bottom)?;
        let name = escaped(&self.topology.host(host).name);
        writeln!(
            out,
            r#"<text text-anchor="end" transform="translate({:.1} {:.1})rotate(-90)">{name}</text>"#,
            x + 3.5,
            bottom + HOST + 4.0
        )
    }

    fn square(&self, out: &mut String, host: HostId, x: f64, y: f64) -> Result {
        let known = self.topology.host(host);
        let class = match known.name.as_str() {
            _ if self.picture.is_dead(host.into()) => "d",
            "master" => "m",
            _ => "h",
        };
        let side = HOST - 1.0;
        write!(out, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{side}" height="{side}">"#)?;
        writeln!(out, "<title>{} {}</title></rect>", escaped(&known.name), known.id)
    }
}

/// Text that runs upwards from a point.
fn upwards(out: &mut String, x: f64, y: f64, text: &str) -> Result {
    writeln!(out, r#"<text transform="translate({x:.1} {y:.1})rotate(-90)">{text}</text>"#)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
