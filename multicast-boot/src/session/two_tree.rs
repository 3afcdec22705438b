//! The arithmetic of two binary trees over one row of nodes: Sanders, Speck and Träff, *Two-tree algorithms for full
//! bandwidth broadcast, reduction and scan*, Parallel Computing 35 (2009).
//!
//! The root has place 0, the nodes have places 1 to `n`. In tree 0 a node's parent and children lie around it as in an
//! in-order binary tree, so nodes of odd places are leaves. Tree 1 is tree 0 mirrored if `n` is even, or shifted by one place
//! if it is odd, so that nodes of even places are leaves there.

/// The place of the parent of place `place` (1 to `n`) in tree 0 or 1; 0 is the root.
pub fn parent(tree: usize, place: usize, n: usize) -> usize {
    debug_assert!((1..=n).contains(&place) && tree < 2);
    match (tree, n % 2) {
        (0, _) => in_order_parent(place, n),
        (_, 0) => match in_order_parent(n + 1 - place, n) {
            0 => 0,
            parent => n + 1 - parent,
        },
        (_, _) => match in_order_parent(if place == 1 { n } else { place - 1 }, n) {
            0 => 0,
            parent if parent == n => 1,
            parent => parent + 1,
        },
    }
}

/// The parent in the in-order tree: the next place that is divisible by one more power of two, above if that exists.
fn in_order_parent(place: usize, n: usize) -> usize {
    let bit = place & place.wrapping_neg();
    let above = (place ^ bit) | (bit << 1);
    if above <= n { above } else { place ^ bit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_inner_in_one_tree_at_most() {
        for n in 1..=600usize {
            let mut children = [vec![0; n + 1], vec![0; n + 1]];
            let mut depth = 0;
            for tree in 0..2 {
                for place in 1..=n {
                    children[tree][parent(tree, place, n)] += 1;
                    let steps = std::iter::successors(Some(place), |&p| (p != 0).then(|| parent(tree, p, n)));
                    depth = depth.max(steps.take(n + 2).count() - 1);
                }
                assert_eq!(children[tree][0], 1, "{n} nodes: the root feeds one node in each tree");
            }
            for (place, (a, b)) in std::iter::zip(&children[0], &children[1]).enumerate().skip(1) {
                assert!(*a <= 2 && *b <= 2 && (*a == 0 || *b == 0), "{n} nodes: place {place} feeds {a} and {b}");
            }
            assert!(depth <= n.ilog2() as usize + 1, "{n} nodes: depth {depth}");
        }
    }

    #[test]
    fn neighbours_in_the_row_are_neighbours_in_the_tree() {
        let first = |n: usize| (1..=n).map(|p| parent(0, p, n)).collect::<Vec<_>>();
        assert_eq!(first(7), [2, 4, 2, 0, 6, 4, 6]);
        let second = (1..=7).map(|p| parent(1, p, 7)).collect::<Vec<_>>();
        assert_eq!(second, [7, 3, 5, 3, 0, 7, 5]);
    }
}
