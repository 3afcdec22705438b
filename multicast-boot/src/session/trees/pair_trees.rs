//! The arithmetic of the two trees: who feeds whom in a row of nodes.
//!
//! As in the two-tree of Sanders, Speck and Träff (*Two-tree algorithms for full bandwidth broadcast, reduction and
//! scan*, Parallel Computing 35, 2009) each tree carries half of the image, and a node with children in one tree has
//! none in the other: it receives both halves and sends one half twice, so each link carries the image once.
//!
//! There nearly all links are busy all the time, and each host's link is wanted by two senders in turn. In their
//! plain trees the senders and receivers of such turns form long rings; a ring can settle in an order in which
//! everybody waits a part of the time, and then stays so: at 64 hosts on one crossbar a transfer took 1.27 times its
//! size over the rate. Here **siblings in one tree are siblings in the other**: nodes come in pairs, each pair is fed
//! by one node in each tree, and those two feed nobody else. A ring is two senders and two receivers, which cannot
//! help taking turns.
//!
//! ```text
//!              root            row:  T0 T1 (E)  a a'  b b'  c c' ...
//!            /      \
//! tree 0:  T0        T1  :tree 1     T0 feeds the top pair of tree 0, T1 that of tree 1;
//!         /  \      /  \             of a pair with children in a tree one node feeds
//!        d    d'   c    c'           the left pair, the other one the right pair
//! ```
//!
//! T0 gets the other half from a node that has nobody to feed, and so does T1. With an odd number of nodes one, E, is
//! between.

use twowire_fabric::wire::boot::TREES;

/// For each tree and place in the row the place of the parent. The root has place 0, the nodes have places 1 to `n`;
/// what stands for the root is 0.
///
/// Pairs are numbered from `1 + shift` on; a pair's subtree is an interval of these numbers, cut at a multiple of the
/// largest possible power of two. So with the right shift few edges leave a crossbar.
pub fn parents(n: usize, shift: usize) -> [Vec<usize>; TREES] {
    let mut trees =
        Trees { parents: [vec![0; n + 1], vec![0; n + 1]], feeds: vec![0; n + 1], pairs_from: 3 + n % 2, shift };
    if n < 2 {
        return trees.parents;
    }
    let pairs = (n + 1 - trees.pairs_from) / 2;
    for tree in 0..TREES {
        // The other parity of the numbers: other pairs have children.
        trees.shift = shift + tree;
        trees.feed_pairs(tree, trees.shift + 1, trees.shift + pairs, 1 + tree);
    }
    trees.feed_tops(n);
    trees.parents
}

struct Trees {
    parents: [Vec<usize>; TREES],
    /// How many nodes each place feeds.
    feeds: Vec<usize>,
    /// The place of the first pair.
    pairs_from: usize,
    shift: usize,
}

impl Trees {
    fn feed(&mut self, tree: usize, place: usize, parent: usize) {
        self.parents[tree][place] = parent;
        self.feeds[parent] += 1;
    }

    /// Lets `feeder` feed the tree over the pairs of these numbers.
    fn feed_pairs(&mut self, tree: usize, first: usize, last: usize, feeder: usize) {
        if first > last {
            return;
        }
        let top = roundest(first, last);
        let place = self.pairs_from + 2 * (top - self.shift - 1);
        self.feed(tree, place, feeder);
        self.feed(tree, place + 1, feeder);
        self.feed_pairs(tree, first, top - 1, place);
        self.feed_pairs(tree, top + 1, last, place + 1);
    }

    /// Gives T0, T1 and E what they lack: the root feeds T0 in tree 0 and T1 in tree 1. The chain of turns through
    /// the root stays open at both ends.
    fn feed_tops(&mut self, n: usize) {
        let (t0, t1) = (1, 2);
        let e = (n % 2 == 1).then_some(3);
        // Without pairs T0 and T1 feed one another.
        let mut idle =
            (self.pairs_from..=n).filter(|&place| self.feeds[place] == 0).take(2).collect::<Vec<_>>().into_iter();
        let (feeds_0, feeds_1) = (idle.next().unwrap_or(t0), idle.next().unwrap_or(t1));
        self.feed(0, t1, feeds_0);
        match e {
            None => self.feed(1, t0, feeds_1),
            Some(e) => {
                self.feed(0, e, feeds_0);
                self.feed(1, e, feeds_1);
                self.feed(1, t0, e);
            }
        }
    }
}

/// The number from `first` to `last` that the largest power of two divides.
fn roundest(first: usize, last: usize) -> usize {
    let mut step = 1;
    while last / (2 * step) * (2 * step) >= first {
        step *= 2;
    }
    last / step * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Checks what must hold of the trees over `n` nodes.
    fn check(n: usize, shift: usize) {
        let parents = parents(n, shift);
        let mut children = [vec![0; n + 1], vec![0; n + 1]];
        for tree in 0..TREES {
            for place in 1..=n {
                children[tree][parents[tree][place]] += 1;
                let up = std::iter::successors(Some(place), |&p| (p != 0).then(|| parents[tree][p]));
                let depth = up.take(n + 2).count() - 1;
                assert!(depth <= n.ilog2() as usize + 4, "{n} nodes: {place} is {depth} below the root");
            }
            assert_eq!(children[tree][0], 1, "{n} nodes: the root feeds one node in each tree");
        }
        for (place, (a, b)) in std::iter::zip(&children[0], &children[1]).enumerate().skip(1) {
            assert!(*a <= 2 && *b <= 2 && (*a == 0 || *b == 0), "{n} nodes: place {place} feeds {a} and {b}");
        }
        if n > 3 {
            check_rings(&parents, n);
        }
    }

    /// Each group of senders and receivers that wait for one another is two and two, but for the one with the root.
    fn check_rings(parents: &[Vec<usize>; TREES], n: usize) {
        let senders = |place: usize| BTreeSet::from([parents[0][place], parents[1][place]]);
        for place in 1..=n {
            let with_root = place <= 2 + n % 2;
            let fed_alike = (1..=n).filter(|&other| !senders(other).is_disjoint(&senders(place)));
            let fed_alike: Vec<usize> = fed_alike.collect();
            if with_root {
                continue;
            }
            assert_eq!(fed_alike.len(), 2, "{n} nodes: {fed_alike:?}");
            assert!(fed_alike.iter().all(|&other| senders(other) == senders(place)), "{n} nodes: {fed_alike:?}");
        }
    }

    #[test]
    fn small_trees_are_right() {
        assert_eq!(parents(1, 0), [vec![0, 0], vec![0, 0]]);
        assert_eq!(parents(2, 0), [vec![0, 0, 1], vec![0, 2, 0]]);
        assert_eq!(parents(3, 0), [vec![0, 0, 1, 1], vec![0, 3, 0, 2]]);
        assert_eq!(parents(4, 0), [vec![0, 0, 3, 1, 1], vec![0, 4, 0, 2, 2]]);
    }

    #[test]
    fn nobody_waits_in_a_long_ring() {
        for n in 1..=150 {
            (0..5).for_each(|shift| check(n, shift));
        }
        check(1023, 1);
    }

    #[test]
    fn the_roundest_number_is_found() {
        for first in 1..70usize {
            for last in first..70 {
                let best = (first..=last).max_by_key(|n| n.trailing_zeros()).map(usize::trailing_zeros);
                let found = roundest(first, last);
                assert!((first..=last).contains(&found) && Some(found.trailing_zeros()) == best, "{first} to {last}");
            }
        }
    }
}
