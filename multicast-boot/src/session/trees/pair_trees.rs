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
//! One node that has no pair to feed gives T0 and T1 their other halves. With an odd number of nodes there is one more,
//! E, which gets both halves from another such node.
//!
//! Where a sender's two receivers have *different* second senders, as T1 and E had once, these two may send at the same
//! time, every other frame's time; then only the times between are left for both frames of the first one, and it may go
//! on at half its rate for as long as it likes: a transfer in ten took 1.08 to 1.4 times as long.

use twowire_fabric::wire::boot::TREES;

/// For each tree and place in the row the place of the parent. The root has place 0, the nodes have places 1 to `n`;
/// what stands for the root is 0.
///
/// `spots` say where each pair is, in ascending order: spots that have more leading bits in common are nearer to one
/// another. A tree is cut between two spots at their first bits that differ, those of the largest distance first, so
/// with the right spots few edges leave a crossbar.
///
/// # Panics
/// If there are not as many spots as pairs: [`pairs`].
pub fn parents(n: usize, spots: &[u32]) -> [Vec<usize>; TREES] {
    assert_eq!(spots.len(), pairs(n), "each pair has a spot");
    let mut trees =
        Trees { parents: [vec![0; n + 1], vec![0; n + 1]], feeds: vec![0; n + 1], first_pair: 1 + alone(n) };
    if n < 2 {
        return trees.parents;
    }
    for tree in 0..TREES {
        trees.feed_pairs(tree, 0, spots, 1 + tree);
    }
    trees.feed_tops(n);
    trees.parents
}

/// How many of `n` nodes stand before the pairs: T0, T1, and E if `n` is odd.
pub fn alone(n: usize) -> usize {
    n.min(2 + n % 2)
}

/// How many pairs `n` nodes make.
pub fn pairs(n: usize) -> usize {
    (n - alone(n)) / 2
}

struct Trees {
    parents: [Vec<usize>; TREES],
    /// How many nodes each place feeds.
    feeds: Vec<usize>,
    /// The place of the first pair.
    first_pair: usize,
}

impl Trees {
    fn feed(&mut self, tree: usize, place: usize, parent: usize) {
        self.parents[tree][place] = parent;
        self.feeds[parent] += 1;
    }

    /// Lets `feeder` feed the tree over the pairs from number `first` on, which are at these spots.
    fn feed_pairs(&mut self, tree: usize, first: usize, spots: &[u32], feeder: usize) {
        let Some(top) = top(tree, first, spots) else { return };
        let place = self.first_pair + 2 * (first + top);
        self.feed(tree, place, feeder);
        self.feed(tree, place + 1, feeder);
        self.feed_pairs(tree, first, &spots[..top], place);
        self.feed_pairs(tree, first + top + 1, &spots[top + 1..], place + 1);
    }

    /// Gives T0, T1 and E what they lack: the root feeds T0 in tree 0 and T1 in tree 1, and one that feeds nobody gives
    /// them the other halves, so that these four are a ring as well. Another one gives E both halves.
    fn feed_tops(&mut self, n: usize) {
        let (t0, t1, e) = (1, 2, (n % 2 == 1).then_some(3));
        let idle: Vec<usize> = (self.first_pair..=n).filter(|&place| self.feeds[place] == 0).take(2).collect();
        let (tops, other) = match (idle.as_slice(), e) {
            (&[one, other], _) => ([one; TREES], [other; TREES]),
            // Without pairs T0 and T1 have time.
            (_, Some(e)) => ([e; TREES], [t0, t1]),
            (_, None) => ([t0, t1], [t0, t1]),
        };
        self.feed(0, t1, tops[0]);
        self.feed(1, t0, tops[1]);
        if let Some(e) = e {
            (0..TREES).for_each(|tree| self.feed(tree, e, other[tree]));
        }
    }
}

/// Which of the pairs from number `first` on has the others below it: one of the two at the widest gap. Pairs with even
/// numbers have children in tree 0 only, the others in tree 1 only, so one of the two may.
fn top(tree: usize, first: usize, spots: &[u32]) -> Option<usize> {
    let gap = |at: &usize| spots[at - 1] ^ spots[*at];
    match (1..spots.len()).max_by_key(gap) {
        Some(at) if (first + at) % TREES == tree => Some(at),
        Some(at) => Some(at - 1),
        None => (!spots.is_empty()).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Checks what must hold of the trees over `n` nodes whose pairs are at these spots.
    fn check(n: usize, spots: &[u32]) {
        let parents = parents(n, spots);
        let height = 32 - spots.iter().fold(0, |all, spot| all | spot).leading_zeros() as usize;
        let mut children = [vec![0; n + 1], vec![0; n + 1]];
        for tree in 0..TREES {
            for place in 1..=n {
                children[tree][parents[tree][place]] += 1;
                let up = std::iter::successors(Some(place), |&p| (p != 0).then(|| parents[tree][p]));
                let depth = up.take(n + 2).count() - 1;
                assert!(depth <= height + 4, "{n} nodes: {place} is {depth} below the root");
            }
            assert_eq!(children[tree][0], 1, "{n} nodes: the root feeds one node in each tree");
        }
        for (place, (a, b)) in std::iter::zip(&children[0], &children[1]).enumerate().skip(1) {
            assert!(a + b <= 2, "{n} nodes: place {place} feeds {a} and {b}");
        }
        if n > 3 {
            check_rings(&parents, n);
        }
    }

    /// Each group of senders and receivers that wait for one another is two and two; that of E is one and one.
    fn check_rings(parents: &[Vec<usize>; TREES], n: usize) {
        let senders = |place: usize| BTreeSet::from([parents[0][place], parents[1][place]]);
        for place in 1..=n {
            let is_e = place == 3 && n % 2 == 1;
            let fed_alike = (1..=n).filter(|&other| !senders(other).is_disjoint(&senders(place)));
            let fed_alike: Vec<usize> = fed_alike.collect();
            assert_eq!(fed_alike.len(), if is_e { 1 } else { 2 }, "{n} nodes: {fed_alike:?}");
            assert!(fed_alike.iter().all(|&other| senders(other) == senders(place)), "{n} nodes: {fed_alike:?}");
        }
    }

    #[test]
    fn small_trees_are_right() {
        assert_eq!(parents(1, &[]), [vec![0, 0], vec![0, 0]]);
        assert_eq!(parents(2, &[]), [vec![0, 0, 1], vec![0, 2, 0]]);
        assert_eq!(parents(3, &[]), [vec![0, 0, 3, 1], vec![0, 3, 0, 2]]);
        assert_eq!(parents(4, &[7]), [vec![0, 0, 3, 1, 1], vec![0, 3, 0, 2, 2]]);
        assert_eq!(parents(5, &[7]), [vec![0, 0, 4, 5, 1, 1], vec![0, 4, 0, 5, 2, 2]]);
    }

    #[test]
    fn nobody_waits_in_a_long_ring() {
        for n in 2..=150 {
            check(n, &(0..pairs(n) as u32).collect::<Vec<_>>());
            check(n, &(1..=pairs(n) as u32).collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn the_spots_may_be_anywhere(spots in prop::collection::btree_set(0u32..1 << 12, 1..200), odd in 0usize..2) {
            let spots: Vec<u32> = spots.into_iter().collect();
            check(2 + odd + 2 * spots.len(), &spots);
        }
    }

    #[test]
    fn a_subtree_is_what_lies_together() {
        // Two crossbars with four pairs each, far from one another: in each tree one edge for each half of the second
        // crossbar's pairs comes from the first.
        let spots = [0, 1, 2, 3, 64, 65, 66, 67];
        let n = 2 + 2 * spots.len();
        let far = |place: usize| place >= 3 && spots[(place - 3) / 2] >= 64;
        for tree in parents(n, &spots) {
            let across = (3..=n).filter(|&place| far(place) != far(tree[place])).count();
            assert!(across <= 4, "{across} edges from one crossbar to the other");
        }
    }
}
