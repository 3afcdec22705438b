//! Maps a served fabric anew, while its nodes go on with the routes that they have.

use super::event::{What, ms};
use super::news::News;
use super::{Server, State};
use crate::discovery::{Discovery, DiscoveryConfig};
use twowire_fabric::time::Time;

impl Server {
    pub(super) fn map(&mut self, now: Time) {
        self.is_to_map = false;
        let (window, timeout_floor) = (self.config.window, self.config.timeout_floor);
        let config = DiscoveryConfig { window, timeout_floor, ..DiscoveryConfig::default() };
        let discovery = Discovery::new(config, self.id, self.rng.u64(..));
        self.state = State::Mapping(Box::new(discovery), now);
    }

    pub(super) fn mapped(&mut self, now: Time) {
        let State::Mapping(discovery, since) = std::mem::replace(&mut self.state, State::Waiting) else { return };
        let probes = discovery.statistics().probes;
        let news = discovery.into_map().map_err(|error| error.to_string()).and_then(|map| {
            News::of(self.topology(), &self.lost, self.front_end, &map).map_err(|unlike| unlike.to_string())
        });
        // What has changed meanwhile is found by a sweep, and so is what a map cannot tell of the hosts.
        self.next_sweep = now;
        match news {
            Err(reason) => self.report(now, What::NotMapped { reason }),
            Ok(news) => {
                let (crossbars, cables, hosts) = (news.crossbars.len(), news.cables.len(), news.hosts.len());
                self.report(now, What::Mapped { probes, took_ms: ms(since, now), crossbars, cables, hosts });
                let (change, cards) = self.learn(now, news);
                self.follow(now, &change, cards, Vec::new());
            }
        }
    }
}
