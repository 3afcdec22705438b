//! Reductions to one rank.

use crate::coll::algorithm::fold::{Fold, Pairing, halving, shares};
use crate::coll::schedule::{Builder, Data};

/// Along a binomial tree: ⌈log₂ n⌉ rounds. Operands meet in the order of ranks, counted from the root if the operation commutes, else
/// from rank 0, which hands the result to the root. `result` matters at the root alone.
pub fn binomial(builder: &mut Builder, mine: &Data, result: Option<&Data>, root: usize, commutes: bool) {
    let (rank, size) = (builder.rank, builder.size);
    let result = result.filter(|_| rank == root);
    let top = if commutes { root } else { 0 };
    let relative = (rank + size - top) % size;
    let mut fold = Fold::reading(mine, result);
    let mut bit = 1;
    while bit < size && relative & bit == 0 {
        if relative + bit < size {
            let spare = fold.spare(builder);
            builder.receive((rank + bit) % size, spare);
            builder.wait();
            fold.with_higher(builder);
        }
        bit <<= 1;
    }
    if relative != 0 {
        builder.send((rank + size - bit) % size, fold.value());
    } else if top != root {
        builder.send(root, fold.value());
    } else if let Some(result) = result {
        fold.finish(builder, result);
    }
    builder.wait();
    if let Some(result) = result.filter(|_| top != root) {
        builder.receive(top, result.clone());
        builder.wait();
    }
}

/// Rabenseifner: the elements are reduced by shares, and the shares sent to the root. For large messages of operations that commute.
pub fn rabenseifner(builder: &mut Builder, mine: &Data, result: Option<&Data>, root: usize) {
    let (rank, pairing) = (builder.rank, Pairing::new(builder.size));
    let whole = result.filter(|_| rank == root).cloned().unwrap_or_else(|| builder.scratch_like(mine));
    let mut fold = Fold::copied(builder, mine, &whole);
    pairing.fold_in(builder, &mut fold);
    let number = pairing.number(rank);
    if let Some(number) = number {
        halving(builder, pairing, number, &whole);
    }
    for other in (0..pairing.active).filter(|_| rank == root).filter(|&other| Some(other) != number) {
        builder.receive(pairing.rank(other), shares(&whole, pairing.active, other, 1));
    }
    if let Some(number) = number.filter(|_| rank != root) {
        builder.send(root, shares(&whole, pairing.active, number, 1));
    }
    builder.wait();
}

/// `into = data[0] op (data[1] op (… op data[n - 1]))`, where none of `data` but the last may lie in `into`.
pub fn fold_right(builder: &mut Builder, data: &[Data], into: &Data) {
    let Some((last, before)) = data.split_last() else { return };
    builder.copy(last.clone(), into.clone());
    for data in before.iter().rev() {
        builder.reduce(data.address, into.clone());
    }
}
