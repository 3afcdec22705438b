//! Reductions whose result is divided among the ranks.

use crate::coll::algorithm::{allreduce, reduce, scatter};
use crate::coll::schedule::{Builder, Data};

/// Everybody computes all of it and keeps its part: fewest rounds, for short vectors.
pub fn by_allreduce(builder: &mut Builder, mine: &Data, part: &dyn Fn(&Data, usize) -> Data, result: &Data) {
    let whole = builder.scratch_like(mine);
    allreduce::recursive_doubling(builder, mine, &whole);
    builder.copy(part(&whole, builder.rank), result.clone());
}

/// A reduction to rank 0, which scatters: keeps the order of ranks for operations that do not commute.
pub fn by_reduce(builder: &mut Builder, mine: &Data, part: &dyn Fn(&Data, usize) -> Data, result: &Data) {
    let whole = if builder.rank == 0 { builder.scratch_like(mine) } else { mine.clone() };
    reduce::binomial(builder, mine, Some(&whole), 0, false);
    scatter::linear(builder, Some(&|rank| part(&whole, rank)), Some(result), 0);
}

/// In round k a rank gets its part from the one k before it: the least traffic. For operations that commute.
pub fn pairwise(builder: &mut Builder, mine: &Data, part: &dyn Fn(&Data, usize) -> Data, result: &Data) {
    let (rank, size) = (builder.rank, builder.size);
    let in_place = mine.address == result.address;
    let total = if in_place { builder.scratch_like(result) } else { result.clone() };
    builder.copy(part(mine, rank), total.clone());
    let arrived = builder.scratch_like(result);
    for round in 1..size {
        let (to, from) = ((rank + round) % size, (rank + size - round) % size);
        builder.exchange(to, part(mine, to), from, arrived.clone());
        builder.reduce(arrived.address, total.clone());
    }
    builder.copy(total, result.clone());
}
