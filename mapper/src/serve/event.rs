//! What a server reports.

use serde::Serialize;
use std::fmt;
use twowire_fabric::time::Time;

/// Something that the server has seen or done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When, in milliseconds of the fabric's time since the server began.
    pub at_ms: f64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What has happened. Ports are named as in `x1.3:9`, hosts as in `n17`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A look at the fabric has ended.
    Sweep {
        /// Probes that it took.
        probes: u64,
        /// In fabric time.
        took_ms: f64,
    },
    /// Nothing answers at all.
    Silence,
    /// A cable does not carry frames any more; a host's, also if the host is dead.
    Gone {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// A cable carries frames again, or for the first time.
    Come {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// A host has another card.
    CardReplaced {
        /// The host.
        node: String,
    },
    /// A host holds other routes than it was given: it has started anew.
    Restarted {
        /// The host.
        node: String,
        /// The epoch that it holds.
        epoch: u32,
    },
    /// There is a crossbar behind a port that had no cable: the fabric is mapped anew to find out which.
    NewCable {
        /// The port.
        port: String,
    },
    /// The fabric has been mapped anew.
    Mapped {
        /// Probes that it took.
        probes: u64,
        /// In fabric time.
        took_ms: f64,
        /// Crossbars that are new.
        crossbars: usize,
        /// Cables between crossbars that are new.
        cables: usize,
        /// Hosts at places where none was known.
        hosts: usize,
    },
    /// It could not be mapped, and is watched as it is known.
    NotMapped {
        /// Why.
        reason: String,
    },
    /// A card answers at two places.
    Twice {
        /// Where it is known.
        node: String,
        /// Where it answers too.
        port: String,
    },
    /// Routes have been computed and proved, and are on their way to the nodes that they touch.
    Proved(Proved),
    /// All these nodes use their routes.
    InUse {
        /// The epoch.
        epoch: u32,
        /// How many nodes have been sent routes.
        nodes: usize,
        /// Since the sweep ended that made them necessary.
        took_ms: f64,
    },
    /// A node does not use the routes that it holds, though all others do: it could not be reached any more.
    LeftBehind {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node could not be reached before any used the new routes: all go on with those of before.
    RolledBack {
        /// The epoch that was given up.
        epoch: u32,
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// There are no routes that hold.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Routes that were computed and proved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proved {
    /// The epoch.
    pub epoch: u32,
    /// Entries of crossbars that are others.
    pub entries: usize,
    /// Nodes whose routes are others.
    pub nodes: usize,
    /// Why they were computed as a whole, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The epoch that all nodes use first, where the new routes and those in use could deadlock together: it has the routes that stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<u32>,
}

impl Event {
    pub(super) fn new(begin: Time, now: Time, what: What) -> Event {
        Event { at_ms: ms(begin, now), what }
    }
}

pub(super) fn ms(from: Time, to: Time) -> f64 {
    // Microseconds are precise enough.
    ((to - from).as_secs_f64() * 1e6).round() / 1e3
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.3} ms  {}", self.at_ms, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Sweep { probes, took_ms } => write!(f, "all looked at: {probes} probes, {took_ms:.3} ms"),
            What::Silence => f.write_str("nothing answers: is the front end's own cable in?"),
            What::Gone { a, b } => write!(f, "gone: the cable from {a} to {b}"),
            What::Come { a, b } => write!(f, "there: the cable from {a} to {b}"),
            What::CardReplaced { node } => write!(f, "{node} has another card"),
            What::Restarted { node, epoch } => write!(f, "{node} has started anew: it holds routes of epoch {epoch}"),
            What::NewCable { port } => {
                write!(f, "a new cable at {port}, to a crossbar: the fabric is mapped anew")
            }
            What::Mapped { probes, took_ms, crossbars, cables, hosts } => {
                write!(f, "mapped anew: {probes} probes, {took_ms:.3} ms; new crossbars: {crossbars}, ")?;
                write!(f, "new cables between crossbars: {cables}, new hosts: {hosts}")
            }
            What::NotMapped { reason } => write!(f, "not mapped anew, what is new is not used: {reason}"),
            What::Twice { node, port } => {
                write!(f, "the card of {node} answers at {port} too: give one of the two another unique id")
            }
            What::Proved(Proved { epoch, entries, nodes, whole, between }) => {
                write!(f, "epoch {epoch} proved: {entries} entries, routes of {nodes} nodes")?;
                whole.iter().try_for_each(|why| write!(f, "; computed as a whole, since {why}"))?;
                between.iter().try_for_each(|first| {
                    write!(
                        f,
                        "; after epoch {first}, which has what stays the same, as the two could deadlock together"
                    )
                })
            }
            What::InUse { epoch, nodes, took_ms } => {
                write!(f, "epoch {epoch} in use: {nodes} nodes were sent routes, {took_ms:.3} ms after it was seen")
            }
            What::LeftBehind { node, reason } => write!(f, "{node} does not use its new routes: {reason}"),
            What::RolledBack { epoch, node, reason } => {
                write!(f, "epoch {epoch} given up, all go on as before: {node}: {reason}")
            }
            What::Refused { reason } => write!(f, "no new routes, all go on as before: {reason}"),
        }
    }
}
