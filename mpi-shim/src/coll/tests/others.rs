//! Collectives among neighbours, and between two groups.

use super::play::{Combine, play, play_groups};
use super::rig::{Memory, SIZES, unused, values};
use crate::coll::algorithm::neighbor::Neighbors;
use crate::coll::call::{Call, Parts, Place, Root};
use crate::coll::memory::peek;
use crate::coll::schedule::{Blocks, Data};

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
