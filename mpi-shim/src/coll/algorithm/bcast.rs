//! Broadcasts.

use crate::coll::schedule::{Builder, Data, run, share};

/// A binomial tree: ⌈log₂ n⌉ rounds, in each of which all who have the message send it on.
pub fn binomial(builder: &mut Builder, data: &Data, root: usize) {
    let (size, relative) = (builder.size, (builder.rank + builder.size - root) % builder.size);
    let mut bit = 1;
    while bit < size && relative & bit == 0 {
        bit <<= 1;
    }
    if relative != 0 {
        builder.receive((relative - bit + root) % size, data.clone());
        builder.wait();
    }
    bit >>= 1;
    while bit > 0 {
        if relative + bit < size {
            builder.send((relative + bit + root) % size, data.clone());
        }
        bit >>= 1;
    }
    builder.wait();
}

/// Scatter along a binomial tree, then gather all around a ring (van de Geijn): each rank sends about twice the message, whatever their number.
pub fn scatter_allgather(builder: &mut Builder, data: &Data, root: usize) {
    let (rank, size) = (builder.rank, builder.size);
    let relative = (rank + size - root) % size;
    let whole = if relative == 0 { builder.gathered(data) } else { builder.place_for(data) };
    let slices = |first: usize, count: usize| {
        let begin = share(whole.count, size, first).0;
        let (last, len) = share(whole.count, size, first + count - 1);
        run(whole.address + begin, last + len - begin)
    };
    scatter_slices(builder, &slices, root);
    let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size);
    for round in 0..size - 1 {
        let out = (relative + size - round) % size;
        let into = (relative + size - round - 1) % size;
        builder.exchange(next, slices(out, 1), previous, slices(into, 1));
    }
    if relative != 0 {
        builder.scattered(whole, data);
    }
}

/// The first half of [`scatter_allgather`]: rank r, counted from the root, ends with slice r (and those of its subtree).
fn scatter_slices(builder: &mut Builder, slices: &impl Fn(usize, usize) -> Data, root: usize) {
    let (size, relative) = (builder.size, (builder.rank + builder.size - root) % builder.size);
    let mut bit = 1;
    while bit < size && relative & bit == 0 {
        bit <<= 1;
    }
    if relative != 0 {
        builder.receive((relative - bit + root) % size, slices(relative, bit.min(size - relative)));
        builder.wait();
    }
    bit >>= 1;
    while bit > 0 {
        if relative + bit < size {
            let to = relative + bit;
            builder.send((to + root) % size, slices(to, bit.min(size - to)));
        }
        bit >>= 1;
    }
    builder.wait();
}

/// A chain of ranks through which the message moves in segments: the time of one message and a segment for each rank.
pub fn chain(builder: &mut Builder, data: &Data, root: usize, segment: usize) {
    let (size, relative) = (builder.size, (builder.rank + builder.size - root) % builder.size);
    let whole = if relative == 0 { builder.gathered(data) } else { builder.place_for(data) };
    let pieces = whole.count.div_ceil(segment);
    let piece = |k: usize| run(whole.address + k * segment, segment.min(whole.count - k * segment));
    let (previous, next) = ((relative + size - 1 + root) % size, (relative + 1 + root) % size);
    for k in 0..pieces + 1 {
        if relative != 0 && k < pieces {
            builder.receive(previous, piece(k));
        }
        if relative + 1 < size && k > 0 {
            builder.send(next, piece(k - 1));
        }
        builder.wait();
    }
    if relative != 0 {
        builder.scattered(whole, data);
    }
}
