//! From the cabling that is there to the one that was meant, as somebody with cables in hand needs to hear it.
//!
//! | module | what it is |
//! |---|---|
//! | [`Instruction`] | one thing to do |
//! | [`instructions`] | all that is to be done, in an order in which it can be done |
//! | [`suspects()`] | which components explain the dead cables |
//!
//! Everything is said in the names of the intended cabling. Ports of what it does not have are said in the found map's.

mod places;
mod plan;
mod suspects;

#[cfg(test)]
mod tests;

pub use plan::instructions;
pub use suspects::{Component, Suspect, suspects};

use crate::hostlist::compress;
use serde::Serialize;
use std::fmt;

/// One end of a cable, as people say it: `x2.14 port 3`, or just `n17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Place(pub String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once(':') {
            Some((node, port)) => write!(f, "{node} port {port}"),
            None => f.write_str(&self.0),
        }
    }
}

/// One thing to do. Places are written as in `.topo` files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Instruction {
    /// Nothing answers from a crossbar: power, card and cables are to be looked at.
    SeeToCrossbar {
        /// Its name.
        crossbar: String,
        /// The hosts that are plugged into it and do not answer either.
        hosts: Vec<String>,
    },
    /// A host does not answer.
    SeeToHost {
        /// Its name.
        host: String,
        /// Where it is plugged in.
        at: Option<Place>,
    },
    /// A cable leads where none should.
    Remove {
        /// One end.
        a: Place,
        /// The other.
        b: Place,
    },
    /// One end of a cable is at the wrong port.
    Move {
        /// Where its plug is.
        from: Place,
        /// Where it should be; nothing is there when its turn comes.
        to: Place,
        /// The cable's other end, which stays.
        other_end: Place,
    },
    /// Two plugs are in each other's places.
    Swap {
        /// One of the places.
        a: Place,
        /// The other.
        b: Place,
    },
    /// A cable is missing, or dead.
    Plug {
        /// One end.
        a: Place,
        /// The other.
        b: Place,
    },
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instruction::SeeToCrossbar { crossbar, hosts } if hosts.is_empty() => {
                write!(f, "see to crossbar {crossbar}, its power and its cables: nothing comes through it")
            }
            Instruction::SeeToCrossbar { crossbar, hosts } => {
                let hosts = compress(hosts.iter().map(String::as_str));
                write!(
                    f,
                    "see to crossbar {crossbar}, its power and its cables: nothing comes through it, nor from {hosts}"
                )
            }
            Instruction::SeeToHost { host, at: Some(at) } => {
                write!(f, "see to {host}, its power, its card and its cable to {at}: it does not answer")
            }
            Instruction::SeeToHost { host, at: None } => write!(f, "see to {host}: it has no cable"),
            Instruction::Remove { a, b } => write!(f, "remove the cable from {a} to {b}"),
            Instruction::Move { from, to, other_end } => {
                write!(f, "move the cable from {from} to {to} (its other end is in {other_end})")
            }
            Instruction::Swap { a, b } => write!(f, "swap the cables in {a} and {b}"),
            Instruction::Plug { a, b } => {
                write!(f, "plug a cable from {a} to {b}, or replace the one that is there: it is dead")
            }
        }
    }
}
