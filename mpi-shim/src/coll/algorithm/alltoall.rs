//! All-to-alls: a block from every rank to every rank.

use crate::coll::schedule::{Blocks, Builder, Data, at, run};

/// How many messages of a general exchange are under way at a time: enough to hide latency, few enough to bound memory.
const WINDOW: usize = 16;

/// In round k a rank sends to the one k after it and receives from the one k before it, a window of rounds at a time. The blocks may
/// differ in size and type.
pub fn pairwise(builder: &mut Builder, out: &dyn Fn(usize) -> Data, into: &dyn Fn(usize) -> Data) {
    let (rank, size) = (builder.rank, builder.size);
    builder.copy(out(rank), into(rank));
    for round in 1..size {
        let (to, from) = ((rank + round) % size, (rank + size - round) % size);
        builder.receive_some(from, into(from));
        builder.send_some(to, out(to));
        if round % WINDOW == 0 {
            builder.wait();
        }
    }
    builder.wait();
}

/// Bruck and others 1997: ⌈log₂ n⌉ rounds, in each of which half of all blocks move; for small blocks and many ranks.
pub fn bruck(builder: &mut Builder, out: &Blocks, into: &Blocks) {
    let (rank, size, bytes) = (builder.rank, builder.size, into.bytes());
    let turned = builder.scratch_run(size * bytes);
    let bundle = builder.scratch_run(size.div_ceil(2) * bytes);
    let arrived = builder.scratch_run(size.div_ceil(2) * bytes);
    let part = |of: &Data, first: usize, count: usize| run(at(of.address, first, bytes as isize), count * bytes);
    builder.copy(out.range(rank, size - rank), part(&turned, 0, size - rank));
    builder.copy(out.range(0, rank), part(&turned, size - rank, rank));
    let mut bit = 1;
    while bit < size {
        let moving: Vec<usize> = (0..size).filter(|block| block & bit != 0).collect();
        for (slot, &block) in moving.iter().enumerate() {
            builder.copy(part(&turned, block, 1), part(&bundle, slot, 1));
        }
        let (to, from) = ((rank + bit) % size, (rank + size - bit) % size);
        builder.exchange(to, part(&bundle, 0, moving.len()), from, part(&arrived, 0, moving.len()));
        for (slot, &block) in moving.iter().enumerate() {
            builder.copy(part(&arrived, slot, 1), part(&turned, block, 1));
        }
        bit <<= 1;
    }
    for block in 0..size {
        builder.copy(part(&turned, block, 1), into.of((rank + size - block) % size));
    }
}
