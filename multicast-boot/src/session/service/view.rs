//! What a front end knows of its nodes, over all its sessions.

use super::super::NodeFailure;
use super::super::progress::{Outcome, Progress, Reached, StageTimes};
use super::{BootService, Served};
use crate::image::catalogue::Purpose;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::Stage;

/// A node, as the front end knows it.
#[derive(Clone, Debug)]
pub struct NodeView<'a> {
    /// Which.
    pub number: NodeNumber,
    /// How far it is.
    pub reached: Reached,
    /// When it was how far.
    pub times: StageTimes,
    /// Why it has failed, if it has.
    pub failure: Option<&'a NodeFailure>,
    /// What it boots.
    pub boots: Boots,
}

/// What a node boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boots {
    /// Its normal image.
    Normal,
    /// Its fallback.
    Fallback {
        /// The normal image that has used up its attempts; `None` if there is none for this node.
        instead_of: Option<String>,
    },
    /// There is no image for it.
    Nothing,
}

impl Boots {
    /// What people should know of it.
    pub fn note(&self) -> Option<String> {
        match self {
            Boots::Normal => None,
            Boots::Fallback { instead_of: None } => Some("on the fallback: there is no other image for it".to_owned()),
            Boots::Fallback { instead_of: Some(normal) } => {
                Some(format!("on the fallback: {normal} has used up its attempts and did not become ready"))
            }
            Boots::Nothing => Some("there is no image for it".to_owned()),
        }
    }
}

impl BootService {
    /// How far each node is.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView<'_>> {
        let without = self.without.keys().map(|&number| NodeView {
            number,
            reached: Reached { stage: Stage::Offered, percent: 0 },
            times: StageTimes::default(),
            failure: None,
            boots: Boots::Nothing,
        });
        self.served.iter().flat_map(|served| self.nodes_of(served)).chain(without)
    }

    fn nodes_of<'a>(&'a self, served: &'a Served) -> impl Iterator<Item = NodeView<'a>> {
        served.root.nodes().map(|(number, reached, times, failure)| {
            let boots = match served.purpose {
                Purpose::Normal => Boots::Normal,
                Purpose::Fallback => Boots::Fallback {
                    instead_of: self
                        .session_with(number, Purpose::Normal)
                        .map(|index| self.served[index].label.clone()),
                },
            };
            NodeView { number, reached, times, failure, boots }
        })
    }

    /// A summary of how far all are.
    pub fn progress(&self) -> Progress {
        let mut sum = Progress::default();
        self.served.iter().for_each(|served| sum += served.root.progress());
        sum
    }

    /// How it has ended, or how it stands.
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.served.iter().map(|served| served.root.outcome());
        outcomes.reduce(Outcome::beside).unwrap_or_default()
    }
}
