//! Those whom a front end with a cluster secret has not let take part.

use std::fmt;
use twowire_fabric::id::{NodeNumber, UniqueId};

/// So many are kept apart; of others only their joins are counted.
const MAX_KNOWN: usize = 64;

/// Why a join was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The node says so.
    #[error("it has no cluster secret")]
    NoSecret,
    /// The node says so.
    #[error("it has another cluster secret than this front end")]
    OtherSecret,
    /// Somebody who does not know the secret made it, or it was made for another node, start or transfer.
    #[error("its proof of membership is wrong")]
    WrongProof,
}

/// Somebody who was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The card that it says it has.
    pub card: UniqueId,
    /// The node that it says it is, where nodes have numbers before they join.
    pub node: Option<NodeNumber>,
    /// Why not.
    pub why: Distrust,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "{node}"),
            None => write!(f, "card {}", self.card),
        }
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Strangers {
    joins: u64,
    known: Vec<Stranger>,
}

impl Strangers {
    pub(crate) fn add(&mut self, card: UniqueId, node: NodeNumber, why: Distrust) {
        self.joins += 1;
        let stranger = Stranger { card, node: Some(node).filter(|&node| node != NodeNumber::FRONT_END), why };
        if self.known.len() < MAX_KNOWN && !self.known.contains(&stranger) {
            self.known.push(stranger);
        }
    }

    /// Puts together those of several sessions. Who is known already stays where it is.
    pub(crate) fn gather<'a>(&mut self, sessions: impl Iterator<Item = &'a Strangers> + Clone) {
        let joins = sessions.clone().map(Strangers::joins).sum();
        if joins == std::mem::replace(&mut self.joins, joins) {
            return;
        }
        for stranger in sessions.flat_map(Strangers::known) {
            if self.known.len() < MAX_KNOWN && !self.known.contains(stranger) {
                self.known.push(*stranger);
            }
        }
    }

    /// How many joins were not believed.
    pub fn joins(&self) -> u64 {
        self.joins
    }

    /// Who has sent them: the first ones, each once for each reason, in the order in which they came.
    pub fn known(&self) -> &[Stranger] {
        &self.known
    }
}
