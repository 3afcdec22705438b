//! Scatters: a block for every rank, from the root.

use crate::coll::schedule::{Blocks, Builder, Data, at, run};

/// The root sends to every rank. `mine` is `None` at a root whose block stays in its place.
pub fn linear(builder: &mut Builder, all: Option<&dyn Fn(usize) -> Data>, mine: Option<&Data>, root: usize) {
    let (rank, size) = (builder.rank, builder.size);
    let Some(block) = all.filter(|_| rank == root) else {
        if let Some(mine) = mine {
            builder.receive_some(root, mine.clone());
        }
        return builder.wait();
    };
    for to in (0..size).filter(|&to| to != root) {
        builder.send_some(to, block(to));
    }
    if let Some(mine) = mine {
        builder.copy(block(root), mine.clone());
    }
    builder.wait();
}

/// Along a binomial tree: ⌈log₂ n⌉ rounds. `bytes` is the size of one block, the same everywhere.
pub fn binomial(builder: &mut Builder, all: Option<&Blocks>, mine: Option<&Data>, root: usize, bytes: usize) {
    let (rank, size) = (builder.rank, builder.size);
    let relative = (rank + size - root) % size;
    let lowest = if relative == 0 { size.next_power_of_two() } else { 1 << relative.trailing_zeros() };
    let held = lowest.min(size - relative);
    let subtree = builder.scratch_run(held * bytes);
    let part = |first: usize, count: usize| run(at(subtree.address, first, bytes as isize), count * bytes);
    match all.filter(|_| relative == 0) {
        None => {
            builder.receive((rank + size - lowest) % size, part(0, held));
            builder.wait();
        }
        Some(all) => {
            builder.copy(all.range(root, size - root), part(0, size - root));
            builder.copy(all.range(0, root), part(size - root, root));
        }
    }
    let mut bit = lowest >> 1;
    while bit > 0 {
        if relative + bit < size {
            builder.send((rank + bit) % size, part(bit, bit.min(held - bit)));
        }
        bit >>= 1;
    }
    if let Some(mine) = mine {
        builder.copy(part(0, 1), mine.clone());
    }
    builder.wait();
}
