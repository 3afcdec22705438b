//! How much the sender may send: polls, the window between them and their answers, and the losses that the answers show.

use super::config::SenderConfig;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::Status;

/// Receivers that answer one poll, about. With more, each answers every so many polls.
const ANSWERS: usize = 32;

/// A poll that may not have been answered by all.
struct Asked {
    sequence: u64,
    /// Symbols that had been sent to one receiver.
    to_one: u64,
    stride: u16,
    class: u16,
    at: Time,
    /// How long the faster half of those asked took to answer.
    half: Option<Duration>,
}

/// What the sender keeps of a receiver.
#[derive(Clone, Copy, Debug)]
struct Counted {
    /// The sequence number of the newest poll that it answered.
    answered: Option<u64>,
    received: u32,
    overrun: u32,
    /// The share of the symbols that it loses, those left out that its buffer had no room for.
    loss: f32,
    /// The least share that it lost of late.
    floor: f32,
    /// It is not waited for until then.
    left_until: Time,
    /// Polls in a row that it held up for much longer than the faster half.
    held: u32,
    /// It had parts of the image.
    holds: bool,
}

/// The window and those who move it.
pub(crate) struct Flow {
    config: SenderConfig,
    receivers: Vec<Option<Counted>>,
    active: usize,
    polls: VecDeque<Asked>,
    /// Symbols that were sent to one receiver: they take up room in the window, but no sequence number.
    to_one: u64,
    /// The sequence number of the newest poll, and the symbols to one receiver before it.
    polled: u64,
    polled_to_one: u64,
    /// The class of the next poll.
    class: u16,
    /// Everything below it has been answered for, as have so many symbols to one receiver.
    passed: u64,
    passed_to_one: u64,
    /// Symbols that may be on their way, and the least and the most of them.
    window: f64,
    smallest: f64,
    largest: f64,
    /// The most that may be on its way without an overrun, as far as is known.
    ceiling: f64,
    /// No overrun before this one makes the window smaller again.
    shrunk_at: u64,
    /// Smoothed time from a poll to its last answer.
    round: Duration,
    /// The payload is being sent.
    is_under_way: bool,
    /// When the oldest poll was last repeated.
    repeated: Time,
}

impl Flow {
    pub(crate) fn new(config: SenderConfig, symbol_len: usize) -> Flow {
        let symbols = |bytes: usize| (bytes / symbol_len).max(8) as f64;
        Flow {
            smallest: symbols(config.window_min),
            largest: symbols(config.window_max),
            ceiling: symbols(config.window_max),
            receivers: Vec::new(),
            active: 0,
            polls: VecDeque::new(),
            to_one: 0,
            polled: 0,
            polled_to_one: 0,
            class: 0,
            passed: 0,
            passed_to_one: 0,
            window: symbols(config.window_first),
            shrunk_at: 0,
            round: config.round_first,
            is_under_way: false,
            repeated: Time::ZERO,
            config,
        }
    }

    /// Counts on a receiver from now on.
    pub(crate) fn add(&mut self, index: usize) {
        if self.receivers.len() <= index {
            self.receivers.resize(index + 1, None);
        }
        self.active += usize::from(self.receivers[index].is_none());
        self.receivers[index] = Some(Counted {
            answered: None,
            received: 0,
            overrun: 0,
            loss: 0.0,
            floor: 1.0,
            left_until: Time::ZERO,
            held: 0,
            holds: false,
        });
    }

    /// No longer counts on a receiver.
    pub(crate) fn remove(&mut self, now: Time, index: usize) {
        if self.receivers.get_mut(index).is_some_and(|r| r.take().is_some()) {
            self.active -= 1;
            self.pass(now);
        }
    }

    /// Receivers that are counted on.
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// True if every receiver has said that it had parts of the image.
    pub(crate) fn all_hold(&self) -> bool {
        self.active > 0 && self.receivers.iter().flatten().all(|r| r.holds)
    }

    /// From now on the payload is sent.
    pub(crate) fn begin_payload(&mut self) {
        self.is_under_way = true;
    }

    /// Those that have not answered a poll for so long are left behind: later where it depends on them whether the payload
    /// has to be sent at all.
    fn patience(&self) -> Duration {
        let mut heard = self.receivers.iter().flatten().filter(|r| r.answered.is_some());
        let may_all_hold = !self.is_under_way && heard.all(|r| r.holds);
        if may_all_hold { self.config.patience_first } else { self.config.patience }
    }

    /// Everything below this sequence number has been answered for by those that are waited for.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// True if one more symbol may be sent after so many.
    pub(crate) fn has_room(&self, sequence: u64) -> bool {
        sequence - self.passed + self.to_one - self.passed_to_one < self.window as u64
    }

    /// A symbol goes to one receiver alone.
    pub(crate) fn on_sent_to_one(&mut self) {
        self.to_one += 1;
    }

    /// Symbols between two polls.
    fn interval(&self) -> u64 {
        (self.window as u64 / 4).max(1)
    }

    /// True if a poll is due after so many symbols.
    pub(crate) fn poll_is_due(&self, sequence: u64) -> bool {
        sequence - self.polled + self.to_one - self.polled_to_one >= self.interval()
    }

    /// True if symbols have been sent since the last poll.
    pub(crate) fn has_unpolled(&self, sequence: u64) -> bool {
        sequence > self.polled || self.to_one > self.polled_to_one
    }

    /// Makes a poll: the stride and the class of those that shall answer.
    pub(crate) fn poll(&mut self, now: Time, sequence: u64) -> (u16, u16) {
        let stride = u16::try_from(self.active.div_ceil(ANSWERS)).unwrap_or(u16::MAX).max(1);
        let repeats = self.polls.back().is_some_and(|asked| asked.sequence == sequence && asked.stride == stride);
        if !repeats {
            self.class = (self.class + 1) % stride;
            let (to_one, class) = (self.to_one, self.class);
            self.polls.push_back(Asked { sequence, to_one, stride, class, at: now, half: None });
        }
        (self.polled, self.polled_to_one) = (sequence, self.to_one);
        self.repeated = now;
        (stride, self.class % stride)
    }

    /// Takes what a receiver says; `asked` is the full sequence number of the poll that it answers. Returns false if it
    /// is a stranger, or says what is out of date.
    pub(crate) fn answer(&mut self, now: Time, index: usize, asked: u64, status: &Status) -> bool {
        let Some(receiver) = self.receivers.get_mut(index).and_then(Option::as_mut) else { return false };
        if receiver.answered.is_some_and(|newest| asked < newest) {
            return false;
        }
        receiver.holds |= status.holds;
        let overrun = receiver.count(asked, status);
        receiver.answered = Some(asked);
        if overrun > 0.0 && asked >= self.shrunk_at {
            self.shrink(overrun);
        }
        self.time_front(now, index);
        self.pass(now);
        true
    }

    /// A buffer overran, and lost this share of what was sent. Buffers do not grow, so the window stays below what it was.
    fn shrink(&mut self, share: f64) {
        self.ceiling = (0.75 * self.window).max(self.smallest);
        self.window = (self.window * (0.8 - share).clamp(0.25, 0.5)).max(self.smallest);
        self.shrunk_at = self.polled + 1;
    }

    /// Compares the time that one took to answer the oldest poll with that of the faster half.
    fn time_front(&mut self, now: Time, index: usize) {
        let Some(front) = self.polls.front() else { return };
        let (silent, took) = (self.waits_for(front).count(), now - front.at);
        let asked = self.asked_by(front).count();
        let slow = front.half.is_some_and(|half| took > 4 * half + self.config.slack);
        if front.half.is_none() && 2 * silent <= asked {
            self.polls[0].half = Some(took);
        }
        let config = self.config;
        let Some(receiver) = &mut self.receivers[index] else { return };
        if silent > 0 || asked < 3 {
            return;
        }
        receiver.held = if slow { receiver.held + 1 } else { 0 };
        if receiver.held >= config.held {
            (receiver.held, receiver.left_until) = (0, now + config.leave);
        }
    }

    /// Takes the polls off that have been answered.
    fn pass(&mut self, now: Time) {
        while let Some(front) = self.polls.front() {
            let waits = self.waits_for(front).any(|index| self.is_waited_for(now, index));
            // With nobody to wait for, time has to pass: nothing else says how fast they are.
            let leaves_all = !self.asked_by(front).any(|index| self.is_waited_for(now, index));
            let blind = leaves_all && self.active > 0 && now - front.at < self.patience();
            if waits || blind {
                break;
            }
            let (sequence, to_one, took) = (front.sequence, front.to_one, now - front.at);
            self.polls.pop_front();
            self.passed = self.passed.max(sequence);
            self.passed_to_one = self.passed_to_one.max(to_one);
            self.repeated = self.repeated.max(now);
            self.round = (self.round * 7 + took.min(self.config.patience)) / 8;
            if sequence >= self.shrunk_at {
                self.window = (self.window * 1.125).min(self.ceiling);
                self.ceiling = (self.ceiling * 1.003).min(self.largest);
            }
        }
    }

    /// Those that have not answered a poll.
    fn waits_for(&self, asked: &Asked) -> impl Iterator<Item = usize> + '_ {
        let sequence = asked.sequence;
        let silent = move |r: Counted| r.answered.is_none_or(|newest| newest < sequence);
        self.asked_by(asked).filter(move |&index| self.receivers[index].is_some_and(silent))
    }

    /// Those that shall answer a poll.
    fn asked_by(&self, asked: &Asked) -> impl Iterator<Item = usize> + '_ {
        let all = (usize::from(asked.class)..self.receivers.len()).step_by(asked.stride.into());
        all.filter(|&index| self.receivers[index].is_some())
    }

    fn is_waited_for(&self, now: Time, index: usize) -> bool {
        self.receivers[index].is_some_and(|r| r.left_until <= now)
    }

    /// When [`Flow::on_timeout`] has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let front = self.polls.front()?;
        Some((self.repeated + self.repeat_after()).min(front.at + self.patience()))
    }

    fn repeat_after(&self) -> Duration {
        (self.round * 4).clamp(self.config.repeat_min, self.config.patience)
    }

    /// Leaves those behind that do not answer. Returns true if a poll shall be repeated.
    pub(crate) fn on_timeout(&mut self, now: Time) -> bool {
        let Some(front) = self.polls.front() else { return false };
        if now - front.at >= self.patience() {
            let silent: Vec<usize> = self.waits_for(front).collect();
            for index in silent {
                if let Some(receiver) = &mut self.receivers[index] {
                    receiver.left_until = now + self.config.leave;
                }
            }
            self.pass(now);
        }
        let due = !self.polls.is_empty() && now - self.repeated >= self.repeat_after();
        self.repeated = if due { now } else { self.repeated };
        due
    }

    /// How many symbols of a block of so many a receiver is expected to lose at most, and how many are lost by anyone.
    pub(crate) fn expected_losses(&self, symbols: u16) -> (f32, f32) {
        let losses = || self.receivers.iter().flatten().map(|r| r.loss);
        let kept_by_all: f32 = losses().map(|loss| 1.0 - loss).product();
        let mean = f32::from(symbols) * losses().fold(0.0, f32::max);
        (mean + 2.0 * mean.sqrt(), f32::from(symbols) * (1.0 - kept_by_all))
    }

    /// Symbols that may be on their way.
    pub(crate) fn window(&self) -> u64 {
        self.window as u64
    }
}

impl Counted {
    /// Counts what came since the last answer. Returns the share of symbols for which there was no room.
    fn count(&mut self, asked: u64, status: &Status) -> f64 {
        let received = status.received.wrapping_sub(self.received);
        let overrun = status.overrun.wrapping_sub(self.overrun);
        (self.received, self.overrun) = (status.received, status.overrun);
        let sent = asked - self.answered.unwrap_or(asked);
        let Some(lost) = sent.checked_sub(u64::from(received) + u64::from(overrun)) else {
            // It has just come, has started again, or says what cannot be.
            return 0.0;
        };
        let share = |symbols: u64| symbols as f32 / sent.max(1) as f32;
        let (lost, bursts) = (share(lost), share(overrun.into()));
        if sent >= MIN_SAMPLE {
            self.floor = if lost < self.floor { lost } else { self.floor + (lost - self.floor) / 64.0 };
        }
        if sent >= MIN_SAMPLE && lost > self.usual_losses(sent as f32) / sent as f32 {
            // Far more than when less was on its way: a buffer overran, and some found room in it now and then.
            return (lost - self.floor + bursts).into();
        }
        let weight = (sent as f32 / 1024.0).min(0.5);
        self.loss += weight * (lost - self.loss);
        bursts.into()
    }

    /// So many of `sent` symbols may be lost as they usually are: with room for chance, four standard deviations of it.
    fn usual_losses(&self, sent: f32) -> f32 {
        let expected = self.floor.max(self.loss) * sent;
        1.5 * expected + 0.05 * sent + 4.0 * (expected + 1.0).sqrt()
    }
}

/// Symbols from which on a share of losses says something.
const MIN_SAMPLE: u64 = 32;
