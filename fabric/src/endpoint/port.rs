//! A reliable endpoint and the port that it works over.

use super::config::EndpointConfig;
use super::event::{Event, MessageId, SendError};
use super::provider::{Capabilities, Endpoint};
use super::reliable::ReliableEndpoint;
use crate::id::UniqueId;
use crate::protocol::{Path, Port, PortError, Protocol, Received};
use crate::time::Time;
use bytes::Bytes;

/// A [`ReliableEndpoint`] over any [`Port`].
#[derive(Debug)]
pub struct PortEndpoint<P> {
    port: P,
    machine: ReliableEndpoint,
}

impl<P: Port> PortEndpoint<P> {
    /// An endpoint over `port`, with payloads that the port carries. The seed gives the incarnation: a program that is
    /// started again must give another one.
    pub fn new(port: P, mut config: EndpointConfig, seed: u64) -> PortEndpoint<P> {
        config.max_payload = config.max_payload.min(port.limits().max_payload);
        config.long_payload = config.long_payload.min(port.limits().long_payload);
        let machine = ReliableEndpoint::new(config, port.unique_id(), seed);
        PortEndpoint { port, machine }
    }

    /// The state machine.
    pub fn machine(&self) -> &ReliableEndpoint {
        &self.machine
    }

    /// The port.
    pub fn port(&self) -> &P {
        &self.port
    }

    /// The port, to set it. Frames that are taken from it here are lost for the endpoint.
    pub fn port_mut(&mut self) -> &mut P {
        &mut self.port
    }

    /// Gives the port back.
    pub fn into_port(self) -> P {
        self.port
    }

    /// What has happened already, if anything has: without a look at the port.
    pub fn poll_ready(&mut self) -> Option<Event> {
        self.machine.poll_event()
    }

    fn progress(&mut self) -> Result<(), PortError> {
        while let Some(received) = self.port.recv()? {
            if let Received::Packet(packet) = received {
                self.machine.handle_packet(self.port.now(), &packet);
            }
        }
        // Who polls without pause looks at the clock once each time: it costs as much as all else that there is to do then.
        let now = self.port.now();
        if self.machine.poll_timeout().is_some_and(|at| at <= now) {
            self.machine.handle_timeout(now);
        }
        self.transmit_from(now)
    }

    /// Hands over what may be sent now. Without it that is done by the next [`Endpoint::poll`] or [`Endpoint::wait`].
    pub fn transmit(&mut self) -> Result<(), PortError> {
        self.transmit_from(self.port.now())
    }

    fn transmit_from(&mut self, mut now: Time) -> Result<(), PortError> {
        while self.port.can_send() {
            let Some(transmit) = self.machine.poll_transmit(now) else { break };
            self.port.send(transmit)?;
            now = self.port.now();
        }
        self.port.flush()
    }
}

impl<P: Port> Endpoint for PortEndpoint<P> {
    fn unique_id(&self) -> UniqueId {
        self.machine.unique_id()
    }

    fn capabilities(&self) -> Capabilities {
        let config = self.machine.config();
        Capabilities {
            max_message: config.max_message,
            whole_message: config.max_payload,
            several_paths: true,
            remote_read: false,
            remote_write: false,
        }
    }

    fn now(&self) -> Time {
        self.port.now()
    }

    fn connect(&mut self, peer: UniqueId, paths: Vec<Path>) {
        self.machine.connect(self.port.now(), peer, paths);
    }

    fn disconnect(&mut self, peer: UniqueId) {
        self.machine.disconnect(peer);
    }

    fn send(&mut self, peer: UniqueId, message: Bytes) -> Result<MessageId, SendError> {
        self.machine.send(self.port.now(), peer, message)
    }

    fn poll(&mut self) -> Result<Option<Event>, PortError> {
        if let Some(event) = self.machine.poll_event() {
            return Ok(Some(event));
        }
        self.progress()?;
        Ok(self.machine.poll_event())
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.transmit()?;
        self.port.wait(self.machine.poll_timeout().map_or(deadline, |at| at.min(deadline)))
    }
}
