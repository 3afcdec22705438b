//! What silence has taught of a crossbar's ports: nothing certain, so it is kept apart from the facts.

use super::ports::{PortSet, moved};
use twowire_fabric::route::Hop;

/// The silences of one port.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt {
    port: u8,
    /// How many probes for a host at this port were not answered.
    pub(super) host: u8,
    /// How many probes for a crossbar at this port did not come back.
    pub(super) crossbar: u8,
    /// Guesses through this port that were not answered: the hops after it.
    pub(super) guesses: Vec<Box<[Hop]>>,
}

/// The silences of a crossbar's ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    /// Ports with a probe on its way.
    pub(super) busy: PortSet,
    /// Ports that have been silent often enough to count as empty.
    pub(super) empty: PortSet,
    /// Ports too many hops away for the probes that they need.
    pub(super) too_far: PortSet,
    /// Ports where no candidate is left to guess at.
    pub(super) hopeless: PortSet,
    /// Sorted by port; only ports that were silent at least once.
    ports: Vec<Doubt>,
}

impl Doubts {
    /// The silences of a port, if there were any.
    pub(super) fn at(&self, port: u8) -> Option<&Doubt> {
        self.ports.binary_search_by_key(&port, |d| d.port).ok().map(|index| &self.ports[index])
    }

    /// The silences of a port, to add one.
    pub(super) fn at_mut(&mut self, port: u8) -> &mut Doubt {
        let index = self.ports.binary_search_by_key(&port, |d| d.port).unwrap_or_else(|index| {
            self.ports.insert(index, Doubt { port, ..Doubt::default() });
            index
        });
        &mut self.ports[index]
    }

    /// Ports that are not asked about any more.
    pub(super) fn closed(&self) -> PortSet {
        self.empty.union(self.too_far)
    }

    /// Doubts every empty port again that has not been silent `rounds` times to both kinds of probe.
    pub(super) fn reopen(&mut self, rounds: u8) {
        for doubt in &self.ports {
            if doubt.host < rounds || doubt.crossbar < rounds {
                self.empty.remove(doubt.port);
            }
        }
    }

    /// How many ports have answered no probe for a host.
    pub(super) fn without_host(&self) -> usize {
        self.ports.iter().filter(|doubt| doubt.host > 0).count()
    }

    /// Takes over what was noted under another name of the same crossbar, whose ports are `shift` lower.
    pub(super) fn absorb(&mut self, other: Doubts, shift: u8) {
        self.busy = self.busy.union(other.busy.moved(shift));
        self.empty = self.empty.union(other.empty.moved(shift));
        self.too_far = self.too_far.both(other.too_far.moved(shift));
        for doubt in other.ports {
            let mine = self.at_mut(moved(doubt.port, shift));
            mine.host = mine.host.saturating_add(doubt.host);
            mine.crossbar = mine.crossbar.saturating_add(doubt.crossbar);
            mine.guesses.extend(doubt.guesses);
        }
    }

    /// Forgets the silences of a port of which a fact is known now; tells how many of them were lost frames.
    pub(super) fn settle(&mut self, port: u8, is_host: bool) -> u64 {
        self.busy.remove(port);
        self.empty.remove(port);
        let Ok(index) = self.ports.binary_search_by_key(&port, |d| d.port) else { return 0 };
        let doubt = self.ports.remove(index);
        u64::from(if is_host { doubt.host } else { doubt.crossbar })
    }
}

/// How many silences it takes to believe in an empty port.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// Probes that were answered.
    pub(super) answered: u64,
    /// Probes that were not, although what they asked for is there.
    pub(super) lost: u64,
}

impl Silence {
    /// The expected number of cables and hosts that a map may miss because all probes for one were lost.
    const MISSED: f64 = 0.001;

    /// The number of probes of a kind that must be lost for a port that is in use to be taken for empty.
    pub(super) fn rounds(self) -> u8 {
        self.rounds_for(Silence::MISSED / self.answered.max(1) as f64).max(2)
    }

    /// The number of probes that are all lost with this probability at most.
    ///
    /// The loss is taken to be one more than was seen in as many probes, plus two standard deviations.
    pub(super) fn rounds_for(self, probability: f64) -> u8 {
        let lost = self.lost as f64;
        let loss = (lost + 1.0 + 2.0 * lost.sqrt()) / (self.answered + self.lost + 1) as f64;
        (probability.ln() / loss.min(0.9).ln()).ceil().clamp(1.0, 40.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answered: u64, lost: u64) -> u8 {
        Silence { answered, lost }.rounds()
    }

    #[test]
    fn the_more_is_lost_the_more_silences_are_needed() {
        assert_eq!(after(3000, 0), 2);
        assert_eq!(after(3000, 60), 5);
        assert_eq!(after(3000, 600), 9);
        assert_eq!(after(20, 0), 4);
        assert_eq!(after(0, 0), 40);
    }
}
