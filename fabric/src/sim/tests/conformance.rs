//! The simulator passes the conformance suite of ports.

use super::*;
use crate::conformance::{self, Rig, pattern};
use crate::protocol::{Path, Port, PortError, PortLimits, Received};
use crate::responder::Responder;
use crate::sim::Fault;
use std::cell::RefCell;
use std::rc::Rc;

/// One of several hosts of a simulation that are run from outside.
struct Outside {
    sim: Rc<RefCell<Sim<Responder>>>,
    host: HostId,
}

impl Port for Outside {
    fn unique_id(&self) -> UniqueId {
        self.sim.borrow().unique_id(self.host)
    }
    fn limits(&self) -> PortLimits {
        self.sim.borrow().port_limits(self.host)
    }
    fn now(&self) -> Time {
        self.sim.borrow().now()
    }
    fn can_send(&self) -> bool {
        self.sim.borrow().can_send(self.host)
    }
    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        self.sim.borrow_mut().send(self.host, transmit)
    }
    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        Ok(self.sim.borrow_mut().recv(self.host))
    }
    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.sim.borrow_mut().wait(self.host, deadline)
    }
}

struct SimRig {
    topology: Topology,
    sim: Rc<RefCell<Sim<Responder>>>,
    ports: Vec<Outside>,
}

impl SimRig {
    fn new(hosts: usize) -> SimRig {
        let topology = row(hosts as u32, 1);
        let mut sim = Sim::new(&topology, SimConfig::default(), 1, |_| Responder::new(UniqueId(0)));
        topology.host_ids().for_each(|host| sim.take_over(host));
        let sim = Rc::new(RefCell::new(sim));
        let ports = topology.host_ids().map(|host| Outside { sim: Rc::clone(&sim), host }).collect();
        SimRig { topology, sim, ports }
    }

    fn inject(&mut self, fault: Fault) {
        let mut sim = self.sim.borrow_mut();
        let now = sim.now();
        sim.inject(now, fault);
    }
}

impl Rig for SimRig {
    fn hosts(&self) -> usize {
        self.ports.len()
    }

    fn port(&mut self, host: usize) -> &mut dyn Port {
        &mut self.ports[host]
    }

    fn path(&self, from: usize, to: usize) -> Path {
        route(&self.topology, from as u32, to as u32).into()
    }

    /// The first has a hop too many; the bits of the others are flipped on the way, until a crossbar lets one pass.
    fn damage(&mut self, from: usize, to: usize, kind: usize) -> bool {
        let way = route(&self.topology, from as u32, to as u32);
        let before = self.rejected(to);
        match kind {
            0 => {
                let mut longer = way;
                longer.push(Hop::new(5)).unwrap();
                self.ports[from].send(Transmit::new(longer, packet(0, 10))).unwrap();
            }
            1..8 => {
                self.inject(Fault::Corrupt(1.0));
                while self.rejected(to) == before {
                    let bare = Packet::new(Probe { session: 1, nonce: kind as u32 });
                    self.ports[from].send(Transmit::new(way, bare)).unwrap();
                    let arrived = self.sim.borrow().now() + std::time::Duration::from_millis(1);
                    self.sim.borrow_mut().run_until(arrived);
                }
                self.inject(Fault::Corrupt(0.0));
            }
            _ => {}
        }
        kind < 8
    }

    fn rejected(&mut self, _host: usize) -> u64 {
        let sim = self.sim.borrow();
        sim.stats().dropped(DropCause::Damaged) + sim.stats().dropped(DropCause::RouteTooLong)
    }

    /// Time stands still while nobody waits, and with it the fabric.
    fn hold(&mut self, _held: bool) {}
}

#[test]
fn the_simulator_is_a_port() {
    conformance::run(&[], |hosts| Box::new(SimRig::new(hosts)));
}

#[test]
fn patterns_differ() {
    assert_ne!(pattern(8, 1), pattern(8, 2));
}
