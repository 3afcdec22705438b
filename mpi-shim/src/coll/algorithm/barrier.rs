//! Barriers.

use crate::coll::schedule::{Builder, run};

/// Dissemination (Hensgen, Finkel, Manber 1988): in round k a rank signals the one 2^k after it; ⌈log₂ n⌉ rounds.
pub fn dissemination(builder: &mut Builder) {
    let (rank, size) = (builder.rank, builder.size);
    let mut distance = 1;
    while distance < size {
        builder.exchange((rank + distance) % size, run(0, 0), (rank + size - distance) % size, run(0, 0));
        distance *= 2;
    }
}
