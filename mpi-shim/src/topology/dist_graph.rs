//! Graphs of which every process knows its own edges.
use super::Neighbours;
use std::ffi::c_int;

/// A process's edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistGraph {
    /// Where edges to this process come from.
    pub sources: Vec<c_int>,
    /// Where edges from this process lead.
    pub destinations: Vec<c_int>,
    /// The weights of both, if the graph has weights.
    pub weights: Option<Weights>,
}

/// Weights, in the order of the edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Of the edges from the sources.
    pub sources: Vec<c_int>,
    /// Of the edges to the destinations.
    pub destinations: Vec<c_int>,
}

/// An edge that some process named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where it begins.
    pub source: c_int,
    /// Where it leads.
    pub destination: c_int,
    /// Its weight; any number in a graph without weights.
    pub weight: c_int,
}

impl Edge {
    /// The edge as it is told to others.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, number) in bytes.chunks_exact_mut(4).zip([self.source, self.destination, self.weight]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// The edge that another process told.
    pub fn from_bytes(bytes: &[u8; 12]) -> Edge {
        let number = |place: usize| c_int::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[4 * place + byte]));
        Edge { source: number(0), destination: number(1), weight: number(2) }
    }
}

impl DistGraph {
    /// The edges of a rank, out of all those that were named by anybody.
    pub fn of_rank(rank: c_int, edges: impl IntoIterator<Item = Edge>, weighted: bool) -> DistGraph {
        let mut graph = DistGraph::default();
        let mut weights = Weights::default();
        for edge in edges {
            if edge.destination == rank {
                graph.sources.push(edge.source);
                weights.sources.push(edge.weight);
            }
            if edge.source == rank {
                graph.destinations.push(edge.destination);
                weights.destinations.push(edge.weight);
            }
        }
        graph.weights = weighted.then_some(weights);
        graph
    }

    /// The neighbours, in the order of the edges.
    pub fn neighbours(&self) -> Neighbours {
        Neighbours { sources: self.sources.clone(), destinations: self.destinations.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_survives_its_bytes() {
        let edge = Edge { source: 1, destination: c_int::MAX, weight: -3 };
        assert_eq!(Edge::from_bytes(&edge.to_bytes()), edge);
    }

    #[test]
    fn a_rank_gets_its_edges_in_the_order_in_which_they_were_named() {
        let edges = [(0, 1, 5), (1, 1, 6), (2, 0, 7), (1, 0, 8), (2, 1, 9)];
        let edges = edges.map(|(source, destination, weight)| Edge { source, destination, weight });
        let graph = DistGraph::of_rank(1, edges, true);
        assert_eq!((&graph.sources[..], &graph.destinations[..]), (&[0, 1, 2][..], &[1, 0][..]));
        assert_eq!(graph.weights, Some(Weights { sources: vec![5, 6, 9], destinations: vec![6, 8] }));
        assert_eq!(DistGraph::of_rank(1, edges, false).weights, None);
    }
}
