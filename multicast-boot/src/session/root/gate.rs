//! Whom the root believes, where its cluster has a secret.

use super::super::strangers::{Distrust, Strangers};
use crate::membership::{Claim, ClusterSecret, Tag};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::wire::boot::{Answer, Challenge, PROOF_LEN};

/// Lets only those take part who prove that they know the cluster's secret.
#[derive(Clone, Debug)]
pub struct Gate {
    /// What they have to know.
    pub secret: ClusterSecret,
    /// Random, and another one for each transfer: what proved something in an earlier one proves nothing in this one.
    pub nonce: u64,
}

/// What a node says, with its proof.
pub(super) struct Statement {
    pub(super) card: UniqueId,
    pub(super) node: NodeNumber,
    pub(super) incarnation: u32,
    pub(super) answer: Answer,
    pub(super) proof: [u8; PROOF_LEN],
}

impl Gate {
    pub(super) fn challenge(&self) -> Challenge {
        self.secret.challenge(self.nonce)
    }

    /// Why a statement is not believed, if it is not.
    fn distrust(&self, statement: &Statement) -> Option<Distrust> {
        let Statement { card, node, incarnation, answer, proof } = *statement;
        match answer {
            Answer::NoSecret => Some(Distrust::NoSecret),
            Answer::WrongSecret => Some(Distrust::OtherSecret),
            answer => {
                let claim = Claim { nonce: self.nonce, id: card, node, incarnation, answer };
                (!self.secret.verifies(&claim, &Tag(proof))).then_some(Distrust::WrongProof)
            }
        }
    }

    /// The same, and keeps who it was.
    pub(super) fn judge(&self, statement: &Statement, strangers: &mut Strangers) -> Option<Distrust> {
        let why = self.distrust(statement)?;
        strangers.add(statement.card, statement.node, why);
        Some(why)
    }
}
