//! From a topology to channels.

use super::ahead::Ahead;
use super::channel::{CableClass, Far, Input, Output};
use super::config::{NS_PER_METRE, SimConfig};
use super::frames::{Frames, NONE};
use super::network::{Mishaps, Network};
use super::nic::Nic;
use super::stats::{ChannelLoad, Stats};
use super::wheel::Wheel;
use crate::route::MAX_HOPS;
use crate::topology::{Cable, HostId, NodeId, PortId, Topology};
use crate::wire::MAX_HEADER;
use crate::wire::frame::CRC_LEN;
use std::collections::BTreeMap;
use std::time::Duration;

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Network {
    pub(super) fn new(topology: &Topology, config: &SimConfig, seed: u64) -> Network {
        let largest = MAX_HOPS + MAX_HEADER + config.max_payload + CRC_LEN;
        let buffer_bytes = config.buffer_bytes.max(largest as u32);
        let mut first_output = vec![0];
        for crossbar in topology.crossbars() {
            first_output.push(first_output[first_output.len() - 1] + u32::from(crossbar.ports));
        }
        let first_host_channel = first_output[topology.crossbars().len()];
        let channels = first_host_channel as usize + topology.hosts().len();
        let mut network = Network {
            wheel: Wheel::new(),
            outputs: vec![Output::new(buffer_bytes); channels],
            inputs: vec![Input::NOWHERE; channels],
            classes: vec![CableClass::NOTHING],
            frames: Frames::new(),
            nics: vec![Nic::new(); topology.hosts().len()],
            ids: topology.hosts().iter().map(|host| host.id).collect(),
            stats: Stats::default(),
            loads: vec![ChannelLoad::default(); if config.count_channels { channels } else { 0 }],
            rng: fastrand::Rng::with_seed(seed),
            mishaps: Mishaps::default(),
            digest: seed,
            first_output,
            first_host_channel,
            reverse: vec![NONE; channels],
            unblocked: Vec::new(),
            ahead: Ahead::new(channels),
            send_cost: nanos(config.send_cost),
            receive_cost: nanos(config.receive_cost),
            max_payload: config.max_payload,
        };
        let mut classes = BTreeMap::from([(CableClass::NOTHING, 0)]);
        for cable in topology.cables() {
            network.connect(topology, cable.a, cable.b, class_of(cable, cable.b, config), &mut classes);
            network.connect(topology, cable.b, cable.a, class_of(cable, cable.a, config), &mut classes);
        }
        network
    }

    /// Makes the channel from one end of a cable to the other, if both are modelled.
    fn connect(
        &mut self,
        topology: &Topology,
        from: PortId,
        to: PortId,
        class: CableClass,
        classes: &mut BTreeMap<CableClass, u32>,
    ) {
        let (Some(out), Some(back)) = (self.channel_from(from), self.channel_from(to)) else { return };
        self.reverse[out as usize] = back;
        let input = &mut self.inputs[out as usize];
        (input.port, input.ports) = (to.port, topology.ports_of(to.node));
        input.dest = match to.node {
            NodeId::Crossbar(x) => self.first_output[x.0 as usize],
            NodeId::Host(h) => h.0,
        };
        if let NodeId::Host(h) = to.node {
            self.nics[h.0 as usize].rx = out;
        }
        self.outputs[out as usize].class = *classes.entry(class).or_insert_with(|| {
            self.classes.push(class);
            self.classes.len() as u32 - 1
        });
    }

    /// The channel that leaves by a port. A host has a channel at its port 0 only.
    pub(super) fn channel_from(&self, port: PortId) -> Option<u32> {
        match port.node {
            NodeId::Crossbar(x) => Some(self.first_output[x.0 as usize] + u32::from(port.port)),
            NodeId::Host(h) => (port.port == 0).then(|| self.first_host_channel + h.0),
        }
    }

    /// What kind of cable a channel is.
    pub(super) fn class(&self, channel: u32) -> &CableClass {
        &self.classes[self.outputs[channel as usize].class as usize]
    }

    /// The rate of a host's link; `None` without a cable.
    pub(super) fn rate_bits_per_s(&self, host: HostId) -> Option<u64> {
        let class = self.class(self.first_host_channel + host.0);
        (class.far != Far::Nothing).then(|| class.rate_bits_per_s())
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.wheel.memory()
            + self.frames.memory()
            + self.outputs.capacity() * size_of::<Output>()
            + self.inputs.capacity() * size_of::<Input>()
            + self.nics.capacity() * (size_of::<Nic>() + size_of::<u64>())
            + self.loads.capacity() * size_of::<ChannelLoad>()
            + (self.first_output.capacity() + self.reverse.capacity()) * size_of::<u32>()
    }
}

fn class_of(cable: &Cable, to: PortId, config: &SimConfig) -> CableClass {
    let rate = cable.rate_bits_per_s.unwrap_or(config.rate_bits_per_s);
    let flight = cable.length_m.map_or(nanos(config.cable_delay), |m| (m * NS_PER_METRE) as u64);
    let far = if matches!(to.node, NodeId::Host(_)) { Far::Host } else { Far::Crossbar };
    CableClass::new(rate, flight, nanos(config.crossbar_delay), far)
}
