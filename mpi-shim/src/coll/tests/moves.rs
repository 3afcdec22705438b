//! Collectives that move data.

use super::play::play;
use super::rig::{COUNTS, Memory, SIZES, compose, for_roots, schedules, unused, values};
use crate::coll::algorithm::{allgather, alltoall, bcast, gather, scatter};
use crate::coll::call::{Call, Parts, Place};
use crate::coll::schedule::{Blocks, Builder, Data, Schedule};

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
