//! A distributor with the endpoint that it sends by, as one state machine for a driver.

use super::{Distributor, TableSource};
use crate::endpoint::ReliableEndpoint;
use crate::protocol::{Protocol, Transmit};
use crate::time::Time;
use crate::wire::Packet;

/// Runs a [`Distributor`] over an endpoint that does nothing else meanwhile: what is not about loading is dropped.
pub struct RouteLoader<S> {
    /// What is loaded.
    pub distributor: Distributor<S>,
    /// The endpoint that it goes over.
    pub endpoint: ReliableEndpoint,
}

impl<S: TableSource> RouteLoader<S> {
    /// Puts the two together.
    pub fn new(distributor: Distributor<S>, endpoint: ReliableEndpoint) -> RouteLoader<S> {
        RouteLoader { distributor, endpoint }
    }

    fn take_events(&mut self, now: Time) {
        while let Some(event) = self.endpoint.poll_event() {
            self.distributor.handle_event(now, &event, &mut self.endpoint);
        }
    }
}

impl<S: TableSource> Protocol for RouteLoader<S> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.endpoint.handle_packet(now, packet);
        self.take_events(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
            self.take_events(now);
        }
        self.distributor.handle_timeout(now, &mut self.endpoint);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.endpoint.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        [self.endpoint.poll_timeout(), self.distributor.poll_timeout()].into_iter().flatten().min()
    }
}
