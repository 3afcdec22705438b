//! Tori and hypercubes: one crossbar at each point of a grid.

use super::{GenerateError, add_crossbar, add_host, connect, nodes, radix};
use crate::topology::{CrossbarId, PortId, Topology};

/// A torus of any number of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torus {
    /// The length of each dimension, 2 or more.
    pub dimensions: Vec<u32>,
    /// Hosts at each crossbar.
    pub hosts_per: u32,
}

impl Torus {
    /// The torus. A crossbar's hosts are at its ports from 0; then each dimension has a port onwards and a port back.
    ///
    /// In a dimension of length 2 there is one cable between the two points, not two.
    pub fn build(&self) -> Result<Topology, GenerateError> {
        let mut topology = self.grid()?;
        let lengths: Vec<String> = self.dimensions.iter().map(u32::to_string).collect();
        topology.name = format!("torus-{}", lengths.join("x"));
        Ok(topology)
    }

    fn grid(&self) -> Result<Topology, GenerateError> {
        if self.dimensions.is_empty() {
            return Err(GenerateError::parameter("dimensions", 0, "1 or more, as in `8x8x8`"));
        }
        if let Some(length) = self.dimensions.iter().find(|&&length| length < 2) {
            return Err(GenerateError::parameter("the length of a dimension", length, "2 or more"));
        }
        let points = nodes(self.dimensions.iter().map(|&length| length.into()))?;
        if self.hosts_per == 0 {
            return Err(GenerateError::parameter("hosts-per", 0, "1 or more"));
        }
        nodes([points, self.hosts_per.into()])?;
        let ports = radix(u64::from(self.hosts_per) + 2 * self.dimensions.len() as u64)?;
        let mut topology = Topology::default();
        for point in 0..points {
            add_crossbar(&mut topology, format!("x{point}"), ports);
        }
        for point in 0..points as u32 {
            self.cable_point(&mut topology, point);
        }
        Ok(topology)
    }

    /// Adds a point's hosts, and its cable onwards in each dimension; the last dimension varies fastest.
    fn cable_point(&self, topology: &mut Topology, point: u32) {
        let crossbar = CrossbarId(point);
        for port in 0..self.hosts_per as u8 {
            let host = add_host(topology, 1);
            connect(topology, PortId::new(host, 0), PortId::new(crossbar, port));
        }
        let mut stride: u32 = self.dimensions.iter().product();
        for (dimension, &length) in self.dimensions.iter().enumerate() {
            stride /= length;
            let at = point / stride % length;
            if length == 2 && at == 1 {
                continue;
            }
            let next = point - at * stride + (at + 1) % length * stride;
            let port = self.hosts_per as u8 + 2 * dimension as u8;
            connect(topology, PortId::new(crossbar, port), PortId::new(CrossbarId(next), port + 1));
        }
    }
}

/// A hypercube: the torus of length 2 in each dimension, with one host at each crossbar.
pub fn hypercube(dimensions: u32) -> Result<Topology, GenerateError> {
    if !(1..=20).contains(&dimensions) {
        return Err(GenerateError::parameter("dimensions", dimensions, "1 to 20"));
    }
    let mut topology = Torus { dimensions: vec![2; dimensions as usize], hosts_per: 1 }.grid()?;
    topology.name = format!("hypercube-{dimensions}");
    Ok(topology)
}
