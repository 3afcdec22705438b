//! Collectives of inter-communicators. Ranks are those of the other group, the only ones that a message can reach; so every algorithm
//! is one exchange across, which keeps each of them short.

use crate::coll::algorithm::reduce::fold_right;
use crate::coll::call::{Parts, Root};
use crate::coll::schedule::{Builder, Data, run};

/// All tell the first of the other group, the two first tell one another, and each tells all of the other group.
pub fn barrier(builder: &mut Builder, remote: usize) {
    builder.send(0, run(0, 0));
    if builder.rank > 0 {
        builder.receive(0, run(0, 0));
        return builder.wait();
    }
    for from in 0..remote {
        builder.receive(from, run(0, 0));
    }
    builder.wait();
    builder.exchange(0, run(0, 0), 0, run(0, 0));
    for to in 0..remote {
        builder.send(to, run(0, 0));
    }
    builder.receive(0, run(0, 0));
    builder.wait();
}

/// Sends `out(i)` to every remote rank i and receives `into(i)` from it.
pub fn exchange(builder: &mut Builder, remote: usize, out: &dyn Fn(usize) -> Data, into: &dyn Fn(usize) -> Data) {
    (0..remote).for_each(|from| builder.receive_some(from, into(from)));
    (0..remote).for_each(|to| builder.send_some(to, out(to)));
    builder.wait();
}

/// The root sends part i to remote rank i; the others of its group do nothing.
pub fn one_to_all(builder: &mut Builder, remote: usize, root: Root, out: Option<&Parts>, into: Option<&Data>) {
    match (root, out, into) {
        (Root::Here, Some(out), _) => (0..remote).for_each(|to| builder.send_some(to, out.of(to))),
        (Root::Rank(from), _, Some(into)) => builder.receive_some(from, into.clone()),
        _ => {}
    }
    builder.wait();
}

/// The root receives part i from remote rank i; the others of its group do nothing.
pub fn all_to_one(builder: &mut Builder, remote: usize, root: Root, out: Option<&Data>, into: Option<&Parts>) {
    match (root, out, into) {
        (Root::Here, _, Some(into)) => (0..remote).for_each(|from| builder.receive_some(from, into.of(from))),
        (Root::Rank(to), Some(out), _) => builder.send_some(to, out.clone()),
        _ => {}
    }
    builder.wait();
}

/// The root gets the total of the other group.
pub fn reduce(builder: &mut Builder, remote: usize, root: Root, mine: &Data, result: Option<&Data>) {
    match (root, result) {
        (Root::Here, Some(result)) => total_of_all(builder, remote, result),
        (Root::Rank(to), _) => builder.send_some(to, mine.clone()),
        _ => {}
    }
    builder.wait();
}

/// Every rank gets the total of the other group.
pub fn allreduce(builder: &mut Builder, remote: usize, mine: &Data, result: &Data) {
    for to in 0..remote {
        builder.send_some(to, mine.clone());
    }
    total_of_all(builder, remote, result);
}

/// Every rank gets its part of the total of the other group, whose ranks do not know how it is divided: they send all of it.
pub fn reduce_scatter(builder: &mut Builder, remote: usize, mine: &Data, result: &Data, counts: &[usize]) {
    let total = builder.scratch_like(mine);
    allreduce(builder, remote, mine, &total);
    let before = counts[..builder.rank].iter().sum();
    builder.copy(total.elements(before, counts[builder.rank]), result.clone());
}

/// Receives elements like `result` from every remote rank, and folds them in the order of ranks.
fn total_of_all(builder: &mut Builder, remote: usize, result: &Data) {
    let arrived: Vec<Data> = (0..remote).map(|_| builder.scratch_like(result)).collect();
    for (from, data) in arrived.iter().enumerate() {
        builder.receive_some(from, data.clone());
    }
    builder.wait();
    fold_right(builder, &arrived, result);
}
