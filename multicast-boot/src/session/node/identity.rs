//! Who a node is, and how it proves it.

use crate::image::ClusterPublicKey;
use crate::membership::{Claim, ClusterSecret};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::wire::boot::{Answer, Challenge, PROOF_LEN};

/// Who a node is, and whom it trusts.
#[derive(Clone)]
pub struct Credentials {
    /// The unique id of its card.
    pub card: UniqueId,
    /// Its cluster's key: what it boots must be signed by it.
    pub key: ClusterPublicKey,
    /// Its cluster's secret, if it has one: by this it proves that it is a member, where the front end wants to know.
    pub secret: Option<ClusterSecret>,
}

/// One start of a node.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) card: UniqueId,
    /// Another one each time that the node starts.
    pub(super) incarnation: u32,
    /// Of the key that it trusts.
    pub(super) key_id: u64,
    secret: Option<ClusterSecret>,
}

impl Identity {
    pub(super) fn new(credentials: &Credentials, incarnation: u32) -> Identity {
        let Credentials { card, key, secret } = credentials;
        Identity { card: *card, incarnation, key_id: u64::from_le_bytes(key.id().0), secret: secret.clone() }
    }

    /// Why the node cannot prove what this asks for, if it cannot.
    pub(super) fn objection(&self, challenge: &Challenge) -> Option<Answer> {
        match &self.secret {
            _ if challenge.echo().is_some() => None,
            None => Some(Answer::NoSecret),
            Some(secret) => {
                (secret.challenge(challenge.nonce).secret != challenge.secret).then_some(Answer::WrongSecret)
            }
        }
    }

    /// Proves what the node says as this number; zeros where nothing is to be proven, or nothing can be.
    pub(super) fn proof(&self, challenge: Option<Challenge>, node: NodeNumber, answer: Answer) -> [u8; PROOF_LEN] {
        if let Some(echo) = challenge.and_then(|challenge| challenge.echo()) {
            return echo;
        }
        let (Some(Challenge { nonce, .. }), Some(secret)) = (challenge, &self.secret) else { return [0; PROOF_LEN] };
        secret.tag(&Claim { nonce, id: self.card, node, incarnation: self.incarnation, answer }).0
    }
}
