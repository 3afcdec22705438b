//! What runs on a node in phase 1 where the fabric finds cards by itself: the boot client, and the NVRAM with what it knows of
//! images. It needs no routes.

use super::{NodeSetup, nvram};
use crate::session::{BootClient, BootNode, HeldImage, NodeState, Ticket};
use std::sync::Arc;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Protocol, Transmit};
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_route_store::{Medium, Store};

/// Phase 1 of a node that is called.
pub struct CalledPhase1<M> {
    nvram: Store<M>,
    boot: BootNode,
}

impl<M: Medium> CalledPhase1<M> {
    /// A node with this card, on a port with so large payloads. `seed` must be another one each time.
    pub fn new(setup: &NodeSetup, id: UniqueId, max_payload: usize, mut nvram: Store<M>, seed: u64) -> CalledPhase1<M> {
        let stores = Arc::clone(&setup.stores);
        let mut boot = BootNode::for_group(setup.boot.clone(), setup.credentials(id), stores, max_payload, seed);
        boot.set_image_record(nvram::read_images(&mut nvram));
        CalledPhase1 { nvram, boot }
    }

    fn keep_record(&mut self, now: Time) {
        nvram::keep(now, &mut self.nvram, &mut self.boot);
    }
}

impl<M: Medium> BootClient for CalledPhase1<M> {
    fn state(&self) -> NodeState {
        self.boot.state()
    }

    fn image(&self) -> Option<HeldImage<'_>> {
        self.boot.image()
    }

    fn handed_over(&mut self, now: Time) {
        self.boot.handed_over(now);
        self.keep_record(now);
    }

    fn phase2_failed(&mut self, now: Time) {
        self.boot.phase2_failed(now);
        self.keep_record(now);
    }

    fn boots_fallback(&self) -> bool {
        self.boot.boots_fallback()
    }

    fn ticket(&self) -> Option<Ticket> {
        self.boot.ticket()
    }

    fn routes(&self) -> Option<Arc<RouteTable>> {
        self.boot.routes()
    }

    fn is_heard(&self) -> bool {
        self.boot.is_heard()
    }
}

impl<M: Medium> Protocol for CalledPhase1<M> {
    fn handle_packet(&mut self, now: Time, packet: &Packet) {
        self.boot.handle_packet(now, packet);
        self.keep_record(now);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.boot.handle_timeout(now);
        self.keep_record(now);
    }

    fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        self.boot.poll_transmit(now)
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.boot.poll_timeout()
    }
}
