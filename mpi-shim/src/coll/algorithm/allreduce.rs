//! Reductions whose result every rank gets, the same to the last bit.

use crate::coll::algorithm::allgather;
use crate::coll::algorithm::fold::{Fold, Pairing, halving, shares};
use crate::coll::schedule::{Builder, Data};

/// ⌈log₂ n⌉ exchanges of the whole vector, operands in the order of ranks. For short vectors, and operations that do not commute.
pub fn recursive_doubling(builder: &mut Builder, mine: &Data, result: &Data) {
    let (rank, pairing) = (builder.rank, Pairing::new(builder.size));
    let mut fold = Fold::copied(builder, mine, result);
    pairing.fold_in(builder, &mut fold);
    let Some(number) = pairing.number(rank) else {
        return pairing.hand_out(builder, result);
    };
    let mut bit = 1;
    while bit < pairing.active {
        let peer = pairing.rank(number ^ bit);
        let spare = fold.spare(builder);
        builder.exchange(peer, fold.value(), peer, spare);
        match number & bit == 0 {
            true => fold.with_higher(builder),
            false => fold.with_lower(builder),
        }
        bit <<= 1;
    }
    fold.finish(builder, result);
    pairing.hand_out(builder, result);
}

/// Rabenseifner: recursive halving, then recursive doubling; each rank sends about twice the vector. For operations that commute.
pub fn rabenseifner(builder: &mut Builder, mine: &Data, result: &Data) {
    let (rank, pairing) = (builder.rank, Pairing::new(builder.size));
    let mut fold = Fold::copied(builder, mine, result);
    pairing.fold_in(builder, &mut fold);
    if let Some(number) = pairing.number(rank) {
        halving(builder, pairing, number, result);
        let mut held = 1;
        while held < pairing.active {
            let other = number ^ held;
            let peer = pairing.rank(other);
            let (mine, theirs) = (number & !(held - 1), other & !(held - 1));
            let into = shares(result, pairing.active, theirs, held);
            builder.exchange(peer, shares(result, pairing.active, mine, held), peer, into);
            held *= 2;
        }
    }
    pairing.hand_out(builder, result);
}

/// Around a ring, once to reduce and once to gather: the least traffic, 2 (n - 1) rounds. For long vectors of operations that commute.
pub fn ring(builder: &mut Builder, mine: &Data, result: &Data) {
    let (rank, size) = (builder.rank, builder.size);
    builder.copy(mine.clone(), result.clone());
    let spare = builder.scratch_like(result);
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size);
    for round in 1..size {
        let (out, into) = ((rank + size - round) % size, (rank + 2 * size - round - 1) % size);
        let arrived = shares(&spare, size, into, 1);
        builder.exchange(next, shares(result, size, out, 1), previous, arrived.clone());
        builder.reduce(arrived.address, shares(result, size, into, 1));
    }
    allgather::ring(builder, &|rank| shares(result, size, rank, 1));
}
