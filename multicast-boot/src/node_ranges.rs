//! Sets of nodes as people write them: `n0-n511 n600`.

use std::fmt;
use std::str::FromStr;
use twowire_fabric::id::NodeNumber;

/// A set of nodes: ranges in ascending order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRanges(Vec<(NodeNumber, NodeNumber)>);

/// Text that names no nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of nodes: expected `n7`, or the first and the last one, as in `n0-n511`")]
pub struct NotARange(String);

impl NodeRanges {
    /// All nodes.
    pub fn all() -> NodeRanges {
        [(NodeNumber(0), NodeNumber(i32::MAX))].into_iter().collect()
    }

    /// How many of the first so many nodes are among them.
    pub fn count_below(&self, nodes: usize) -> usize {
        let end = i32::try_from(nodes).unwrap_or(i32::MAX);
        let count = |&(first, last): &(NodeNumber, NodeNumber)| (end.min(last.0.saturating_add(1)) - first.0).max(0);
        self.0.iter().map(count).sum::<i32>() as usize
    }

    /// True if the node is one of them.
    pub fn contains(&self, node: NodeNumber) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= node);
        after > 0 && node <= self.0[after - 1].1
    }

    /// The first node that is in both sets.
    pub fn first_in_common(&self, other: &NodeRanges) -> Option<NodeNumber> {
        let starts = self.0.iter().chain(&other.0).map(|&(first, _)| first);
        starts.filter(|&node| self.contains(node) && other.contains(node)).min()
    }
}

impl FromIterator<NodeNumber> for NodeRanges {
    fn from_iter<I: IntoIterator<Item = NodeNumber>>(nodes: I) -> NodeRanges {
        nodes.into_iter().map(|node| (node, node)).collect()
    }
}

impl FromIterator<(NodeNumber, NodeNumber)> for NodeRanges {
    fn from_iter<I: IntoIterator<Item = (NodeNumber, NodeNumber)>>(ranges: I) -> NodeRanges {
        let mut sorted: Vec<_> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<(NodeNumber, NodeNumber)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if first.0 <= end.0.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        NodeRanges(merged)
    }
}

impl fmt::Display for NodeRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            if first == last { write!(f, "{space}{first}")? } else { write!(f, "{space}{first}-{last}")? }
        }
        Ok(())
    }
}

impl FromStr for NodeRanges {
    type Err = NotARange;

    /// Ranges, separated by spaces or commas.
    fn from_str(text: &str) -> Result<NodeRanges, NotARange> {
        let words = text.split([' ', ',', '\t']).filter(|word| !word.is_empty());
        let ranges: Vec<_> = words.map(range).collect::<Result<_, _>>()?;
        if ranges.is_empty() { Err(NotARange(text.to_owned())) } else { Ok(ranges.into_iter().collect()) }
    }
}

fn range(word: &str) -> Result<(NodeNumber, NodeNumber), NotARange> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let node = |name: &str| name.parse().ok().filter(|&node| node != NodeNumber::FRONT_END);
    match (node(first), node(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(NotARange(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_are_written_as_they_are_read() {
        let ranges: NodeRanges = "n7,n0-n3 n4  n2-n5".parse().unwrap();
        assert_eq!(ranges.to_string(), "n0-n5 n7");
        assert_eq!(ranges.to_string().parse(), Ok(ranges.clone()));
        let members: Vec<i32> = (0..10).filter(|&n| ranges.contains(NodeNumber(n))).collect();
        assert_eq!(members, [0, 1, 2, 3, 4, 5, 7]);
        assert_eq!(members.into_iter().map(NodeNumber).collect::<NodeRanges>(), ranges);
    }

    #[test]
    fn the_first_nodes_among_them_are_counted() {
        let ranges: NodeRanges = "n1-n3 n7".parse().unwrap();
        assert_eq!([0, 1, 2, 4, 7, 8, usize::MAX].map(|nodes| ranges.count_below(nodes)), [0, 0, 1, 3, 3, 4, 4]);
        assert_eq!([0, 5, 100].map(|nodes| NodeRanges::all().count_below(nodes)), [0, 5, 100]);
    }

    #[test]
    fn what_two_sets_have_in_common() {
        let set = |text: &str| text.parse::<NodeRanges>().unwrap();
        for (a, b, common) in
            [("n0-n5", "n5-n9", Some(5)), ("n0-n4,n9", "n5-n8", None), ("n3,n7-n9", "n0-n99", Some(3))]
        {
            assert_eq!(set(a).first_in_common(&set(b)), common.map(NodeNumber), "{a} and {b}");
            assert_eq!(set(b).first_in_common(&set(a)), common.map(NodeNumber), "{b} and {a}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_by_name() {
        for (text, word) in [("n0-", "n0-"), ("n1 5", "5"), ("master", "master"), ("n5-n4", "n5-n4"), (" ", " ")] {
            assert_eq!(text.parse::<NodeRanges>(), Err(NotARange(word.to_owned())));
        }
        assert!("n0-n2147483647".parse::<NodeRanges>().is_ok_and(|all| all.contains(NodeNumber(5))));
    }
}
