//! Nodes in the same state, or with the same trouble, together: a thousand nodes in a few lines.

use super::{Board, NodeStatus, stage_word};
use crate::node_ranges::NodeRanges;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use std::collections::BTreeMap;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::Stage;

/// Characters of the column that names the nodes.
const NAMES: usize = 60;

/// Nodes of which the same can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What: the state, or `failed at …: why`.
    pub cause: String,
    /// How much of the image the one that has the least of it has, in percent.
    pub least_percent: u8,
    /// Which nodes.
    pub nodes: NodeRanges,
    /// How many.
    pub count: usize,
}

/// Failures first, then the states in their order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Failed(Stage, String, Option<String>),
    At(Stage, Option<String>),
}

fn cause(status: &NodeStatus) -> Cause {
    let (stage, note) = (status.reached.stage, status.boots.note());
    match &status.failure {
        None => Cause::At(stage, note),
        Some(why) => Cause::Failed(stage, without_numbers(why), note),
    }
}

/// A reason without the time that it took, which differs from node to node.
pub fn without_numbers(reason: &str) -> String {
    let words = reason.split(' ').map(|word| if word.starts_with(|c: char| c.is_ascii_digit()) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// The nodes of a board by cause.
pub fn groups(board: &Board) -> Vec<Group> {
    let mut by_cause: BTreeMap<Cause, Vec<(NodeNumber, u8)>> = BTreeMap::new();
    for (node, status) in board.nodes() {
        by_cause.entry(cause(status)).or_default().push((node, status.reached.percent));
    }
    let group = |(cause, nodes): (Cause, Vec<(NodeNumber, u8)>)| Group {
        cause: match cause {
            Cause::Failed(stage, why, note) => format!("failed at `{}`{}: {why}", stage_word(stage), noted(note)),
            Cause::At(stage, note) => format!("{}{}", stage_word(stage), noted(note)),
        },
        least_percent: nodes.iter().map(|&(_, percent)| percent).min().unwrap_or(0),
        count: nodes.len(),
        nodes: nodes.into_iter().map(|(node, _)| node).collect(),
    };
    by_cause.into_iter().map(group).collect()
}

fn noted(note: Option<String>) -> String {
    note.map_or_else(String::new, |note| format!(", {note}"))
}

/// The groups as a table of text.
pub fn table(groups: &[Group]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["nodes", "state", "%", "which"]);
    for group in groups {
        table.add_row([
            group.count.to_string(),
            group.cause.clone(),
            group.least_percent.to_string(),
            shortened(group.nodes.to_string()),
        ]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn shortened(names: String) -> String {
    if names.len() <= NAMES {
        return names;
    }
    let end = names[..NAMES].rfind(' ').unwrap_or(NAMES);
    format!("{} …", &names[..end])
}
