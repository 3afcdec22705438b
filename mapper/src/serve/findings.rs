//! What the findings of a sweep, or a new map, mean for the map and for its hosts.

use super::event::What;
use super::news::News;
use super::sweep::{Answer, Findings};
use super::ways::{Cable, Ways};
use super::{STRIKES, Server};
use crate::change::Change;
use std::collections::BTreeSet;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{Host, HostId, NodeId, PortId};

/// The cards of hosts.
pub(super) type Cards = Vec<(HostId, UniqueId)>;

impl Server {
    /// What has changed in the topology, and the cards of hosts that have come.
    pub(super) fn understand(&mut self, now: Time, findings: &Findings) -> (Change, Cards) {
        let (come, doubtful) = self.trust(&findings.back);
        let mut change = Change { gone: findings.gone.clone(), come, ..Change::default() };
        self.is_to_map |= doubtful;
        self.mapped_for.retain(|port| !findings.no_cables.contains(port));
        let is_back = |port: &PortId| findings.back.iter().any(|(a, b)| a == port || b == port);
        for &port in findings.new_cables.iter().filter(|port| !is_back(port)) {
            if self.mapped_for.insert(port) {
                let port = self.topology().port_name(port).to_string();
                self.report(now, What::NewCable { port });
                self.is_to_map = true;
            }
        }
        let struck = self.take_out(&mut change);
        let mut hosts = Vec::new();
        for &(port, answer) in &findings.new_hosts {
            if let Some(node) = self.known_elsewhere(findings, answer.id) {
                let port = self.topology().port_name(port).to_string();
                self.report(now, What::Twice { node, port });
            } else {
                hosts.push((port, answer.id));
            }
        }
        let cards = self.take_in(&hosts, &struck, &mut change);
        self.report_change(now, &change);
        (change, cards)
    }

    /// The cables that are back, as far as they lead where they did; true if there are others.
    ///
    /// A crossbar that was lost may have come back by another way before, and then it is taken for a new one: only a new map tells.
    fn trust(&self, back: &[Cable]) -> (Vec<Cable>, bool) {
        if self.topology().crossbars().len() == self.first_crossbars {
            return (back.to_vec(), false);
        }
        let ways = Ways::of(self.topology(), self.front_end, |_| true);
        let is_sure = |&(a, b): &Cable| ways.lead_to(a) && ways.lead_to(b);
        let sure: Vec<Cable> = back.iter().copied().filter(is_sure).collect();
        let is_doubtful = sure.len() < back.len();
        (sure, is_doubtful)
    }

    /// What a new map adds to the topology, and the cards of hosts that have come.
    pub(super) fn learn(&mut self, now: Time, news: News) -> (Change, Cards) {
        let mut change = Change { crossbars: news.crossbars, come: news.cables, ..Change::default() };
        news.cards.iter().for_each(|&(host, id)| self.replace_card(now, host, id));
        let struck = self.take_out(&mut change);
        let cards = self.take_in(&news.hosts, &struck, &mut change);
        self.report_change(now, &change);
        (change, cards)
    }

    /// Hosts that have come, but for those that were struck.
    fn take_in(&self, hosts: &[(PortId, UniqueId)], struck: &BTreeSet<HostId>, change: &mut Change) -> Cards {
        let mut cards = Vec::new();
        for &(port, id) in hosts {
            let host = self.host_at(port, id, change);
            if struck.contains(&host) {
                if host.0 as usize >= self.topology().hosts().len() {
                    change.hosts.pop();
                }
                continue;
            }
            change.come.push((PortId::new(host, 0), port));
            cards.push((host, id));
        }
        cards
    }

    /// Hosts that take no routes are lost too, and not taken in again before a sweep has found no change.
    fn take_out(&self, change: &mut Change) -> BTreeSet<HostId> {
        let struck: BTreeSet<HostId> =
            self.strikes.iter().filter(|&(_, &strikes)| strikes >= STRIKES).map(|(&host, _)| host).collect();
        // One that was new when it was struck is not in the map any more.
        for &host in struck.iter().filter(|host| (host.0 as usize) < self.topology().hosts().len()) {
            let end = PortId::new(host, 0);
            let cable = self.topology().peer(end).map(|at| (end, at)).filter(|cable| !change.gone.contains(cable));
            change.gone.extend(cable);
        }
        struck
    }

    /// The host at a port: the one that was lost there, or a new one, which is added.
    fn host_at(&self, port: PortId, id: UniqueId, change: &mut Change) -> HostId {
        let was_here = self.lost.iter().find_map(|&(a, b)| match a.node {
            NodeId::Host(host) if b == port => Some(host),
            _ => None,
        });
        was_here.unwrap_or_else(|| {
            let numbers = self.topology().hosts().iter().filter_map(|host| host.name.parse::<NodeNumber>().ok());
            let last = numbers.map(NodeNumber::index).max().unwrap_or(0);
            let name = NodeNumber::from_index(last + 1 + change.hosts.len()).to_string();
            let host = HostId((self.topology().hosts().len() + change.hosts.len()) as u32);
            change.hosts.push(Host { name, id, ports: 1 });
            host
        })
    }

    fn report_change(&mut self, now: Time, change: &Change) {
        let hosts = self.topology().hosts().len();
        let crossbars = self.topology().crossbars().len();
        let name = |server: &Server, end: PortId| match end.node {
            NodeId::Host(host) if host.0 as usize >= hosts => change.hosts[host.0 as usize - hosts].name.clone(),
            NodeId::Crossbar(x) if x.0 as usize >= crossbars => {
                format!("{}:{}", change.crossbars[x.0 as usize - crossbars].name, end.port)
            }
            _ => server.topology().port_name(end).to_string(),
        };
        for &(a, b) in &change.gone {
            let what = What::Gone { a: name(self, a), b: name(self, b) };
            self.report(now, what);
        }
        for &(a, b) in &change.come {
            let what = What::Come { a: name(self, a), b: name(self, b) };
            self.report(now, what);
        }
    }

    /// The host that answers by this card where it is known to be.
    fn known_elsewhere(&self, findings: &Findings, id: UniqueId) -> Option<String> {
        let front_end = self.topology().host(self.front_end);
        let own = (front_end.id == id).then(|| front_end.name.clone());
        own.or_else(|| {
            let (host, _) = findings.hosts.iter().find(|(_, answer)| answer.id == id)?;
            Some(self.topology().host(*host).name.clone())
        })
    }

    /// The hosts that have to be given the routes in use again.
    pub(super) fn look_at_hosts(&mut self, now: Time, findings: &Findings) -> Vec<HostId> {
        let mut nodes = Vec::new();
        for &(host, Answer { id, epoch }) in &findings.hosts {
            let known = self.topology().host(host);
            let (node, known) = (known.name.clone(), known.id);
            if known != id {
                self.replace_card(now, host, id);
            } else if epoch != self.held[host.0 as usize] {
                self.report(now, What::Restarted { node, epoch });
            } else {
                continue;
            }
            nodes.push(host);
        }
        nodes
    }

    fn replace_card(&mut self, now: Time, host: HostId, id: UniqueId) {
        let known = self.topology().host(host);
        let (node, known) = (known.name.clone(), known.id);
        self.endpoint.disconnect(known);
        self.routing.set_unique_id(host, id);
        self.report(now, What::CardReplaced { node });
    }
}
