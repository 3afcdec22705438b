//! Faults: what can be injected, and the text in which people ask for it.

use crate::id::UniqueId;
use crate::time::Time;
use crate::topology::{CrossbarId, HostId, NodeId, PortId, Topology};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A fault, or its repair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The host is switched off.
    Crash(HostId),
    /// The host is switched off, if it is on, and on again.
    Restart(HostId),
    /// The host's card is replaced: it is restarted with a new unique id, which is drawn from the seed.
    Swap(HostId),
    /// The cable at this port is cut.
    Cut(PortId),
    /// The cable at this port is mended.
    Mend(PortId),
    /// The cable at this port is cut, and mended half a period later, `count` times.
    Flap {
        /// One end of the cable.
        port: PortId,
        /// From one cut to the next.
        period: Duration,
        /// How many cuts.
        count: u32,
    },
    /// The crossbar dies.
    Kill(CrossbarId),
    /// The crossbar works again; it had no state but the frames in it.
    Revive(CrossbarId),
    /// From now on this share of the frames is lost, each at a random place on its way.
    Loss(f64),
    /// From now on this share of the frames is damaged.
    Corrupt(f64),
    /// From now on this share of the frames is handed over twice.
    Duplicate(f64),
    /// From now on this share of the frames is held up, so that others overtake them.
    Reorder(f64),
}

/// A fault as text, by names: `crash:n17@20ms`. Without `@time` it strikes at power-on.
///
/// | text | fault |
/// |---|---|
/// | `crash:HOST@T`, `restart:HOST@T`, `swap:HOST@T` | [`Fault::Crash`], [`Fault::Restart`], [`Fault::Swap`] |
/// | `cut:PORT@T`, `mend:PORT@T` | [`Fault::Cut`], [`Fault::Mend`]; a port is `x1.3:9`, or `n17` for a host |
/// | `flap:PORT@T[,period=2ms][,count=5]` | [`Fault::Flap`]; ten times with a period of 1 ms unless it says otherwise |
/// | `kill:CROSSBAR@T`, `revive:CROSSBAR@T` | [`Fault::Kill`], [`Fault::Revive`] |
/// | `loss:P`, `corrupt:P`, `duplicate:P`, `reorder:P` | [`Fault::Loss`] and so on; `P` from 0 to 1 |
///
/// Times are `20ms`, `1.5s`, `300us`, `7ns` or `0`.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    what: Named,
    at: Time,
}

#[derive(Clone, Debug, PartialEq)]
enum Named {
    Host(HostVerb, String),
    Cable(CableVerb, String),
    Crossbar(CrossbarVerb, String),
    Share(ShareVerb, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum HostVerb {
    Crash,
    Restart,
    Swap,
}
#[derive(Clone, Copy, Debug, PartialEq)]
enum CableVerb {
    Cut,
    Mend,
    Flap { period: Duration, count: u32 },
}
#[derive(Clone, Copy, Debug, PartialEq)]
enum CrossbarVerb {
    Kill,
    Revive,
}
#[derive(Clone, Copy, Debug, PartialEq)]
enum ShareVerb {
    Loss,
    Corrupt,
    Duplicate,
    Reorder,
}

const FLAP_PERIOD: Duration = Duration::from_millis(1);
const FLAP_COUNT: u32 = 10;

/// Why a text is no fault, or not one of this fabric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The word before the colon is unknown.
    #[error(
        "fault `{0}`: unknown kind; write crash, restart, swap, cut, mend, flap, kill, revive, loss, corrupt, \
         duplicate or reorder, then `:` and what it strikes, as in `crash:n17@20ms`"
    )]
    Kind(String),
    /// A time that cannot be read.
    #[error("fault `{spec}`: `{time}` is not a time; write it as 20ms, 1.5s, 300us, 7ns or 0")]
    Time {
        /// The whole text.
        spec: String,
        /// What should be a time.
        time: String,
    },
    /// A share that is not between 0 and 1.
    #[error("fault `{spec}`: `{share}` is not a share of the frames; write a number from 0 to 1, as in `loss:0.01`")]
    Share {
        /// The whole text.
        spec: String,
        /// What should be a share.
        share: String,
    },
    /// An option that this fault does not have, or that cannot be read.
    #[error("fault `{spec}`: option `{option}` is not understood; only flap has options, `period=2ms` and `count=5`")]
    Option {
        /// The whole text.
        spec: String,
        /// The option.
        option: String,
    },
    /// The fabric has no host of this name.
    #[error("fault `{spec}`: the fabric has no host `{name}`; its hosts are {hosts}")]
    NoHost {
        /// The whole text.
        spec: String,
        /// The name.
        name: String,
        /// Which there are.
        hosts: String,
    },
    /// The fabric has no crossbar of this name.
    #[error("fault `{spec}`: the fabric has no crossbar `{name}`; its crossbars are {crossbars}")]
    NoCrossbar {
        /// The whole text.
        spec: String,
        /// The name.
        name: String,
        /// Which there are.
        crossbars: String,
    },
    /// The fabric has no such port.
    #[error("fault `{spec}`: the fabric has no port `{port}`; write a crossbar and its port as in `x1.3:9`, or a host")]
    NoPort {
        /// The whole text.
        spec: String,
        /// The port.
        port: String,
    },
    /// The port has no cable.
    #[error("fault `{spec}`: port `{port}` has no cable; name an end of a cable")]
    NoCable {
        /// The whole text.
        spec: String,
        /// The port.
        port: String,
    },
}

impl FaultSpec {
    /// When the fault strikes, since power-on.
    pub fn at(&self) -> Time {
        self.at
    }

    /// The fault in this fabric, and when it strikes.
    pub fn resolve(&self, topology: &Topology) -> Result<(Time, Fault), FaultError> {
        let fault = match &self.what {
            Named::Host(verb, name) => {
                let host = self.find_host(topology, name)?;
                match verb {
                    HostVerb::Crash => Fault::Crash(host),
                    HostVerb::Restart => Fault::Restart(host),
                    HostVerb::Swap => Fault::Swap(host),
                }
            }
            Named::Cable(verb, name) => {
                let port = self.find_cable(topology, name)?;
                match *verb {
                    CableVerb::Cut => Fault::Cut(port),
                    CableVerb::Mend => Fault::Mend(port),
                    CableVerb::Flap { period, count } => Fault::Flap { port, period, count },
                }
            }
            Named::Crossbar(verb, name) => {
                let crossbar = self.find_crossbar(topology, name)?;
                match verb {
                    CrossbarVerb::Kill => Fault::Kill(crossbar),
                    CrossbarVerb::Revive => Fault::Revive(crossbar),
                }
            }
            Named::Share(verb, share) => match verb {
                ShareVerb::Loss => Fault::Loss(*share),
                ShareVerb::Corrupt => Fault::Corrupt(*share),
                ShareVerb::Duplicate => Fault::Duplicate(*share),
                ShareVerb::Reorder => Fault::Reorder(*share),
            },
        };
        Ok((self.at, fault))
    }

    fn find_host(&self, topology: &Topology, name: &str) -> Result<HostId, FaultError> {
        match topology.find(name) {
            Some(NodeId::Host(host)) => Ok(host),
            _ => Err(FaultError::NoHost {
                spec: self.to_string(),
                name: name.to_owned(),
                hosts: span(topology.hosts().iter().map(|h| h.name.as_str())),
            }),
        }
    }

    fn find_crossbar(&self, topology: &Topology, name: &str) -> Result<CrossbarId, FaultError> {
        match topology.find(name) {
            Some(NodeId::Crossbar(crossbar)) => Ok(crossbar),
            _ => Err(FaultError::NoCrossbar {
                spec: self.to_string(),
                name: name.to_owned(),
                crossbars: span(topology.crossbars().iter().map(|x| x.name.as_str())),
            }),
        }
    }

    fn find_cable(&self, topology: &Topology, name: &str) -> Result<PortId, FaultError> {
        let no_port = || FaultError::NoPort { spec: self.to_string(), port: name.to_owned() };
        let port = match topology.find(name) {
            Some(NodeId::Host(host)) => PortId::new(host, 0),
            Some(NodeId::Crossbar(_)) => return Err(no_port()),
            None => {
                let (node, port) = name.rsplit_once(':').ok_or_else(no_port)?;
                PortId { node: topology.find(node).ok_or_else(no_port)?, port: port.parse().map_err(|_| no_port())? }
            }
        };
        if port.port >= topology.ports_of(port.node) {
            return Err(no_port());
        }
        if topology.peer(port).is_none() {
            return Err(FaultError::NoCable { spec: self.to_string(), port: name.to_owned() });
        }
        Ok(port)
    }
}

/// The first and the last of a list of names.
fn span<'a>(mut names: impl DoubleEndedIterator<Item = &'a str>) -> String {
    match (names.next(), names.next_back()) {
        (None, _) => "none".to_owned(),
        (Some(only), None) => format!("`{only}` alone"),
        (Some(first), Some(last)) => format!("`{first}` to `{last}`"),
    }
}

impl FromStr for FaultSpec {
    type Err = FaultError;

    fn from_str(spec: &str) -> Result<FaultSpec, FaultError> {
        let unknown = || FaultError::Kind(spec.to_owned());
        let (kind, rest) = spec.split_once(':').ok_or_else(unknown)?;
        let mut parts = rest.split(',');
        let (target, time) = match parts.next().unwrap_or_default().rsplit_once('@') {
            Some((target, time)) => (target, time),
            None => (rest.split(',').next().unwrap_or_default(), "0"),
        };
        let at = Time::ZERO + parse_duration(spec, time)?;
        let name = || target.to_owned();
        let share = |verb| parse_share(spec, target).map(|p| Named::Share(verb, p));
        let what = match kind {
            "crash" => Named::Host(HostVerb::Crash, name()),
            "restart" => Named::Host(HostVerb::Restart, name()),
            "swap" => Named::Host(HostVerb::Swap, name()),
            "cut" => Named::Cable(CableVerb::Cut, name()),
            "mend" => Named::Cable(CableVerb::Mend, name()),
            "flap" => Named::Cable(parse_flap(spec, &mut parts)?, name()),
            "kill" => Named::Crossbar(CrossbarVerb::Kill, name()),
            "revive" => Named::Crossbar(CrossbarVerb::Revive, name()),
            "loss" => share(ShareVerb::Loss)?,
            "corrupt" => share(ShareVerb::Corrupt)?,
            "duplicate" => share(ShareVerb::Duplicate)?,
            "reorder" => share(ShareVerb::Reorder)?,
            _ => return Err(unknown()),
        };
        match parts.next() {
            None => Ok(FaultSpec { what, at }),
            Some(option) => Err(FaultError::Option { spec: spec.to_owned(), option: option.to_owned() }),
        }
    }
}

fn parse_flap<'a>(spec: &str, options: &mut impl Iterator<Item = &'a str>) -> Result<CableVerb, FaultError> {
    let (mut period, mut count) = (FLAP_PERIOD, FLAP_COUNT);
    for option in options {
        let bad = || FaultError::Option { spec: spec.to_owned(), option: option.to_owned() };
        match option.split_once('=').ok_or_else(bad)? {
            ("period", text) => period = parse_duration(spec, text)?,
            ("count", text) => count = text.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        }
        if period < Duration::from_nanos(2) || count == 0 {
            return Err(bad());
        }
    }
    Ok(CableVerb::Flap { period, count })
}

fn parse_share(spec: &str, text: &str) -> Result<f64, FaultError> {
    let share = text.parse::<f64>().ok().filter(|p| (0.0..=1.0).contains(p));
    share.ok_or_else(|| FaultError::Share { spec: spec.to_owned(), share: text.to_owned() })
}

fn parse_duration(spec: &str, text: &str) -> Result<Duration, FaultError> {
    let bad = || FaultError::Time { spec: spec.to_owned(), time: text.to_owned() };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(unit_at);
    let ns = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return Err(bad()),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value = number.parse::<f64>().ok().filter(|_| plain).ok_or_else(bad)? * ns;
    // Up to 2^53 ns, 104 days, every nanosecond is exact.
    if value < (1u64 << 53) as f64 { Ok(Duration::from_nanos(value.round() as u64)) } else { Err(bad()) }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Named::Host(verb, name) => write!(f, "{}:{name}", format!("{verb:?}").to_lowercase())?,
            Named::Crossbar(verb, name) => write!(f, "{}:{name}", format!("{verb:?}").to_lowercase())?,
            Named::Share(verb, share) => write!(f, "{}:{share}", format!("{verb:?}").to_lowercase())?,
            Named::Cable(CableVerb::Cut, name) => write!(f, "cut:{name}")?,
            Named::Cable(CableVerb::Mend, name) => write!(f, "mend:{name}")?,
            Named::Cable(CableVerb::Flap { .. }, name) => write!(f, "flap:{name}")?,
        }
        if self.at != Time::ZERO || !matches!(self.what, Named::Share(..)) {
            write!(f, "@{}", Short(self.at - Time::ZERO))?;
        }
        if let Named::Cable(CableVerb::Flap { period, count }, _) = self.what {
            write!(f, ",period={},count={count}", Short(period))?;
        }
        Ok(())
    }
}

/// A duration in the largest unit that makes it a whole number.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        match ns {
            0 => f.write_str("0"),
            _ if ns.is_multiple_of(1_000_000_000) => write!(f, "{}s", ns / 1_000_000_000),
            _ if ns.is_multiple_of(1_000_000) => write!(f, "{}ms", ns / 1_000_000),
            _ if ns.is_multiple_of(1_000) => write!(f, "{}us", ns / 1_000),
            _ => write!(f, "{ns}ns"),
        }
    }
}

/// The unique id of a replacement card, which no other card has.
pub(super) fn replacement_id(rng: &mut fastrand::Rng, taken: impl Fn(UniqueId) -> bool) -> UniqueId {
    loop {
        // The upper half is the prefix of a real vendor's GUIDs, as in the generated topologies.
        let id = UniqueId(0x0002_c9ff_0000_0000 | u64::from(rng.u32(..)));
        if !taken(id) {
            return id;
        }
    }
}
