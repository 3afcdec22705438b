//! Every algorithm for 1 to 17 ranks, every root, odd counts, in place and not, operations that do not commute.

use super::play::{Combine, play, play_groups};
use crate::coll::algorithm::neighbor::Neighbors;
use crate::coll::algorithm::{allgather, allreduce, alltoall, bcast, gather, reduce, reduce_scatter, scatter};
use crate::coll::call::{Call, Parts, Place, Root, write_reduce_scatter};
use crate::coll::memory::{address, peek};
use crate::coll::schedule::{Blocks, Builder, Data, Schedule, run};

const SIZES: std::ops::RangeInclusive<usize> = 1..=17;
const COUNTS: [usize; 5] = [0, 1, 3, 16, 37];

/// Affine maps modulo 13, one after the other: associative, and the order matters. `16 a + b` stands for z ↦ a z + b.
fn compose(left: u8, right: u8) -> u8 {
    let (a, b, c, d) = (left / 16 % 13, left % 16 % 13, right / 16 % 13, right % 16 % 13);
    (a as u32 * c as u32 % 13) as u8 * 16 + ((a as u32 * d as u32 + b as u32) % 13) as u8
}

fn add(left: u8, right: u8) -> u8 {
    left.wrapping_add(right)
}

fn unused(_: u8, _: u8) -> u8 {
    unreachable!("no reductions in this collective")
}

/// A buffer of a rank, with values that tell rank and place apart.
struct Memory(Vec<u8>);

impl Memory {
    fn filled(len: usize, rank: usize) -> Memory {
        Memory((0..len).map(|index| value(rank, index)).collect())
    }

    fn empty(len: usize) -> Memory {
        Memory(vec![0xee; len])
    }

    fn data(&mut self) -> Data {
        let len = self.0.len();
        run(address(self.0.as_mut_ptr()), len)
    }

    fn blocks(&mut self, count: usize) -> Blocks {
        Blocks::new(self.data().elements(0, count))
    }
}

fn value(rank: usize, index: usize) -> u8 {
    let mixed = ((rank * 31 + index * 7 + 5) as u32).wrapping_mul(2_654_435_761) as usize >> 9;
    ((mixed % 12 + 1) * 16 + mixed / 12 % 13) as u8
}

fn values(rank: usize, len: usize) -> Vec<u8> {
    Memory::filled(len, rank).0
}

fn schedules(size: usize, mut write: impl FnMut(&mut Builder)) -> Vec<Schedule> {
    let build = |rank| {
        let mut builder = Builder::new(rank, size, None);
        write(&mut builder);
        builder.finish()
    };
    (0..size).map(build).collect()
}

/// What `data` of all ranks folds to, in the order of ranks.
fn fold(ranks: std::ops::Range<usize>, len: usize, combine: Combine) -> Vec<u8> {
    let all = ranks.map(|rank| values(rank, len));
    all.reduce(|left, right| left.iter().zip(&right).map(|(&left, &right)| combine(left, right)).collect())
        .unwrap_or_default()
}

fn for_roots(check: impl Fn(usize, usize, usize)) {
    for size in SIZES {
        for root in 0..size {
            COUNTS.iter().for_each(|&count| check(size, root, count));
        }
    }
}

#[test]
fn the_operation_of_these_tests_is_associative_and_does_not_commute() {
    let all: Vec<u8> = (0..6).flat_map(|rank| values(rank, 3)).collect();
    for (&x, &y) in all.iter().zip(all.iter().skip(3)) {
        for &z in &all {
            assert_eq!(compose(compose(x, y), z), compose(x, compose(y, z)));
        }
    }
    assert!(all.windows(2).any(|pair| compose(pair[0], pair[1]) != compose(pair[1], pair[0])));
}

#[test]
fn barriers_hold_everybody() {
    for size in SIZES {
        let call = Call::Barrier;
        let build = |rank| call.schedule(Place { rank, size, remote: None });
        play((0..size).map(build).collect(), unused, size as u64);
        // Nobody may leave before the last has come: without one rank, nobody else ends.
        for absent in (0..size).filter(|_| size > 1) {
            let mut all: Vec<Schedule> = (0..size).map(build).collect();
            let before = all[absent].steps.len();
            all[absent].steps.clear();
            assert!(before > 0);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(all, unused, 1)));
            assert!(outcome.is_err(), "{size} ranks left a barrier without rank {absent}");
        }
    }
}

#[test]
fn broadcasts() {
    type Write = fn(&mut Builder, &Data, usize);
    let all: [Write; 3] =
        [bcast::binomial, bcast::scatter_allgather, |builder, data, root| bcast::chain(builder, data, root, 5)];
    for_roots(|size, root, count| {
        for (index, write) in all.iter().enumerate() {
            let fill = |rank| if rank == root { Memory::filled(count, root) } else { Memory::empty(count) };
            let mut memory: Vec<Memory> = (0..size).map(fill).collect();
            let built = schedules(size, |builder| write(builder, &memory[builder.rank].data(), root));
            play(built, unused, (size * root + count) as u64);
            let expected = values(root, count);
            assert!(
                memory.iter().all(|got| got.0 == expected),
                "algorithm {index}, {size} ranks, root {root}, {count} bytes"
            );
        }
    });
}

#[test]
fn gathers() {
    for_roots(|size, root, count| {
        for (binomial, in_place) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut mine: Vec<Memory> = (0..size).map(|rank| Memory::filled(count, rank)).collect();
            let mut all = Memory::empty(size * count);
            if in_place {
                all.0[root * count..][..count].copy_from_slice(&values(root, count));
            }
            let blocks = all.blocks(count);
            let built = schedules(size, |builder| {
                let data = mine[builder.rank].data();
                let data = (builder.rank != root || !in_place).then_some(&data);
                let all = (builder.rank == root).then_some(&blocks);
                match binomial {
                    true => gather::binomial(builder, data, all, root, count),
                    false if builder.rank == root => gather::linear(builder, data, Some(&|rank| blocks.of(rank)), root),
                    false => gather::linear(builder, data, None, root),
                }
            });
            play(built, unused, size as u64);
            let expected: Vec<u8> = (0..size).flat_map(|rank| values(rank, count)).collect();
            assert_eq!(all.0, expected, "binomial {binomial}, in place {in_place}, {size} ranks, root {root}");
        }
    });
}

#[test]
fn scatters() {
    for_roots(|size, root, count| {
        for (binomial, in_place) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut mine: Vec<Memory> = (0..size).map(|_| Memory::empty(count)).collect();
            let mut all = Memory::filled(size * count, root);
            let blocks = all.blocks(count);
            let built = schedules(size, |builder| {
                let data = mine[builder.rank].data();
                let data = (builder.rank != root || !in_place).then_some(&data);
                let all = (builder.rank == root).then_some(&blocks);
                match binomial {
                    true => scatter::binomial(builder, all, data, root, count),
                    false if builder.rank == root => {
                        scatter::linear(builder, Some(&|rank| blocks.of(rank)), data, root)
                    }
                    false => scatter::linear(builder, None, data, root),
                }
            });
            play(built, unused, size as u64);
            for (rank, got) in mine.iter().enumerate().filter(|&(rank, _)| rank != root || !in_place) {
                assert_eq!(
                    got.0,
                    all.0[rank * count..][..count],
                    "rank {rank} of {size}, binomial {binomial}, root {root}"
                );
            }
        }
    });
}

#[test]
fn all_gathers() {
    type Write = fn(&mut Builder, &Blocks);
    let ring: Write = |builder, all| allgather::ring(builder, &|rank| all.of(rank));
    for size in SIZES {
        for count in COUNTS {
            for (index, write) in [ring, allgather::bruck, allgather::recursive_doubling].iter().enumerate() {
                if index == 2 && !size.is_power_of_two() {
                    continue;
                }
                let mut all: Vec<Memory> = (0..size).map(|_| Memory::empty(size * count)).collect();
                let built = schedules(size, |builder| {
                    let rank = builder.rank;
                    all[rank].0[rank * count..][..count].copy_from_slice(&values(rank, count));
                    write(builder, &all[rank].blocks(count));
                });
                play(built, unused, size as u64);
                let expected: Vec<u8> = (0..size).flat_map(|rank| values(rank, count)).collect();
                assert!(all.iter().all(|got| got.0 == expected), "algorithm {index}, {size} ranks, {count} bytes");
            }
        }
    }
}

#[test]
fn all_to_alls() {
    for size in SIZES {
        for count in COUNTS {
            for (bruck, in_place) in [(false, false), (true, false), (false, true)] {
                let mut out: Vec<Memory> = (0..size).map(|rank| Memory::filled(size * count, rank)).collect();
                let mut into: Vec<Memory> = (0..size).map(|_| Memory::empty(size * count)).collect();
                let built = schedules(size, |builder| {
                    let (out, into) = (out[builder.rank].blocks(count), into[builder.rank].blocks(count));
                    match (bruck, in_place) {
                        (true, _) => alltoall::bruck(builder, &out, &into),
                        (_, true) => crate::coll::call::write_alltoall(builder, None, &Parts::Equal(out)),
                        _ => alltoall::pairwise(builder, &|rank| out.of(rank), &|rank| into.of(rank)),
                    }
                });
                play(built, unused, size as u64);
                let got = if in_place { &out } else { &into };
                for (rank, got) in got.iter().enumerate() {
                    let expected =
                        (0..size).flat_map(|from| values(from, size * count)[rank * count..][..count].to_vec());
                    assert!(
                        got.0.iter().copied().eq(expected),
                        "rank {rank} of {size}, bruck {bruck}, in place {in_place}"
                    );
                }
            }
        }
    }
}

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

#[test]
fn neighbours_on_a_ring() {
    for size in SIZES {
        let mut out: Vec<Memory> = (0..size).map(|rank| Memory::filled(6, rank)).collect();
        let mut into: Vec<Memory> = (0..size).map(|_| Memory::empty(6)).collect();
        let build = |rank: usize| {
            let both = vec![Some((rank + size - 1) % size), Some((rank + 1) % size)];
            let with = Neighbors { sources: both.clone(), destinations: both, cartesian: true };
            let (out, into) = (Parts::Equal(out[rank].blocks(3)), Parts::Equal(into[rank].blocks(3)));
            Call::Neighbor { with, out, into }.schedule(Place { rank, size, remote: None })
        };
        play((0..size).map(build).collect(), unused, 7);
        for (rank, got) in into.iter().enumerate() {
            let (before, after) = (values((rank + size - 1) % size, 6), values((rank + 1) % size, 6));
            assert_eq!(got.0[..3], before[3..], "rank {rank} of {size}: what its neighbour before sent upwards");
            assert_eq!(got.0[3..], after[..3], "rank {rank} of {size}: what its neighbour after sent downwards");
        }
    }
}

#[test]
fn missing_neighbours_are_left_out() {
    let mut out: Vec<Memory> = (0..3).map(|rank| Memory::filled(4, rank)).collect();
    let mut into: Vec<Memory> = (0..3).map(|_| Memory::empty(4)).collect();
    let build = |rank: usize| {
        let both = vec![rank.checked_sub(1), Some(rank + 1).filter(|&next| next < 3)];
        let with = Neighbors { sources: both.clone(), destinations: both, cartesian: true };
        let (out, into) = (Parts::Equal(out[rank].blocks(2)), Parts::Equal(into[rank].blocks(2)));
        Call::Neighbor { with, out, into }.schedule(Place { rank, size: 3, remote: None })
    };
    play((0..3).map(build).collect(), unused, 7);
    assert_eq!(into[0].0, [&[0xee; 2], &values(1, 4)[..2]].concat());
    assert_eq!(into[2].0, [&values(1, 4)[2..], &[0xee; 2]].concat());
}

/// Two groups of these sizes, a call made for each of their ranks; what lies in its second memory afterwards.
fn across(
    sizes: [usize; 2],
    len: usize,
    make: &dyn Fn(usize, usize, Data, Data) -> Call,
    combine: Combine,
) -> [Vec<Vec<u8>>; 2] {
    let mut memory = sizes.map(|size| (0..size).map(|_| (Memory::empty(len), Memory::empty(len))).collect::<Vec<_>>());
    let mut built = Vec::new();
    for (group, members) in memory.iter_mut().enumerate() {
        let schedules = members.iter_mut().enumerate().map(|(rank, (mine, other))| {
            *mine = Memory::filled(len, group * 100 + rank);
            let place = Place { rank, size: sizes[group], remote: Some(sizes[1 - group]) };
            make(group, rank, mine.data(), other.data()).schedule(place)
        });
        built.push(schedules.collect::<Vec<_>>());
    }
    let others = built.pop().unwrap();
    play_groups(built.pop().unwrap(), others, combine, len as u64);
    memory.map(|mut members| members.iter_mut().map(|(_, other)| peek(&other.data())).collect())
}

fn root_of(group: usize, rank: usize, root: usize) -> Root {
    match (group, rank == root) {
        (1, _) => Root::Rank(root),
        (_, true) => Root::Here,
        (_, false) => Root::Elsewhere,
    }
}

#[test]
fn collectives_between_groups() {
    for sizes in [[1, 1], [1, 4], [3, 2], [5, 7]] {
        let far = |group: usize| (0..sizes[1 - group]).map(move |rank| (1 - group) * 100 + rank);
        across(sizes, 0, &|_, _, _, _| Call::Barrier, unused);
        for root in 0..sizes[0] {
            let got = across(
                sizes,
                5,
                &|group, rank, mine, other| {
                    let data = if group == 0 { mine } else { other };
                    Call::Bcast { data, root: root_of(group, rank, root) }
                },
                unused,
            );
            assert!(got[1].iter().all(|got| *got == values(root, 5)));
        }
        let len = 4 * sizes[0].max(sizes[1]);
        let got = across(
            sizes,
            len,
            &|_, _, mine, other| Call::Allgather {
                mine: Some(mine.elements(0, 4)),
                all: Parts::Equal(Blocks::new(other.elements(0, 4))),
            },
            unused,
        );
        for group in [0, 1] {
            let expected: Vec<u8> = far(group).flat_map(|rank| values(rank, 4)).collect();
            assert!(got[group].iter().all(|got| got[..expected.len()] == expected));
        }
        let got = across(
            sizes,
            len,
            &|_, _, mine, other| {
                let blocks = |data: Data| Parts::Equal(Blocks::new(data.elements(0, 4)));
                Call::Alltoall { out: Some(blocks(mine)), into: blocks(other) }
            },
            unused,
        );
        for group in [0, 1] {
            for (rank, got) in got[group].iter().enumerate() {
                let expected: Vec<u8> =
                    far(group).flat_map(|from| values(from, len)[rank * 4..][..4].to_vec()).collect();
                assert_eq!(got[..expected.len()], expected);
            }
        }
    }
}
