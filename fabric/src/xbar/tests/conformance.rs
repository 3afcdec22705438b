//! All attachments pass the conformance suite of ports.

use super::*;
use crate::conformance::{self, Rig};
use crate::protocol::Path;
use crate::topology::generate::Clos;
use crate::wire::frame;

struct XbarRig {
    ports: Vec<XbarPort>,
    running: Running,
}

impl XbarRig {
    fn new(hosts: usize, attachment: impl Fn(usize) -> Attachment) -> XbarRig {
        let clos = Clos { hosts: 16, radix: 8, levels: 2, oversubscription: 1.0 };
        let running = Running::new(clos.build().unwrap(), ServerConfig::default());
        let names: Vec<String> = running.topology.hosts().iter().map(|host| host.name.clone()).collect();
        // Far from one another, so that their frames cross several crossbars.
        let ports = (0..hosts).map(|host| running.attach(&names[host * 5], attachment(host))).collect();
        XbarRig { ports, running }
    }

    fn way(&self, from: usize, to: usize) -> Route {
        route(&self.running.topology, HostId(from as u32 * 5), HostId(to as u32 * 5))
    }
}

impl Rig for XbarRig {
    fn hosts(&self) -> usize {
        self.ports.len()
    }

    fn port(&mut self, host: usize) -> &mut dyn Port {
        &mut self.ports[host]
    }

    fn path(&self, from: usize, to: usize) -> Path {
        self.way(from, to).into()
    }

    fn damage(&mut self, from: usize, to: usize, kind: usize) -> bool {
        let way = self.way(from, to);
        let mut bytes = frame::encode(&way, &packet(9, 40));
        let (header, last) = (way.len(), bytes.len() - 1);
        match kind {
            0 => bytes.truncate(header),
            1 => bytes.truncate(last),
            2 => bytes.push(0),
            3 => bytes[header] += 1,
            4 => bytes[header + 1] = 0x7f,
            5 => bytes[header] = 0x85,
            6 => bytes[last] ^= 1,
            7 => bytes[header + 20] ^= 0x40,
            _ => return false,
        }
        self.ports[from].push(&[&bytes]).unwrap();
        self.ports[from].flush().unwrap();
        true
    }

    fn rejected(&mut self, host: usize) -> u64 {
        self.ports[host].rejected()
    }

    fn hold(&mut self, held: bool) {
        self.running.hold(held);
    }
}

#[test]
fn rings_are_ports() {
    conformance::run(&[], |hosts| Box::new(XbarRig::new(hosts, |_| Attachment::Rings)));
}

#[test]
fn datagrams_are_ports() {
    conformance::run(&[], |hosts| Box::new(XbarRig::new(hosts, |_| Attachment::Datagrams)));
}

#[test]
fn cards_are_ports() {
    conformance::run(&[], |hosts| Box::new(XbarRig::new(hosts, |_| Attachment::Card)));
}

#[test]
fn hosts_of_all_kinds_reach_one_another() {
    let kind = |host: usize| [Attachment::Rings, Attachment::Datagrams, Attachment::Card][host % 3];
    conformance::run(&[], |hosts| Box::new(XbarRig::new(hosts, kind)));
}
