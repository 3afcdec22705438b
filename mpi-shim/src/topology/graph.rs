//! Graphs that every process knows whole.
use crate::abi::{MPI_ERR_ARG, MPI_ERR_RANK};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// The edges of all nodes, one node's after another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    index: Vec<c_int>,
    edges: Vec<c_int>,
}

impl Graph {
    /// The number of edges that an index says there are: its last entry.
    pub fn edges_of_index(index: &[c_int]) -> Result<usize> {
        let ends = std::iter::once(&0).chain(index);
        if let Some(node) = ends.zip(index).position(|(begin, end)| begin > end) {
            return Err(Error::new(MPI_ERR_ARG, format!("the index falls at node {node}")));
        }
        Ok(index.last().map_or(0, |&end| end as usize))
    }

    /// The graph in which node `i` has the edges from `index[i - 1]` to `index[i]`.
    pub fn new(index: &[c_int], edges: &[c_int]) -> Result<Graph> {
        let count = Graph::edges_of_index(index)?;
        if count != edges.len() {
            return Err(Error::new(MPI_ERR_ARG, format!("{} edges for an index of {count}", edges.len())));
        }
        if let Some(end) = edges.iter().find(|&&end| end < 0 || end as usize >= index.len()) {
            return Err(Error::new(MPI_ERR_ARG, format!("an edge to node {end} in a graph of {}", index.len())));
        }
        Ok(Graph { index: index.to_vec(), edges: edges.to_vec() })
    }

    /// For each node, where its edges end.
    pub fn index(&self) -> &[c_int] {
        &self.index
    }

    /// Where the edges lead.
    pub fn edges(&self) -> &[c_int] {
        &self.edges
    }

    /// The number of nodes.
    pub fn nodes(&self) -> usize {
        self.index.len()
    }

    /// Where the edges of a node lead.
    pub fn neighbours(&self, node: usize) -> &[c_int] {
        let begin = node.checked_sub(1).map_or(0, |before| self.index[before]) as usize;
        &self.edges[begin..self.index[node] as usize]
    }

    /// The same for a rank from outside.
    pub fn neighbours_of(&self, rank: c_int) -> Result<&[c_int]> {
        let node = usize::try_from(rank).ok().filter(|&node| node < self.nodes());
        let text = || format!("rank {rank} is outside of a graph of {}", self.nodes());
        node.map(|node| self.neighbours(node)).ok_or_else(|| Error::new(MPI_ERR_RANK, text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        let graph = Graph::new(&[2, 3, 4, 6], &[1, 3, 0, 3, 0, 2]).unwrap();
        let neighbours: Vec<&[c_int]> = (0..4).map(|node| graph.neighbours(node)).collect();
        assert_eq!(neighbours, [&[1, 3][..], &[0], &[3], &[0, 2]]);
        assert_eq!(graph.neighbours_of(3), Ok(&[0, 2][..]));
        assert_eq!(graph.neighbours_of(4).unwrap_err().code, MPI_ERR_RANK);
    }

    #[test]
    fn bad_graphs_are_refused() {
        assert!(Graph::new(&[1, 0], &[0]).unwrap_err().text.contains("node 1"));
        assert_eq!(Graph::new(&[-1], &[]).unwrap_err().code, MPI_ERR_ARG);
        assert_eq!(Graph::new(&[1], &[1]).unwrap_err().code, MPI_ERR_ARG);
        assert_eq!(Graph::new(&[1], &[]).unwrap_err().code, MPI_ERR_ARG);
        assert!(Graph::new(&[], &[]).is_ok());
    }
}
