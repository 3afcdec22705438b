//! All-gathers: every rank's block to every rank. All of them begin with the rank's own block in its place.

use crate::coll::schedule::{Blocks, Builder, Data, at, run};

/// Each round the neighbours exchange twice as many blocks as before; for powers of two, log₂ n rounds.
pub fn recursive_doubling(builder: &mut Builder, all: &Blocks) {
    let (rank, size) = (builder.rank, builder.size);
    let mut held = 1;
    while held < size {
        let peer = rank ^ held;
        let (mine, theirs) = (rank & !(held - 1), peer & !(held - 1));
        builder.exchange(peer, all.range(mine, held), peer, all.range(theirs, held));
        held *= 2;
    }
}

/// Bruck, Ho, Kipnis, Upfal and Weathersby 1997: ⌈log₂ n⌉ rounds for any n. Blocks are kept from the own one upwards, and turned in the end.
pub fn bruck(builder: &mut Builder, all: &Blocks) {
    let (rank, size, bytes) = (builder.rank, builder.size, all.bytes());
    let turned = builder.scratch_run(size * bytes);
    let part = |first: usize, count: usize| run(at(turned.address, first, bytes as isize), count * bytes);
    builder.copy(all.of(rank), part(0, 1));
    let mut held = 1;
    while held < size {
        let count = held.min(size - held);
        builder.exchange((rank + size - held) % size, part(0, count), (rank + held) % size, part(held, count));
        held += count;
    }
    builder.copy(part(0, size - rank), all.range(rank, size - rank));
    builder.copy(part(size - rank, rank), all.range(0, rank));
}

/// Around a ring: n - 1 rounds, every block passes every rank. The blocks may differ in size.
pub fn ring(builder: &mut Builder, block: &dyn Fn(usize) -> Data) {
    let (rank, size) = (builder.rank, builder.size);
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size);
    for round in 0..size - 1 {
        builder.receive_some(previous, block((rank + size - round - 1) % size));
        builder.send_some(next, block((rank + size - round) % size));
        builder.wait();
    }
}
