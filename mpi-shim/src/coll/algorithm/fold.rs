//! What the reductions share: a running value, and ranks paired off until their number is a power of two.

use crate::coll::schedule::{Builder, Data, share};

/// The value that a rank has so far, and memory for what comes next. The two change places after each operation, so that operands keep
/// the order of ranks without copies.
#[derive(Debug)]
pub struct Fold {
    value: Data,
    writable: bool,
    spare: Option<Data>,
}

impl Fold {
    /// Begins with `mine`, which is only read; `room` is memory that may be used if it is elsewhere.
    pub fn reading(mine: &Data, room: Option<&Data>) -> Fold {
        let spare = room.filter(|room| room.address != mine.address).cloned();
        Fold { value: mine.clone(), writable: false, spare }
    }

    /// Begins with a copy of `mine` in `room` (which may be the same).
    pub fn copied(builder: &mut Builder, mine: &Data, room: &Data) -> Fold {
        builder.copy(mine.clone(), room.clone());
        Fold { value: room.clone(), writable: true, spare: None }
    }

    /// The value so far.
    pub fn value(&self) -> Data {
        self.value.clone()
    }

    /// Where to receive the next operand.
    pub fn spare(&mut self, builder: &mut Builder) -> Data {
        self.spare.get_or_insert_with(|| builder.scratch_like(&self.value)).clone()
    }

    /// The operand in the spare memory belongs to higher ranks: value = value op operand.
    pub fn with_higher(&mut self, builder: &mut Builder) {
        let operand = self.spare(builder);
        builder.reduce(self.value.address, operand.clone());
        let before = std::mem::replace(&mut self.value, operand);
        self.spare = self.writable.then_some(before);
        self.writable = true;
    }

    /// The operand in the spare memory belongs to lower ranks: value = operand op value.
    pub fn with_lower(&mut self, builder: &mut Builder) {
        let operand = self.spare(builder);
        if !self.writable {
            let room = builder.scratch_like(&self.value);
            *self = Fold { spare: Some(operand.clone()), ..Fold::copied(builder, &self.value, &room) };
        }
        builder.reduce(operand.address, self.value());
    }

    /// Puts the value where the caller wants it.
    pub fn finish(self, builder: &mut Builder, result: &Data) {
        builder.copy(self.value, result.clone());
    }
}

/// The ranks that take part when their number must be a power of two. Of the first `2 (n - 2^k)` ranks the odd ones take over the
/// elements of the even ones before them.
#[derive(Clone, Copy, Debug)]
pub struct Pairing {
    /// The largest power of two not above n.
    pub active: usize,
    paired: usize,
}

impl Pairing {
    /// For `size` ranks.
    pub fn new(size: usize) -> Pairing {
        let active = 1 << size.ilog2();
        Pairing { active, paired: size - active }
    }

    /// The number of a rank among the active ones; `None` if another one works for it.
    pub fn number(self, rank: usize) -> Option<usize> {
        match rank < 2 * self.paired {
            true => (rank % 2 == 1).then_some(rank / 2),
            false => Some(rank - self.paired),
        }
    }

    /// The rank of an active number.
    pub fn rank(self, number: usize) -> usize {
        if number < self.paired { 2 * number + 1 } else { number + self.paired }
    }

    /// Hands the elements of those who sit out to their partners.
    pub fn fold_in(self, builder: &mut Builder, fold: &mut Fold) {
        let rank = builder.rank;
        if rank >= 2 * self.paired {
            return;
        }
        if rank.is_multiple_of(2) {
            builder.send(rank + 1, fold.value());
            builder.wait();
        } else {
            let spare = fold.spare(builder);
            builder.receive(rank - 1, spare);
            builder.wait();
            fold.with_lower(builder);
        }
    }

    /// Gives the result to those who sat out.
    pub fn hand_out(self, builder: &mut Builder, result: &Data) {
        let rank = builder.rank;
        if rank >= 2 * self.paired {
            return;
        }
        match rank.is_multiple_of(2) {
            true => builder.receive(rank + 1, result.clone()),
            false => builder.send(rank - 1, result.clone()),
        }
        builder.wait();
    }
}

/// The elements of the shares `first..first + count` of `parts`.
pub fn shares(whole: &Data, parts: usize, first: usize, count: usize) -> Data {
    let begin = share(whole.count, parts, first).0;
    let (last, len) = share(whole.count, parts, first + count - 1);
    whole.elements(begin, last + len - begin)
}

/// Recursive halving among the active ranks: number i ends with the total of share i in its place of `whole`. For operations that commute.
pub fn halving(builder: &mut Builder, pairing: Pairing, number: usize, whole: &Data) {
    let spare = builder.scratch_like(whole);
    let (mut first, mut width) = (0, pairing.active);
    while width > 1 {
        let half = width / 2;
        let upper = number >= first + half;
        let peer = pairing.rank(if upper { number - half } else { number + half });
        let (keep, give) = if upper { (first + half, first) } else { (first, first + half) };
        let into = shares(&spare, pairing.active, keep, half);
        builder.exchange(peer, shares(whole, pairing.active, give, half), peer, into.clone());
        builder.reduce(into.address, shares(whole, pairing.active, keep, half));
        (first, width) = (keep, half);
    }
}
