//! Reads the text format of routes.

use crate::map::{ListedBuilder, RouteSet};
use crate::route::{Route, RouteError};
use crate::topology::{HostId, NodeId, Topology};

/// Text that is not routes of the topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ParseErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The first line is not the format's.
    #[error("expected `routes 1 epoch=N hosts=N engine=NAME`, got {0}")]
    Header(String),
    /// The routes are of another number of hosts.
    #[error(
        "the routes are of {routes} hosts, but the topology has {topology}: give the topology that they were made for"
    )]
    Hosts {
        /// The number that the routes have.
        routes: usize,
        /// The number that the topology has.
        topology: usize,
    },
    /// A line of too few or too many words.
    #[error("expected `SOURCE DESTINATION HOPS [rail=N]`, got `{0}`")]
    Words(String),
    /// A name that is no host of the topology.
    #[error("the topology has no host `{0}`")]
    NoSuchHost(String),
    /// Hop bytes that are none.
    #[error(transparent)]
    Hops(#[from] RouteError),
    /// A port that the source does not have.
    #[error("`{source_name}` has no port {rail}")]
    NoSuchRail {
        /// The source.
        source_name: String,
        /// The port.
        rail: String,
    },
    /// A route from a host to itself.
    #[error("a route from `{0}` to itself")]
    ToItself(String),
}

/// Reads routes between the hosts of a topology.
pub fn parse(text: &str, topology: &Topology) -> Result<RouteSet, ParseError> {
    let mut lines = text
        .lines()
        .zip(1..)
        .map(|(line, number)| (line.split_once('#').map_or(line, |(before, _)| before).trim(), number))
        .filter(|(line, _)| !line.is_empty());
    let at = |line| move |kind| ParseError { line, kind };
    let (header, line) = lines.next().ok_or_else(|| at(1)(ParseErrorKind::Header("an empty file".to_owned())))?;
    let header = Header::parse(header).ok_or_else(|| at(line)(ParseErrorKind::Header(format!("`{header}`"))))?;
    let hosts = topology.hosts().len();
    if header.hosts != hosts {
        return Err(at(line)(ParseErrorKind::Hosts { routes: header.hosts, topology: hosts }));
    }
    let mut builder = ListedBuilder::new(hosts);
    let mut names = Names { topology, last: None };
    for (text, line) in lines {
        let parsed = names.parse_route(text).map_err(at(line))?;
        builder.push(parsed.from, parsed.to, parsed.rail, &parsed.route);
    }
    Ok(RouteSet::from_listed(header.epoch, header.engine, builder.finish()))
}

/// The first line.
struct Header {
    epoch: u32,
    hosts: usize,
    engine: String,
}

impl Header {
    fn parse(line: &str) -> Option<Header> {
        let mut words = line.split_ascii_whitespace();
        if (words.next(), words.next()) != (Some("routes"), Some("1")) {
            return None;
        }
        let (mut epoch, mut hosts, mut engine) = (None, None, None);
        for word in words {
            match word.split_once('=')? {
                ("epoch", value) if epoch.is_none() => epoch = Some(value.parse().ok()?),
                ("hosts", value) if hosts.is_none() => hosts = Some(value.parse().ok()?),
                ("engine", value) if engine.is_none() && !value.is_empty() => engine = Some(value.to_owned()),
                _ => return None,
            }
        }
        Some(Header { epoch: epoch?, hosts: hosts?, engine: engine? })
    }
}

/// One line.
struct Parsed {
    from: HostId,
    to: HostId,
    rail: u8,
    route: Route,
}

/// Looks hosts up by name. Lines of one source mostly follow one another.
struct Names<'a> {
    topology: &'a Topology,
    last: Option<(&'a str, HostId)>,
}

impl<'a> Names<'a> {
    fn source(&mut self, name: &'a str) -> Result<HostId, ParseErrorKind> {
        match self.last {
            Some((last, host)) if last == name => Ok(host),
            _ => {
                let host = self.find(name)?;
                self.last = Some((name, host));
                Ok(host)
            }
        }
    }

    fn find(&self, name: &str) -> Result<HostId, ParseErrorKind> {
        match self.topology.find(name) {
            Some(NodeId::Host(host)) => Ok(host),
            _ => Err(ParseErrorKind::NoSuchHost(name.to_owned())),
        }
    }

    fn parse_route(&mut self, line: &'a str) -> Result<Parsed, ParseErrorKind> {
        let words = || ParseErrorKind::Words(line.to_owned());
        let mut rest = line.split_ascii_whitespace();
        let (Some(source), Some(destination), Some(hops)) = (rest.next(), rest.next(), rest.next()) else {
            return Err(words());
        };
        let rail = match rest.next() {
            None => None,
            Some(word) => Some(word.strip_prefix("rail=").ok_or_else(words)?),
        };
        if rest.next().is_some() {
            return Err(words());
        }
        let (from, to) = (self.source(source)?, self.find(destination)?);
        if from == to {
            return Err(ParseErrorKind::ToItself(source.to_owned()));
        }
        let no_such_rail =
            |rail: &str| ParseErrorKind::NoSuchRail { source_name: source.to_owned(), rail: rail.to_owned() };
        let rail = match rail {
            None => 0,
            Some(text) => text
                .parse()
                .ok()
                .filter(|&rail: &u8| rail < self.topology.host(from).ports)
                .ok_or_else(|| no_such_rail(text))?,
        };
        Ok(Parsed { from, to, rail, route: hops.parse()? })
    }
}
