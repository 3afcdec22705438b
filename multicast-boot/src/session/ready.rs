//! What tells the front end that phase 2 runs.
//!
//! The kernel that phase 1 starts knows nothing of the transfer. So phase 1 leaves it a [`Ticket`] on its command line: who
//! it is in which session, and how to reach the front end. A [`ReadyReport`] in phase 2 says with it that the node is
//! ready, until it is answered.

use super::timing::Timing;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, NotANode, UniqueId};
use twowire_fabric::protocol::{Path, Protocol, Transmit};
use twowire_fabric::route::{Route, RouteError};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Instruct, Report, Stage};
use twowire_fabric::wire::{Header, Packet};

/// The most paths to the front end that a ticket names: a kernel's command line is short.
pub const MAX_PATHS: usize = 4;

/// What phase 1 leaves to phase 2.
///
/// As text: `SESSION/NODE/INCARNATION/SERIAL/PATHS`, the numbers in hexadecimal, the paths with commas between them, each
/// the unique id of the front end's card (`0x…`) or hop bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The transfer that has brought the image.
    pub session: u32,
    /// Which node this is.
    pub node: NodeNumber,
    /// Which start of it has fetched the image.
    pub incarnation: u32,
    /// Reports from this serial on are newer than all of phase 1.
    pub serial: u32,
    /// Ways to the front end: one at least, [`MAX_PATHS`] at most.
    pub paths: Vec<Path>,
}

/// Why a text is no ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not as many fields as a ticket has.
    #[error(
        "`{0}` is no ticket: expected SESSION/NODE/INCARNATION/SERIAL/PATHS, as phase 1 puts it on the command line"
    )]
    Fields(String),
    /// A number.
    #[error("`{text}` in a ticket is no hexadecimal number of 32 bits: {source}")]
    Number {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        source: ParseIntError,
    },
    /// The node.
    #[error("in a ticket: {0}")]
    Node(#[from] NotANode),
    /// A path of hops.
    #[error("in a ticket: {0}")]
    Route(#[from] RouteError),
    /// A path to a card.
    #[error("`{text}` in a ticket is no card's unique id: {source}")]
    Card {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        source: ParseIntError,
    },
    /// Too many paths.
    #[error("a ticket has at most {MAX_PATHS} paths, got {0}")]
    TooManyPaths(usize),
}

impl Ticket {
    /// A ticket whose first paths these are; `None` if there is none that a text can hold.
    pub(crate) fn new(session: u32, node: NodeNumber, incarnation: u32, serial: u32, paths: &[Path]) -> Option<Ticket> {
        let usable = |path: &&Path| matches!(path, Path::Hops(_) | Path::Card(_));
        let paths: Vec<Path> = paths.iter().filter(usable).take(MAX_PATHS).copied().collect();
        (!paths.is_empty()).then_some(Ticket { session, node, incarnation, serial, paths })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{}/{:x}/{:x}/", self.session, self.node, self.incarnation, self.serial)?;
        for (index, path) in self.paths.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match path {
                Path::Hops(route) => write!(f, "{route}")?,
                Path::Card(card) => write!(f, "{card}")?,
                other => unreachable!("no ticket is made with {other}"),
            }
        }
        Ok(())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Ticket, TicketError> {
        let fields: Vec<&str> = text.split('/').collect();
        let [session, node, incarnation, serial, paths] = fields[..] else {
            return Err(TicketError::Fields(text.to_owned()));
        };
        let number = |text: &str| {
            u32::from_str_radix(text, 16).map_err(|source| TicketError::Number { text: text.to_owned(), source })
        };
        let paths = paths.split(',').map(path).collect::<Result<Vec<_>, _>>()?;
        if paths.len() > MAX_PATHS {
            return Err(TicketError::TooManyPaths(paths.len()));
        }
        Ok(Ticket {
            session: number(session)?,
            node: node.parse()?,
            incarnation: number(incarnation)?,
            serial: number(serial)?,
            paths,
        })
    }
}

fn path(text: &str) -> Result<Path, TicketError> {
    match text.strip_prefix("0x") {
        Some(digits) => match u64::from_str_radix(digits, 16) {
            Ok(id) => Ok(Path::Card(UniqueId(id))),
            Err(source) => Err(TicketError::Card { text: text.to_owned(), source }),
        },
        None => Ok(Path::Hops(text.parse::<Route>()?)),
    }
}

/// Says that a node is ready, and answers when it is asked: all that phase 2 needs of the session.
#[derive(Debug)]
pub struct ReadyReport {
    ticket: Ticket,
    timing: Timing,
    /// The serial of the next report.
    serial: u32,
    due: bool,
    /// When it is said again; [`Time::MAX`] once the front end has answered.
    at: Time,
    /// When the front end answered last.
    heard: Option<Time>,
    /// How often a front end that has answered is told again.
    heartbeat: Option<Duration>,
}

impl ReadyReport {
    /// Reports at once, until an answer comes.
    pub fn new(ticket: Ticket, timing: Timing) -> ReadyReport {
        let serial = ticket.serial;
        ReadyReport { serial, ticket, timing, due: true, at: Time::ZERO, heard: None, heartbeat: None }
    }

    /// The same, and goes on to say so as often as this: each answer is a sign that the front end lives.
    pub fn with_heartbeat(ticket: Ticket, timing: Timing, every: Duration) -> ReadyReport {
        ReadyReport { heartbeat: Some(every), ..ReadyReport::new(ticket, timing) }
    }

    /// True once the front end has answered.
    pub fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// When the front end answered last.
    pub fn last_heard(&self) -> Option<Time> {
        self.heard
    }

    fn on_instruct(&mut self, now: Time, instruct: &Instruct) {
        let is_ours = instruct.session == self.ticket.session
            && instruct.to == self.ticket.node
            && (instruct.incarnation == self.ticket.incarnation || instruct.incarnation == 0);
        if !is_ours {
            return;
        }
        if (self.ticket.serial..self.serial).contains(&instruct.answers) {
            self.heard = Some(now);
            self.at = self.heartbeat.map_or(Time::MAX, |every| now + every);
        }
        self.due |= instruct.report_now;
    }

    fn sent(&self) -> u32 {
        self.serial.wrapping_sub(self.ticket.serial)
    }
}

/// The report is repeated ever more slowly: the front end may be gone.
const MOST_DOUBLINGS: u32 = 5;

impl Protocol for ReadyReport {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        if let Header::Instruct(instruct) = &packet.header {
            self.on_instruct(now, instruct);
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.due |= self.at <= now;
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if !std::mem::take(&mut self.due) {
            return None;
        }
        let attempt = self.sent();
        let report = Report {
            session: self.ticket.session,
            from: self.ticket.node,
            incarnation: self.ticket.incarnation,
            serial: self.serial,
            revision: 0,
            stage: Stage::Ready,
            percent: 100,
            orphaned: [false, false],
            wants_answer: self.at != Time::MAX,
            repaired: 0,
            rejected: 0,
        };
        self.serial = self.serial.wrapping_add(1);
        let retry = self.timing.report_retry * (1 << attempt.min(MOST_DOUBLINGS));
        match (self.heard, self.heartbeat) {
            (None, _) => self.at = now + retry,
            (Some(_), Some(every)) => self.at = now + every,
            (Some(_), None) => {}
        }
        let path = self.ticket.paths[attempt as usize % self.ticket.paths.len()];
        Some(Transmit::new(path, Packet::new(report)))
    }

    fn poll_timeout(&self) -> Option<Time> {
        (self.at != Time::MAX).then_some(self.at)
    }
}

#[cfg(test)]
#[path = "ready_tests.rs"]
mod tests;
