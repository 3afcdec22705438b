//! Group operations against the definitions of the standard, written with plain lists.
use super::{Comparison, Group, Range};
use crate::abi::{MPI_ERR_ARG, MPI_ERR_RANK, MPI_PROC_NULL, MPI_UNDEFINED};
use proptest::prelude::*;
use std::ffi::c_int;

fn members() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![
        (0..40_u32, 0..30_u32).prop_map(|(first, size)| (first..first + size).collect()),
        proptest::sample::subsequence((0..60).collect::<Vec<u32>>(), 0..40),
        proptest::sample::subsequence((0..60).collect::<Vec<u32>>(), 0..40).prop_shuffle(),
    ]
}

fn listed(group: &Group) -> Vec<u32> {
    group.members().to_vec()
}

fn pick(members: &[u32], ranks: &[usize]) -> Vec<u32> {
    ranks.iter().map(|&rank| members[rank]).collect()
}

proptest! {
    #[test]
    fn sets_are_as_their_definitions(a in members(), b in members()) {
        let (first, second) = (Group::new(a.clone()), Group::new(b.clone()));
        let only_b = b.iter().copied().filter(|process| !a.contains(process));
        prop_assert_eq!(listed(&first.union(&second)), a.iter().copied().chain(only_b).collect::<Vec<_>>());
        let both: Vec<u32> = a.iter().copied().filter(|process| b.contains(process)).collect();
        prop_assert_eq!(listed(&first.intersection(&second)), both);
        let only_a: Vec<u32> = a.iter().copied().filter(|process| !b.contains(process)).collect();
        prop_assert_eq!(listed(&first.difference(&second)), only_a);
        for (rank, process) in a.iter().enumerate() {
            prop_assert_eq!(first.rank_of(*process), Some(rank));
            let there = b.iter().position(|other| other == process).map_or(MPI_UNDEFINED, |rank| rank as c_int);
            prop_assert_eq!(first.translate(rank as c_int, &second), Ok(there));
        }
        for process in 0..80 {
            prop_assert_eq!(first.contains(process), a.contains(&process));
        }
    }

    #[test]
    fn comparison_ignores_the_order_only_for_similar(a in members(), b in members()) {
        let sorted = |list: &[u32]| { let mut list = list.to_vec(); list.sort_unstable(); list };
        let expected = if a == b {
            Comparison::Identical
        } else if sorted(&a) == sorted(&b) {
            Comparison::Similar
        } else {
            Comparison::Unequal
        };
        prop_assert_eq!(Group::new(a.clone()).compare(&Group::new(b)), expected);
        let reversed: Vec<u32> = a.iter().rev().copied().collect();
        let expected = if a.len() < 2 { Comparison::Identical } else { Comparison::Similar };
        prop_assert_eq!(Group::new(a).compare(&Group::new(reversed)), expected);
    }

    #[test]
    fn inclusion_picks_and_exclusion_keeps_the_rest(
        (all, picked) in members().prop_flat_map(|all| {
            let ranks: Vec<usize> = (0..all.len()).collect();
            let picked = proptest::sample::subsequence(ranks, 0..=all.len()).prop_shuffle();
            (Just(all), picked)
        }),
    ) {
        let group = Group::new(all.clone());
        let ranks: Vec<c_int> = picked.iter().map(|&rank| rank as c_int).collect();
        prop_assert_eq!(listed(&group.include(&ranks).unwrap()), pick(&all, &picked));
        let rest: Vec<usize> = (0..all.len()).filter(|rank| !picked.contains(rank)).collect();
        prop_assert_eq!(listed(&group.exclude(&ranks).unwrap()), pick(&all, &rest));
    }

    #[test]
    fn a_range_is_the_list_of_its_ranks(size in 1..50_usize, first in -2..52_i32, last in -2..52_i32, stride in -5..6_i32) {
        let all: Vec<u32> = (0..size as u32).map(|place| place * 7 % 53).collect();
        let group = Group::new(all.clone());
        let ranges = [Range { first, last, stride }];
        let up = stride > 0 && first <= last;
        let down = stride < 0 && first >= last;
        let ranks: Vec<i32> = if up {
            (first..=last).step_by(stride as usize).collect()
        } else if down {
            (last..=first).rev().step_by(-stride as usize).collect()
        } else {
            Vec::new()
        };
        let inside = ranks.iter().all(|&rank| rank >= 0 && (rank as usize) < size);
        match group.include_ranges(&ranges) {
            Ok(found) => {
                prop_assert!((up || down) && inside);
                prop_assert_eq!(listed(&found), listed(&group.include(&ranks).unwrap()));
                let rest = group.exclude_ranges(&ranges).unwrap();
                prop_assert_eq!(listed(&rest), listed(&group.exclude(&ranks).unwrap()));
            }
            Err(error) if up || down => {
                prop_assert!(!inside);
                prop_assert_eq!(error.code, MPI_ERR_RANK);
            }
            Err(error) => prop_assert!(error.code == MPI_ERR_ARG || error.code == MPI_ERR_RANK),
        }
    }
}

#[test]
fn what_is_wrong_with_a_rank_is_said() {
    let group = Group::new(vec![4, 5, 9]);
    assert_eq!(group.include(&[0, 3]).unwrap_err().text, "rank 3 is outside of a group of 3");
    assert_eq!(group.exclude(&[-1]).unwrap_err().code, MPI_ERR_RANK);
    assert_eq!(group.include(&[1, 2, 1]).unwrap_err().text, "rank 1 is named twice");
    assert_eq!(group.translate(MPI_PROC_NULL, &group), Ok(MPI_PROC_NULL));
    let overlapping = [Range { first: 0, last: 1, stride: 1 }, Range { first: 1, last: 2, stride: 1 }];
    assert_eq!(group.include_ranges(&overlapping).unwrap_err().code, MPI_ERR_RANK);
}

#[test]
fn a_huge_range_is_refused_before_it_is_walked() {
    let range = Range { first: 0, last: c_int::MAX, stride: 1 };
    assert_eq!(Group::new(vec![1, 2]).include_ranges(&[range]).unwrap_err().code, MPI_ERR_RANK);
}
