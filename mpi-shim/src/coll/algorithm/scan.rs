//! Prefix reductions: ⌈log₂ n⌉ exchanges of the totals of groups that double, operands in the order of ranks.

use crate::coll::schedule::{Builder, Data};

/// Rank r gets the total of the ranks 0 to r.
pub fn inclusive(builder: &mut Builder, mine: &Data, result: &Data) {
    let total = builder.scratch_like(mine);
    builder.copy(mine.clone(), total.clone());
    builder.copy(mine.clone(), result.clone());
    doubling(builder, total, result, true);
}

/// Rank r gets the total of the ranks 0 to r - 1; the result of rank 0 is left as it is.
pub fn exclusive(builder: &mut Builder, mine: &Data, result: &Data) {
    let total = builder.scratch_like(mine);
    builder.copy(mine.clone(), total.clone());
    doubling(builder, total, result, false);
}

fn doubling(builder: &mut Builder, mut total: Data, result: &Data, mut begun: bool) {
    let (rank, size) = (builder.rank, builder.size);
    let mut spare = builder.scratch_like(&total);
    let mut bit = 1;
    while bit < size {
        let peer = rank ^ bit;
        bit <<= 1;
        if peer >= size {
            continue;
        }
        builder.exchange(peer, total.clone(), peer, spare.clone());
        if peer > rank {
            builder.reduce(total.address, spare.clone());
            std::mem::swap(&mut total, &mut spare);
            continue;
        }
        match begun {
            true => builder.reduce(spare.address, result.clone()),
            false => builder.copy(spare.clone(), result.clone()),
        }
        begun = true;
        builder.reduce(spare.address, total.clone());
    }
}
