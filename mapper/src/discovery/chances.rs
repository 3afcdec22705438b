//! How likely it is that a question is answered, as far as one can tell from what was answered before.

use super::model::Crossbar;
use super::ports::{distance, moved};

/// How often questions of two kinds were answered: guesses, by the level of the crossbar and how many were wrong before
/// at the port; and probes for hosts, by the level of the crossbar and at how many of its ports there was none.
#[derive(Clone, Debug)]
pub(super) struct Record {
    answered: [[[f32; TRIES]; LEVELS]; 2],
    asked: [[[f32; TRIES]; LEVELS]; 2],
}

const LEVELS: usize = 4;
const TRIES: usize = 10;

#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    table: usize,
    level: usize,
    tries: usize,
}

impl Key {
    pub(super) fn guess(level: u8, tries: usize) -> Key {
        Key { table: 0, level: usize::from(level).min(LEVELS - 1), tries: tries.min(TRIES - 1) }
    }

    pub(super) fn host(level: u8, tries: usize) -> Key {
        Key { table: 1, ..Key::guess(level, tries) }
    }
}

impl Record {
    pub(super) fn new() -> Record {
        let mut row = [0.0; TRIES];
        row.iter_mut().fold(1.2, |prior, cell| {
            *cell = prior;
            prior * 0.8
        });
        Record { answered: [[row; LEVELS]; 2], asked: [[[4.0; TRIES]; LEVELS]; 2] }
    }

    pub(super) fn rate(&self, key: Key) -> f32 {
        self.answered[key.table][key.level][key.tries] / self.asked[key.table][key.level][key.tries]
    }

    pub(super) fn count(&mut self, key: Key, answered: bool) {
        self.asked[key.table][key.level][key.tries] += 1.0;
        self.answered[key.table][key.level][key.tries] += f32::from(u8::from(answered));
    }
}

/// How likely a crossbar's ports are to be there, and to have a host.
pub(super) struct Chances {
    low: u8,
    span: u8,
    /// Ports that may be below `low` or above the highest.
    spare: u8,
    /// By distance above the highest known port, and below the lowest: that there is such a port in use.
    above: Vec<f32>,
    below: Vec<f32>,
    /// That a port in use has a host.
    pub(super) host: f32,
}

impl Chances {
    pub(super) fn of(crossbar: &Crossbar, radix: u8, record: &Record) -> Chances {
        let used = crossbar.used();
        let (low, span) = used.extent().unwrap_or((0, 0));
        let spare = radix.saturating_sub(span);
        let high = moved(low, span.wrapping_sub(1));
        let without_host = crossbar.doubts.without_host();
        let not_hosts = f32::from(crossbar.cables.len()) + without_host as f32;
        let hosts = f32::from(crossbar.hosts.len());
        let host = if crossbar.hosts.is_empty() {
            record.rate(Key::host(crossbar.level, without_host))
        } else {
            (hosts + 0.5) / (hosts + not_hosts + 1.0)
        };
        let mut chances = Chances { low, span, spare, above: Vec::new(), below: Vec::new(), host };
        let alive = |port| chances.alive(crossbar, port);
        let side = |other: f32, port: &dyn Fn(u8) -> u8| {
            let mut so_far = 1.0;
            let mut side = Vec::with_capacity(spare.into());
            for d in 1..=spare {
                let base = f32::from(spare - d + 1) / f32::from(spare + 1);
                side.push(so_far * (base + (1.0 - base) * (1.0 - other)));
                so_far *= alive(port(d)).max(0.2);
            }
            side
        };
        let above = side(alive(moved(low, 127)), &|d| moved(high, d));
        let below = side(alive(moved(high, 1)), &|d| moved(low, 128 - d));
        (chances.above, chances.below) = (above, below);
        chances
    }

    /// How likely it is, by its silences, that something is at a port beyond the known ones.
    fn alive(&self, crossbar: &Crossbar, port: u8) -> f32 {
        let doubt = crossbar.doubts.at(port);
        let host = if doubt.is_some_and(|d| d.host > 0) { 0.0 } else { self.host };
        let cable = if doubt.is_some_and(|d| d.crossbar > 0) { 0.0 } else { 1.0 - self.host };
        let busy = if crossbar.doubts.busy.contains(port) { 0.7 } else { 1.0 };
        (host + cable) * busy
    }

    /// How likely it is that a port is there and in use.
    pub(super) fn exists(&self, port: u8) -> f32 {
        let from_low = distance(self.low, port);
        if from_low < self.span {
            return 0.95;
        }
        let above = from_low - self.span;
        let below = distance(port, self.low) - 1;
        let side = |side: &[f32], d: u8| side.get(usize::from(d)).copied().unwrap_or(0.0);
        if self.spare == 0 { 0.1 } else { side(&self.above, above).max(side(&self.below, below)).max(0.01) }
    }
}
