//! What the findings of a sweep mean for the map and for its hosts.

use super::event::What;
use super::sweep::{Answer, Findings};
use super::{STRIKES, Server};
use crate::change::Change;
use std::collections::BTreeSet;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::time::Time;
use twowire_fabric::topology::{Host, HostId, NodeId, PortId};

impl Server {
    /// What has changed in the topology, and the cards of hosts that have come.
    pub(super) fn understand(&mut self, now: Time, findings: &Findings) -> (Change, Vec<(HostId, UniqueId)>) {
        let mut change = Change { gone: findings.gone.clone(), come: findings.back.clone(), ..Change::default() };
        let struck = self.take_out(&mut change);
        let mut cards = Vec::new();
        for &(port, answer) in &findings.new_hosts {
            if let Some(node) = self.known_elsewhere(findings, answer.id) {
                let port = self.topology().port_name(port).to_string();
                self.report(now, What::Twice { node, port });
                continue;
            }
            let host = self.host_at(port, answer.id, &mut change);
            if struck.contains(&host) {
                if host.0 as usize >= self.topology().hosts().len() {
                    change.hosts.pop();
                }
                continue;
            }
            change.come.push((PortId::new(host, 0), port));
            cards.push((host, answer.id));
        }
        let is_back = |port: &PortId| findings.back.iter().any(|(a, b)| a == port || b == port);
        for &port in findings.new_cables.iter().filter(|port| !is_back(port)) {
            if self.reported.insert(port) {
                let port = self.topology().port_name(port).to_string();
                self.report(now, What::NewCable { port });
            }
        }
        self.report_change(now, &change);
        (change, cards)
    }

    /// Hosts that answer probes, but take no routes, are lost too, and for this time not taken in again.
    fn take_out(&mut self, change: &mut Change) -> BTreeSet<HostId> {
        let struck: BTreeSet<HostId> =
            self.strikes.iter().filter(|&(_, &strikes)| strikes >= STRIKES).map(|(&host, _)| host).collect();
        // One that was new when it was struck is not in the map any more.
        for &host in struck.iter().filter(|host| (host.0 as usize) < self.topology().hosts().len()) {
            let end = PortId::new(host, 0);
            let cable = self.topology().peer(end).map(|at| (end, at)).filter(|cable| !change.gone.contains(cable));
            change.gone.extend(cable);
        }
        self.strikes.retain(|host, _| !struck.contains(host));
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
        let name = |server: &Server, end: PortId| match end.node {
            NodeId::Host(host) if host.0 as usize >= hosts => change.hosts[host.0 as usize - hosts].name.clone(),
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
                self.endpoint.disconnect(known);
                self.routing.set_unique_id(host, id);
                self.report(now, What::CardReplaced { node });
            } else if epoch != self.held[host.0 as usize] {
                self.report(now, What::Restarted { node, epoch });
            } else {
                continue;
            }
            nodes.push(host);
        }
        nodes
    }
}
