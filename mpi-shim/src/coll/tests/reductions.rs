//! Reductions and prefixes.

use super::play::{Combine, play};
use super::rig::{COUNTS, Memory, SIZES, add, compose, fold, for_roots, schedules, values};
use crate::coll::algorithm::{allreduce, reduce, reduce_scatter};
use crate::coll::call::write_reduce_scatter;
use crate::coll::schedule::{Builder, Data};

/// Checks a reduction whose result is at the ranks that `expected` gives one for.
fn check_reduction(
    size: usize,
    count: usize,
    combine: Combine,
    in_place: bool,
    write: &dyn Fn(&mut Builder, &Data, &Data),
    expected: &dyn Fn(usize) -> Option<Vec<u8>>,
    name: &str,
) {
    let mut mine: Vec<Memory> = (0..size).map(|rank| Memory::filled(count, rank)).collect();
    let mut result: Vec<Memory> = (0..size).map(|_| Memory::empty(count)).collect();
    let built = schedules(size, |builder| {
        let rank = builder.rank;
        let (mine, other) = (mine[rank].data(), result[rank].data());
        write(builder, &mine, if in_place { &mine } else { &other });
    });
    play(built, combine, (size + count) as u64);
    for rank in 0..size {
        let got = if in_place { &mine[rank].0 } else { &result[rank].0 };
        if let Some(expected) = expected(rank) {
            assert_eq!(
                got[..expected.len()],
                expected,
                "{name}: rank {rank} of {size}, {count} elements, in place {in_place}"
            );
        }
        if !in_place {
            assert_eq!(mine[rank].0, values(rank, count), "{name}: rank {rank} of {size} lost its operand");
        }
    }
}

#[test]
fn reductions_to_a_root() {
    for_roots(|size, root, count| {
        for in_place in [false, true] {
            for (combine, commutes) in [(compose as Combine, false), (add, true)] {
                let total = fold(0..size, count, combine);
                let expected = |rank| (rank == root).then(|| total.clone());
                let binomial = |builder: &mut Builder, mine: &Data, result: &Data| {
                    reduce::binomial(builder, mine, Some(result), root, commutes);
                };
                check_reduction(size, count, combine, in_place, &binomial, &expected, "binomial");
            }
            let total = fold(0..size, count, add);
            let expected = |rank| (rank == root).then(|| total.clone());
            let halving = |builder: &mut Builder, mine: &Data, result: &Data| {
                reduce::rabenseifner(builder, mine, Some(result), root);
            };
            check_reduction(size, count, add, in_place, &halving, &expected, "rabenseifner");
        }
    });
}

#[test]
fn reductions_to_all() {
    type Write = fn(&mut Builder, &Data, &Data);
    let all: [(Write, Combine, &str); 4] = [
        (allreduce::recursive_doubling, compose, "recursive doubling"),
        (allreduce::recursive_doubling, add, "recursive doubling"),
        (allreduce::rabenseifner, add, "rabenseifner"),
        (allreduce::ring, add, "ring"),
    ];
    for size in SIZES {
        for count in COUNTS {
            for (write, combine, name) in all {
                let total = fold(0..size, count, combine);
                for in_place in [false, true] {
                    check_reduction(size, count, combine, in_place, &write, &|_| Some(total.clone()), name);
                }
            }
        }
    }
}

#[test]
fn prefixes() {
    for size in SIZES {
        for count in COUNTS {
            for in_place in [false, true] {
                let inclusive = |rank| Some(fold(0..rank + 1, count, compose));
                let exclusive = |rank| (rank > 0).then(|| fold(0..rank, count, compose));
                use crate::coll::algorithm::scan;
                check_reduction(size, count, compose, in_place, &scan::inclusive, &inclusive, "scan");
                check_reduction(size, count, compose, in_place, &scan::exclusive, &exclusive, "exscan");
            }
        }
    }
}

#[test]
fn divided_reductions() {
    type Part<'a> = &'a dyn Fn(&Data, usize) -> Data;
    type Write = fn(&mut Builder, &Data, Part<'_>, &Data);
    let all: [(Write, Combine, &str); 3] = [
        (reduce_scatter::by_allreduce, compose, "by allreduce"),
        (reduce_scatter::by_reduce, compose, "by reduce"),
        (reduce_scatter::pairwise, add, "pairwise"),
    ];
    for size in SIZES {
        let counts: Vec<usize> = (0..size).map(|rank| rank * 5 % 4).collect();
        let begins: Vec<usize> = (0..size).map(|rank| counts[..rank].iter().sum()).collect();
        let total = counts.iter().sum();
        let part = |whole: &Data, rank: usize| whole.elements(begins[rank], counts[rank]);
        for (write, combine, name) in all {
            let sum = fold(0..size, total, combine);
            let expected = |rank: usize| Some(sum[begins[rank]..][..counts[rank]].to_vec());
            for in_place in [false, true] {
                let write = |builder: &mut Builder, mine: &Data, result: &Data| {
                    write(builder, mine, &part, &result.elements(0, counts[builder.rank]));
                };
                check_reduction(size, total, combine, in_place, &write, &expected, name);
            }
        }
        let sum = fold(0..size, total, compose);
        let expected = |rank: usize| Some(sum[begins[rank]..][..counts[rank]].to_vec());
        let chosen = |builder: &mut Builder, mine: &Data, result: &Data| {
            let result = result.elements(0, counts[builder.rank]);
            write_reduce_scatter(builder, mine, &result, &counts, false);
        };
        check_reduction(size, total, compose, false, &chosen, &expected, "chosen");
    }
}
