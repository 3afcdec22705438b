//! What every provider of [`Port`]s must pass.
//!
//! A provider's tests build a [`Rig`] of hosts and hand it to [`run`], with the cases that the provider cannot pass and
//! why. A case panics with what was expected and what came.

mod cases;
mod sample;

pub use cases::CASES;
pub use sample::{every_header, pattern};

use crate::protocol::{Path, Port, Received};
use crate::time::Time;
use std::time::Duration;

/// Hosts of one fabric with a port each. Nothing is lost on it while no port's queue is full.
pub trait Rig {
    /// How many hosts there are.
    fn hosts(&self) -> usize;

    /// The port of a host.
    fn port(&mut self, host: usize) -> &mut dyn Port;

    /// The path from one host to another.
    fn path(&self, from: usize, to: usize) -> Path;

    /// Lets bytes reach a host that come from the fabric, and are no frame of ours or a damaged one. The kinds of
    /// damage are numbered from 0; false if there are no more.
    fn damage(&mut self, from: usize, to: usize, kind: usize) -> bool;

    /// How many frames a host's port has counted as rejected.
    fn rejected(&mut self, host: usize) -> u64;

    /// Stops the fabric from taking frames out of the hosts' ports (true), and lets it go on (false), so that
    /// a port runs out of room.
    fn hold(&mut self, held: bool);
}

/// A case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// How many hosts it needs.
    pub hosts: usize,
    /// The case itself.
    pub run: fn(&mut dyn Rig),
}

/// A case that a provider cannot pass.
#[derive(Clone, Copy, Debug)]
pub struct Exemption {
    /// The name of the case.
    pub case: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Runs every case on a rig of its own, but those that the provider is exempt from: these are printed with the reason.
///
/// Panics if a case does not hold, or an exemption names no case.
pub fn run(exemptions: &[Exemption], mut make: impl FnMut(usize) -> Box<dyn Rig>) {
    for exemption in exemptions {
        assert!(CASES.iter().any(|case| case.name == exemption.case), "no case is called `{}`", exemption.case);
    }
    for case in CASES {
        match exemptions.iter().find(|exemption| exemption.case == case.name) {
            Some(exemption) => println!("{}: exempt: {}", case.name, exemption.reason),
            None => {
                println!("{}", case.name);
                (case.run)(&mut *make(case.hosts));
            }
        }
    }
}

/// The time in which something must happen, on the port's clock. Nothing here is expected to take long; a port
/// in real time may be kept waiting by everything else that runs on the machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// How long a host is waited for before the others get another turn.
const TURN: Duration = Duration::from_millis(20);

/// Waits at a host until a frame comes in; panics if none does. What the others could not hand over at once leaves
/// meanwhile, as it would in a program that goes on with its port.
pub fn receive(rig: &mut dyn Rig, host: usize) -> Received {
    let deadline = rig.port(host).now() + LIMIT;
    loop {
        let port = rig.port(host);
        if let Some(received) = port.recv().unwrap_or_else(|error| panic!("host {host} receives: {error}")) {
            return received;
        }
        assert!(port.now() < deadline, "nothing reached host {host} in {LIMIT:?}");
        let turn = port.now() + TURN;
        wait(port, deadline.min(turn));
        for other in (0..rig.hosts()).filter(|&other| other != host) {
            // A port that is down says so where it matters.
            let _ = rig.port(other).flush();
        }
    }
}

/// Takes what has come in, until nothing comes for `quiet`.
pub fn drain(rig: &mut dyn Rig, host: usize, quiet: Duration) -> Vec<Received> {
    let port = rig.port(host);
    let mut all = Vec::new();
    let mut until = port.now() + quiet;
    while port.now() < until {
        match port.recv().unwrap_or_else(|error| panic!("host {host} receives: {error}")) {
            Some(received) => {
                all.push(received);
                until = port.now() + quiet;
            }
            None => wait(port, until),
        }
    }
    all
}

fn wait(port: &mut dyn Port, deadline: Time) {
    port.wait(deadline).unwrap_or_else(|error| panic!("{} waits: {error}", port.unique_id()));
}
