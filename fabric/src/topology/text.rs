//! The `.topo` text of a topology, a saved fabric map or the intended cabling (`docs/topo-format.md`).
//!
//! Reading never panics, whatever the bytes; writing is canonical: what is read back and written again is the same text.

mod error;

pub use error::{Shown, TopoFault, TopoFileError, TopoParseError};

use super::{NodeId, PortId, Topology};
use crate::id::UniqueId;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

/// Reads a `.topo` file.
pub fn read_file(path: impl AsRef<Path>) -> Result<Topology, TopoFileError> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| TopoFileError::Read { path: path.to_owned(), source })?;
    Topology::parse_bytes(&bytes).map_err(|source| TopoFileError::Parse { path: path.to_owned(), source })
}

impl Topology {
    /// Reads `.topo` text.
    pub fn parse(text: &str) -> Result<Topology, TopoParseError> {
        let mut reader = Reader::default();
        let mut last = 0;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            reader.line(line).map_err(|fault| TopoParseError { line: last, fault })?;
        }
        if !reader.header_seen {
            return Err(TopoParseError { line: last.max(1), fault: TopoFault::Header(Shown::new("nothing")) });
        }
        Ok(reader.topology)
    }

    /// Reads the bytes of a `.topo` file.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Topology, TopoParseError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            TopoParseError { line, fault: TopoFault::NotUtf8 }
        })?;
        Topology::parse(text)
    }
}

impl FromStr for Topology {
    type Err = TopoParseError;

    fn from_str(text: &str) -> Result<Topology, TopoParseError> {
        Topology::parse(text)
    }
}

const CROSSBAR: &str = "crossbar NAME PORTS";
const HOST: &str = "host NAME UNIQUE-ID [ports=N]";
const CABLE: &str = "cable NAME[:PORT] NAME[:PORT] [rate=N] [length=N]";
const NO_MORE: &str = "nothing more on this line";

#[derive(Default)]
struct Reader {
    topology: Topology,
    header_seen: bool,
    name_seen: bool,
}

type Words<'a> = std::str::SplitAsciiWhitespace<'a>;

fn next<'a>(
    words: &mut Words<'a>,
    keyword: &'static str,
    expected: &'static str,
    form: &'static str,
) -> Result<&'a str, TopoFault> {
    words.next().ok_or(TopoFault::Missing { keyword, expected, form })
}

fn end(words: &mut Words<'_>) -> Result<(), TopoFault> {
    words.next().map_or(Ok(()), |word| Err(TopoFault::Extra { word: Shown::new(word), expected: NO_MORE }))
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), TopoFault> {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(keyword) = words.next() else { return Ok(()) };
        if !self.header_seen {
            return self.header(keyword, words);
        }
        match keyword {
            "cable" => self.cable(words),
            "host" => self.host(words),
            "crossbar" => self.crossbar(words),
            "name" => self.name(words),
            "topo" => Err(TopoFault::Twice("topo")),
            _ => Err(TopoFault::Keyword(Shown::new(keyword))),
        }
    }

    fn header(&mut self, keyword: &str, mut words: Words<'_>) -> Result<(), TopoFault> {
        if keyword != "topo" {
            return Err(TopoFault::Header(Shown::new(keyword)));
        }
        let version = next(&mut words, "topo", "the version", "topo 1")?;
        if version != "1" {
            return Err(TopoFault::Version(Shown::new(version)));
        }
        self.header_seen = true;
        end(&mut words)
    }

    fn name(&mut self, mut words: Words<'_>) -> Result<(), TopoFault> {
        let name = next(&mut words, "name", "the name of the topology", "name NAME")?;
        if self.name_seen {
            return Err(TopoFault::Twice("name"));
        }
        self.name_seen = true;
        self.topology.name = name.to_owned();
        end(&mut words)
    }

    fn crossbar(&mut self, mut words: Words<'_>) -> Result<(), TopoFault> {
        let name = next(&mut words, "crossbar", "a name", CROSSBAR)?;
        let ports = number_of_ports(next(&mut words, "crossbar", "its number of ports", CROSSBAR)?)?;
        self.topology.add_crossbar(name, ports)?;
        end(&mut words)
    }

    fn host(&mut self, mut words: Words<'_>) -> Result<(), TopoFault> {
        let name = next(&mut words, "host", "a name", HOST)?;
        let id = unique_id(next(&mut words, "host", "its unique id", HOST)?)?;
        let mut ports = None;
        for word in words {
            let value = word.strip_prefix("ports=").ok_or_else(|| TopoFault::Extra {
                word: Shown::new(word),
                expected: "`ports=N` or nothing more on this line",
            })?;
            if ports.replace(number_of_ports(value)?).is_some() {
                return Err(TopoFault::Twice("ports="));
            }
        }
        self.topology.add_host(name, id, ports.unwrap_or(1))?;
        Ok(())
    }

    fn cable(&mut self, mut words: Words<'_>) -> Result<(), TopoFault> {
        let a = self.port(next(&mut words, "cable", "its two ends", CABLE)?)?;
        let b = self.port(next(&mut words, "cable", "its other end", CABLE)?)?;
        let cable = self.topology.connect(a, b)?;
        for word in words {
            if let Some(value) = word.strip_prefix("rate=") {
                if cable.rate_bits_per_s.replace(rate(value)?).is_some() {
                    return Err(TopoFault::Twice("rate="));
                }
            } else if let Some(value) = word.strip_prefix("length=") {
                if cable.length_m.replace(length(value)?).is_some() {
                    return Err(TopoFault::Twice("length="));
                }
            } else {
                let expected = "`rate=N`, `length=N` or nothing more on this line";
                return Err(TopoFault::Extra { word: Shown::new(word), expected });
            }
        }
        Ok(())
    }

    fn port(&self, word: &str) -> Result<PortId, TopoFault> {
        let (name, port) = word.split_once(':').map_or((word, None), |(name, port)| (name, Some(port)));
        let node = self.topology.find(name).ok_or_else(|| TopoFault::NoSuchName(Shown::new(name)))?;
        let port = match (port, node) {
            (Some(text), _) => decimal(text).filter(|&p| p < 128).ok_or_else(|| TopoFault::Value {
                what: "the port of a cable's end,",
                word: Shown::new(word),
                expected: "`NAME:PORT`, the port from 0 to 127",
            })?,
            (None, NodeId::Host(_)) => 0,
            (None, NodeId::Crossbar(_)) => return Err(TopoFault::NeedsPort(Shown::new(name))),
        };
        Ok(PortId { node, port: port as u8 })
    }
}

/// A plain decimal number: digits only, so that no sign is taken silently.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn number_of_ports(text: &str) -> Result<u8, TopoFault> {
    decimal(text).filter(|n| (1..=128).contains(n)).map(|n| n as u8).ok_or_else(|| TopoFault::Value {
        what: "the number of ports is",
        word: Shown::new(text),
        expected: "1 to 128",
    })
}

fn unique_id(text: &str) -> Result<UniqueId, TopoFault> {
    text.strip_prefix("0x")
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .map(UniqueId)
        .ok_or_else(|| TopoFault::Value {
            what: "the unique id is",
            word: Shown::new(text),
            expected: "`0x` and up to 16 hexadecimal digits",
        })
}

/// What a rate's last letter multiplies by.
const RATE_UNITS: [(char, u64); 4] = [('T', 1_000_000_000_000), ('G', 1_000_000_000), ('M', 1_000_000), ('k', 1_000)];

/// The largest rate that a file may give: beyond any link, and so that no computation with it overflows.
const MAX_RATE: u64 = 1_000_000_000_000_000;

/// Bits a second: a whole or decimal number and a unit, `2G`, `2.5G`, `100M`, or plain bits.
fn rate(text: &str) -> Result<u64, TopoFault> {
    let parsed = || {
        let unit = RATE_UNITS.iter().find(|(letter, _)| text.ends_with(*letter));
        let (number, unit) = unit.map_or((text, 1), |(_, unit)| (&text[..text.len() - 1], *unit));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.len() > 12 {
            return None;
        }
        let part = u128::from(decimal(fraction)?) * u128::from(unit);
        let scale = 10u128.pow(fraction.len() as u32);
        let total = u128::from(decimal(whole)?) * u128::from(unit) + part / scale;
        (part % scale == 0 && total > 0 && total <= u128::from(MAX_RATE)).then_some(total as u64)
    };
    parsed().ok_or_else(|| TopoFault::Value {
        what: "the rate is",
        word: Shown::new(text),
        expected: "bits a second, as in `2G`, `2.5G` or `100M`",
    })
}

/// Metres.
fn length(text: &str) -> Result<f64, TopoFault> {
    text.strip_suffix('m')
        .filter(|n| n.len() <= 20 && n.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| TopoFault::Value {
            what: "the length is",
            word: Shown::new(text),
            expected: "metres, as in `30m` or `1.5m`",
        })
}

impl fmt::Display for Topology {
    /// The canonical `.topo` text: crossbars and hosts in the order of their ids, then the hosts' cables in the order of
    /// the hosts, then the other cables in the order of their lower ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("topo 1\n")?;
        if !self.name.is_empty() {
            writeln!(f, "name {}", one_word(&self.name))?;
        }
        for crossbar in self.crossbars() {
            writeln!(f, "crossbar {} {}", crossbar.name, crossbar.ports)?;
        }
        for host in self.hosts() {
            write!(f, "host {} {}", host.name, host.id)?;
            if host.ports != 1 {
                write!(f, " ports={}", host.ports)?;
            }
            f.write_str("\n")?;
        }
        for (a, b, index) in canonical_cables(self) {
            let cable = &self.cables()[index];
            write!(f, "cable {} {}", self.port_name(a), self.port_name(b))?;
            if let Some(rate) = cable.rate_bits_per_s {
                let unit = RATE_UNITS.iter().find(|(_, unit)| rate % unit == 0);
                match unit {
                    Some((letter, unit)) => write!(f, " rate={}{letter}", rate / unit)?,
                    None => write!(f, " rate={rate}")?,
                }
            }
            if let Some(length) = cable.length_m {
                write!(f, " length={length}m")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

impl Topology {
    /// Writes the canonical `.topo` text.
    pub fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        write!(out, "{self}")
    }
}

/// The ends and index of every cable: a host's end or the lower end first, hosts' cables before others.
fn canonical_cables(topology: &Topology) -> Vec<(PortId, PortId, usize)> {
    let is_crossbar = |end: PortId| matches!(end.node, NodeId::Crossbar(_));
    let key = |end: PortId| (is_crossbar(end), end);
    let mut cables: Vec<_> = topology.cables().iter().enumerate().map(|(i, c)| (c.a, c.b, i)).collect();
    for (a, b, _) in &mut cables {
        if key(*b) < key(*a) {
            std::mem::swap(a, b);
        }
    }
    cables.sort_unstable_by_key(|&(a, ..)| key(a));
    cables
}

/// A topology's name as one word, which is what the format has room for.
fn one_word(name: &str) -> String {
    name.chars().map(|c| if c == '#' || c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests;
