//! Virtual topologies: who is whose neighbour (MPI 5.0, chapter 8). Ranks are those of the communicator.
mod cart;
mod dims;
mod dist_graph;
mod graph;

use crate::abi::{MPI_CART, MPI_DIST_GRAPH, MPI_ERR_TOPOLOGY, MPI_GRAPH};
use crate::error::{Error, Result};
use std::ffi::c_int;

pub use cart::Cart;
pub use dims::complete as complete_dims;
pub use dist_graph::{DistGraph, Edge, Weights};
pub use graph::Graph;

/// The topology of a communicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// A grid.
    Cart(Cart),
    /// A graph that every process knows.
    Graph(Graph),
    /// A graph of which every process knows its own edges.
    DistGraph(DistGraph),
}

/// The processes that a neighbourhood collective receives from and sends to, in the order of its buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Ranks to receive from; `MPI_PROC_NULL` beyond the end of a grid.
    pub sources: Vec<c_int>,
    /// Ranks to send to.
    pub destinations: Vec<c_int>,
}

impl Topology {
    /// The neighbours of a rank; for a distributed graph, of the process itself.
    pub fn neighbours(&self, rank: usize) -> Neighbours {
        let both = |ranks: Vec<c_int>| Neighbours { sources: ranks.clone(), destinations: ranks };
        match self {
            Topology::Cart(cart) => both(cart.neighbours(rank)),
            Topology::Graph(graph) => both(graph.neighbours(rank).to_vec()),
            Topology::DistGraph(graph) => graph.neighbours(),
        }
    }

    /// What `MPI_Topo_test` calls it.
    pub fn kind(&self) -> c_int {
        match self {
            Topology::Cart(_) => MPI_CART,
            Topology::Graph(_) => MPI_GRAPH,
            Topology::DistGraph(_) => MPI_DIST_GRAPH,
        }
    }

    /// The grid.
    pub fn cart(topology: Option<&Topology>) -> Result<&Cart> {
        match topology {
            Some(Topology::Cart(cart)) => Ok(cart),
            _ => Err(missing("Cartesian")),
        }
    }

    /// The graph.
    pub fn graph(topology: Option<&Topology>) -> Result<&Graph> {
        match topology {
            Some(Topology::Graph(graph)) => Ok(graph),
            _ => Err(missing("graph")),
        }
    }

    /// The distributed graph.
    pub fn dist_graph(topology: Option<&Topology>) -> Result<&DistGraph> {
        match topology {
            Some(Topology::DistGraph(graph)) => Ok(graph),
            _ => Err(missing("distributed graph")),
        }
    }
}

fn missing(kind: &str) -> Error {
    Error::new(MPI_ERR_TOPOLOGY, format!("a communicator without {kind} topology"))
}
