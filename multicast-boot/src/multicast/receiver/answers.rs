//! What has come and what is lacking: the receiver's answers to polls.

use super::super::gathering::Gathering;
use super::super::geometry::Geometry;
use super::Receiver;
use bytes::Bytes;
use twowire_fabric::wire::boot::{LACK_LEN, Lack, Poll, Status, Symbol, put_lack};

/// So many symbols lost in a row are a buffer that overran, not the errors of a cable.
const BURST: u32 = 16;

impl Receiver {
    /// Counts a symbol, and those before it that did not come.
    pub(super) fn count(&mut self, symbol: &Symbol) {
        if symbol.to_one {
            self.counters.to_one += 1;
            return;
        }
        self.counters.received += 1;
        let sequence = symbol.sequence;
        let Some(next) = self.next else {
            self.next = Some(sequence.wrapping_add(1));
            return;
        };
        // One that was overtaken was counted as lost.
        if sequence.wrapping_sub(next) as i32 >= 0 {
            self.count_gap(sequence.wrapping_sub(next));
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    fn count_gap(&mut self, gap: u32) {
        self.counters.lost += u64::from(gap);
        if gap >= BURST {
            self.counters.overrun += u64::from(gap);
        }
    }

    /// Takes a poll.
    pub fn on_poll(&mut self, poll: &Poll) {
        if poll.session != self.session {
            return;
        }
        let next = *self.next.get_or_insert(poll.sequence);
        let gap = poll.sequence.wrapping_sub(next);
        if (gap as i32) > 0 {
            self.count_gap(gap);
            self.next = Some(poll.sequence);
        }
        if poll.asks(self.own) {
            self.answer = Some((*poll, self.counters.received, self.counters.overrun));
        }
    }

    /// The answer to the newest poll, if it has not been given: with a payload of at most so many bytes.
    pub fn poll_status(&mut self, max_payload: usize) -> Option<(Status, Bytes)> {
        let (poll, received, overrun) = self.answer.take()?;
        let mut payload = Vec::new();
        for lack in self.lacks(poll.horizon, max_payload / LACK_LEN) {
            put_lack(&mut payload, lack);
        }
        let status = Status {
            session: self.session,
            from: self.own,
            sequence: poll.sequence,
            received: received as u32,
            overrun: overrun as u32,
            complete: self.is_complete(),
            holds: self.found_parts,
        };
        Some((status, payload.into()))
    }

    /// What it lacks of the lists that it wants and of the blocks below `horizon`: so much of it at most.
    fn lacks(&mut self, horizon: u32, max: usize) -> Vec<Lack> {
        let lists = self.lists.iter().filter(|(_, list)| !list.gathering.is_full());
        let mut lacks: Vec<Lack> = lists.map(|(&block, list)| list.gathering.lack(block)).take(max).collect();
        let is_full = |block: &u32| self.blocks.get(*block as usize).is_some_and(Gathering::is_full);
        self.full_below = (self.full_below..).find(|block| !is_full(block)).unwrap_or(self.full_below);
        let end = horizon.min(self.blocks.len() as u32);
        // What the store may have is not asked for before the top lists show what of it is right.
        let may_find = self.reuse.as_ref().is_some_and(|reuse| !reuse.is_done());
        let is_found = |block: u32| may_find || self.pages[self.geometry.page_of(block) as usize].is_found;
        for block in (self.full_below..end).filter(|&block| !is_full(&block) && !is_found(block)) {
            let gathering = &self.blocks[block as usize];
            let blank = gathering.is_blank(self.geometry.symbols(block));
            if let Some(run) = lacks.last_mut().filter(|run| blank && extends(run, block, &self.geometry)) {
                run.blocks += 1;
            } else if lacks.len() < max {
                lacks.push(gathering.lack(block));
            } else {
                break;
            }
        }
        lacks
    }
}

/// True if `run` says that nothing of its blocks has come, and this block is the next one.
fn extends(run: &Lack, block: u32, geometry: &Geometry) -> bool {
    let blank = run.count == geometry.symbols(run.block);
    blank && run.block + u32::from(run.blocks) == block && run.blocks < u16::MAX
}
