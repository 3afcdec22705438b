//! Plays the schedules of all ranks in turn, with a matcher as strict as messages allow: a send may be copied at once or only when
//! its receive is there, at random, and ranks get their turns in random order.

use std::collections::VecDeque;

use crate::coll::memory::{peek, poke};
use crate::coll::schedule::{Data, Schedule, Step};

/// An operation on bytes, `left op right`.
pub(super) type Combine = fn(u8, u8) -> u8;

enum Message {
    Copied(Vec<u8>),
    Lent(Data),
}

struct Post {
    message: Message,
    sender: usize,
}

struct Rank {
    schedule: Schedule,
    next: usize,
    /// Receives that wait for a message, each from its source.
    receives: Vec<VecDeque<Data>>,
    /// Sends whose memory is still needed.
    lent: usize,
}

/// Plays the schedules of one group to the end; panics if nobody can go on.
pub(super) fn play(schedules: Vec<Schedule>, combine: Combine, seed: u64) {
    play_groups(schedules, vec![], combine, seed);
}

/// The same for two groups whose messages all go across.
pub(super) fn play_groups(mut schedules: Vec<Schedule>, others: Vec<Schedule>, combine: Combine, seed: u64) {
    let first = schedules.len();
    if !others.is_empty() {
        schedules.iter_mut().for_each(|schedule| shift(schedule, first));
    }
    schedules.extend(others);
    let size = schedules.len();
    let begin = |schedule| Rank { schedule, next: 0, receives: (0..size).map(|_| VecDeque::new()).collect(), lent: 0 };
    let mut ranks: Vec<Rank> = schedules.into_iter().map(begin).collect();
    let mut mail: Vec<Vec<VecDeque<Post>>> = (0..size).map(|_| (0..size).map(|_| VecDeque::new()).collect()).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let mut order: Vec<usize> = (0..size).collect();
        random.shuffle(&mut order);
        let mut moved = false;
        for me in order {
            moved |= advance(&mut ranks, &mut mail, me, combine, &mut random);
        }
        if ranks.iter().all(|rank| rank.next == rank.schedule.steps.len()) {
            break;
        }
        assert!(moved, "deadlock: ranks stand at steps {:?}", ranks.iter().map(|rank| rank.next).collect::<Vec<_>>());
    }
    assert!(mail.iter().flatten().all(VecDeque::is_empty), "messages that nobody received");
    assert!(ranks.iter().all(|rank| rank.receives.iter().all(VecDeque::is_empty)), "receives without a message");
}

/// Counts the ranks of another group from `offset` on.
fn shift(schedule: &mut Schedule, offset: usize) {
    for step in &mut schedule.steps {
        match step {
            Step::Send { to: peer, .. } | Step::Receive { from: peer, .. } => *peer += offset,
            _ => {}
        }
    }
}

fn advance(
    ranks: &mut [Rank],
    mail: &mut [Vec<VecDeque<Post>>],
    me: usize,
    combine: Combine,
    random: &mut fastrand::Rng,
) -> bool {
    let mut moved = deliver(ranks, mail, me);
    while let Some(step) = ranks[me].schedule.steps.get(ranks[me].next).cloned() {
        match step {
            Step::Wait => {
                moved |= deliver(ranks, mail, me);
                if ranks[me].lent > 0 || ranks[me].receives.iter().any(|queue| !queue.is_empty()) {
                    return moved;
                }
            }
            Step::Send { to, data } => {
                let message = if random.bool() { Message::Copied(peek(&data)) } else { Message::Lent(data) };
                ranks[me].lent += usize::from(matches!(message, Message::Lent(_)));
                mail[to][me].push_back(Post { message, sender: me });
            }
            Step::Receive { from, data } => ranks[me].receives[from].push_back(data),
            Step::Copy { from, to } => poke(&to, &peek(&from)),
            Step::Reduce { from, to } => {
                let (left, right) = (peek(&to.moved(from)), peek(&to));
                let total: Vec<u8> = left.iter().zip(&right).map(|(&left, &right)| combine(left, right)).collect();
                poke(&to, &total);
            }
        }
        ranks[me].next += 1;
        moved = true;
    }
    moved
}

/// Hands over what is there for the receives of a rank.
fn deliver(ranks: &mut [Rank], mail: &mut [Vec<VecDeque<Post>>], me: usize) -> bool {
    let mut moved = false;
    for (from, queue) in mail[me].iter_mut().enumerate() {
        while let Some(into) = (!queue.is_empty()).then(|| ranks[me].receives[from].pop_front()).flatten() {
            let Some(post) = queue.pop_front() else { break };
            let bytes = match post.message {
                Message::Copied(bytes) => bytes,
                Message::Lent(data) => {
                    ranks[post.sender].lent -= 1;
                    peek(&data)
                }
            };
            assert_eq!(bytes.len(), into.bytes(), "a message from {from} to {me} has another size than its receive");
            poke(&into, &bytes);
            moved = true;
        }
    }
    moved
}
