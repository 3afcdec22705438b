//! Gathers: every rank's block to the root.

use crate::coll::schedule::{Blocks, Builder, Data, at, run};

/// Every rank sends to the root, which receives in the order of ranks. `mine` is `None` at a root whose block is in its place.
pub fn linear(builder: &mut Builder, mine: Option<&Data>, all: Option<&dyn Fn(usize) -> Data>, root: usize) {
    let (rank, size) = (builder.rank, builder.size);
    let Some(block) = all.filter(|_| rank == root) else {
        if let Some(mine) = mine {
            builder.send_some(root, mine.clone());
        }
        return builder.wait();
    };
    for from in (0..size).filter(|&from| from != root) {
        builder.receive_some(from, block(from));
    }
    if let Some(mine) = mine {
        builder.copy(mine.clone(), block(root));
    }
    builder.wait();
}

/// Along a binomial tree: ⌈log₂ n⌉ rounds, each block is forwarded up to as often. `bytes` is the size of one block, the same everywhere.
pub fn binomial(builder: &mut Builder, mine: Option<&Data>, all: Option<&Blocks>, root: usize, bytes: usize) {
    let (rank, size) = (builder.rank, builder.size);
    let relative = (rank + size - root) % size;
    let lowest = if relative == 0 { size.next_power_of_two() } else { 1 << relative.trailing_zeros() };
    let held = lowest.min(size - relative);
    let subtree = builder.scratch_run(held * bytes);
    let part = |first: usize, count: usize| run(at(subtree.address, first, bytes as isize), count * bytes);
    let mut bit = 1;
    while bit < lowest && relative + bit < size {
        builder.receive((rank + bit) % size, part(bit, bit.min(held - bit)));
        bit <<= 1;
    }
    if let Some(mine) = mine.filter(|_| relative != 0) {
        builder.copy(mine.clone(), part(0, 1));
    }
    builder.wait();
    match all.filter(|_| relative == 0) {
        None => {
            builder.send((rank + size - lowest) % size, part(0, held));
            builder.wait();
        }
        Some(all) => {
            if let Some(mine) = mine {
                builder.copy(mine.clone(), all.of(root));
            }
            let before_end = size - root;
            if before_end > 1 {
                builder.copy(part(1, before_end - 1), all.range(root + 1, before_end - 1));
            }
            builder.copy(part(before_end, root), all.range(0, root));
        }
    }
}
