//! Where every node is, for people and machines, while an image goes out.
//!
//! | module | what it is |
//! |---|---|
//! | [`Board`] | the newest state of each node, and what has changed |
//! | [`groups`] | nodes in the same state, or with the same trouble, together |
//! | [`journal`] | a log for each node |
//! | [`metrics`] | the numbers that Prometheus reads |

pub mod groups;
pub mod journal;
pub mod metrics;

#[cfg(test)]
mod tests;

use crate::session::strangers::{Stranger, Strangers};
use crate::session::{Boots, NodeView, Reached};
use serde::Serialize;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::Stage;

/// One node, as the front end knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// How far it is, or was when it failed.
    pub reached: Reached,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
    /// What it boots.
    pub boots: Boots,
}

/// A change of one node, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Milliseconds since the program began.
    pub at_ms: u64,
    /// The node.
    pub node: String,
    /// How far it is: `offered`, `joined`, `receiving`, `verified`, `handing over`, `ready`, or `failed`.
    pub state: &'static str,
    /// How much of the image it has, in percent.
    pub percent: u8,
    /// Why it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is unusual about what it boots: that it is the fallback, and why, or that there is no image for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Somebody who was not let take part, as a line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Milliseconds since the program began.
    pub at_ms: u64,
    /// The node, or the card, that it said it was.
    pub refused: String,
    /// The card.
    pub card: String,
    /// Why it was not believed.
    pub reason: String,
}

/// The newest state of each node.
#[derive(Clone, Debug, Default)]
pub struct Board {
    nodes: Vec<Option<NodeStatus>>,
    refusals: Vec<Refusal>,
    refused_joins: u64,
}

impl Board {
    /// Takes in how the nodes are now; returns those that have changed. Of a node that receives, only every tenth
    /// percent is a change.
    pub fn update<'a>(&mut self, at_ms: u64, nodes: impl Iterator<Item = NodeView<'a>>) -> Vec<Change> {
        let mut changes = Vec::new();
        for NodeView { number: node, reached, failure, boots, .. } in nodes {
            let status = NodeStatus { reached, failure: failure.map(|f| f.reason.to_string()), boots };
            let index = node.index();
            if self.nodes.len() <= index {
                self.nodes.resize(index + 1, None);
            }
            let before = self.nodes[index].replace(status.clone());
            if before.is_none_or(|before| differs(&before, &status)) {
                changes.push(change(at_ms, node, &status));
            }
        }
        changes
    }

    /// Takes in who was not let take part; returns those that are new.
    pub fn update_strangers(&mut self, at_ms: u64, strangers: &Strangers) -> &[Refusal] {
        let shown = self.refusals.len();
        let refusal = |stranger: &Stranger| Refusal {
            at_ms,
            refused: stranger.to_string(),
            card: stranger.card.to_string(),
            reason: stranger.why.to_string(),
        };
        self.refusals.extend(strangers.known().iter().skip(shown).map(refusal));
        self.refused_joins = strangers.joins();
        &self.refusals[shown..]
    }

    /// A line on who was not let take part, with the newest one; `None` if nobody.
    pub fn refused(&self) -> Option<String> {
        let Refusal { refused, reason, .. } = self.refusals.last()?;
        let (joins, who) = (self.refused_joins, self.refusals.len());
        Some(format!("refused: {joins} joins of {who} that are no members; the newest is {refused}: {reason}"))
    }

    /// All nodes that are known.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeNumber, &NodeStatus)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, status)| Some((NodeNumber::from_index(index), status.as_ref()?)))
    }

    /// Nodes that boot the fallback.
    pub fn on_fallback(&self) -> usize {
        self.nodes().filter(|(_, status)| matches!(status.boots, Boots::Fallback { .. })).count()
    }

    /// Nodes for which there is no image.
    pub fn without_image(&self) -> usize {
        self.nodes().filter(|(_, status)| status.boots == Boots::Nothing).count()
    }

    /// Nodes that run the image.
    pub fn ready(&self) -> usize {
        self.nodes().filter(|(_, status)| status.failure.is_none() && status.reached.stage == Stage::Ready).count()
    }
}

fn differs(before: &NodeStatus, now: &NodeStatus) -> bool {
    let step = |status: &NodeStatus| (status.reached.stage, status.reached.percent / 10);
    before.failure != now.failure || before.boots != now.boots || step(before) != step(now)
}

fn change(at_ms: u64, node: NodeNumber, status: &NodeStatus) -> Change {
    Change {
        at_ms,
        node: node.to_string(),
        state: if status.failure.is_some() { "failed" } else { stage_word(status.reached.stage) },
        percent: status.reached.percent,
        reason: status.failure.as_ref().map(|reason| format!("at `{}`: {reason}", status.reached)),
        note: status.boots.note(),
    }
}

/// A stage in a word, without its percentage.
pub(crate) fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Offered => "offered",
        Stage::Joined => "joined",
        Stage::Receiving => "receiving",
        Stage::Verified => "verified",
        Stage::HandingOver => "handing over",
        Stage::Ready => "ready",
    }
}
