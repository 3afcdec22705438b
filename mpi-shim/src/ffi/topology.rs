//! Virtual topologies.
use super::argument::{flags, list, places, set_list};
use super::comm::{comm_of, set_made};
use super::{mpi, set};
use crate::abi::{
    MPI_Comm, MPI_ERR_ARG, MPI_ERR_DIMS, MPI_ERR_RANK, MPI_Info, MPI_UNDEFINED, MPI_UNWEIGHTED, MPI_WEIGHTS_EMPTY,
};
use crate::comm::{self as communicator, Comm};
use crate::error::{Error, Result};
use crate::topology::{Cart, DistGraph, Edge, Graph, Topology, Weights, complete_dims};
use std::ffi::c_int;

fn cart(comm: &Comm) -> Result<&Cart> {
    Topology::cart(comm.topology.as_ref())
}

fn graph(comm: &Comm) -> Result<&Graph> {
    Topology::graph(comm.topology.as_ref())
}

/// The grid of a call, which must not be larger than the communicator.
fn grid(comm: &Comm, ndims: c_int, dims: *const c_int, periods: *const c_int) -> Result<Cart> {
    comm.require_intra()?;
    let dims = list(dims, dimensions(ndims)?)?;
    let cart = Cart::new(dims, &flags(periods, ndims)?)?;
    if cart.nodes() > comm.group.size() {
        let text = format!("a grid of {} places for a communicator of {}", cart.nodes(), comm.group.size());
        return Err(Error::new(MPI_ERR_DIMS, text));
    }
    Ok(cart)
}

fn dimensions(ndims: c_int) -> Result<c_int> {
    if ndims < 0 { Err(Error::new(MPI_ERR_DIMS, format!("{ndims} dimensions"))) } else { Ok(ndims) }
}

/// The graph of a call, which must not be larger than the communicator.
fn whole_graph(comm: &Comm, nnodes: c_int, index: *const c_int, edges: *const c_int) -> Result<Graph> {
    comm.require_intra()?;
    if usize::try_from(nnodes).is_ok_and(|nodes| nodes > comm.group.size()) {
        let text = format!("a graph of {nnodes} nodes for a communicator of {}", comm.group.size());
        return Err(Error::new(MPI_ERR_ARG, text));
    }
    let index = list(index, nnodes)?;
    Graph::new(index, list(edges, Graph::edges_of_index(index)? as c_int)?)
}

/// Coordinates of the caller for a grid.
fn coordinates<'a>(cart: &Cart, coords: *const c_int) -> Result<&'a [c_int]> {
    list(coords, cart.dims().len() as c_int)
}

/// Room of the caller for all dimensions of a grid.
fn require_room(room: c_int, cart: &Cart) -> Result<()> {
    if usize::try_from(room).is_ok_and(|room| room >= cart.dims().len()) {
        return Ok(());
    }
    Err(Error::new(MPI_ERR_ARG, format!("room for {room} of {} dimensions", cart.dims().len())))
}

fn rank_or_undefined(comm: &Comm, nodes: usize) -> c_int {
    if comm.rank < nodes { comm.rank as c_int } else { MPI_UNDEFINED }
}

/// Weights of the caller: none for an unweighted graph.
fn weights(first: *const c_int, count: c_int) -> Result<Option<Vec<c_int>>> {
    match first as usize {
        MPI_UNWEIGHTED => Ok(None),
        MPI_WEIGHTS_EMPTY if count == 0 => Ok(Some(Vec::new())),
        MPI_WEIGHTS_EMPTY => Err(Error::new(MPI_ERR_ARG, format!("MPI_WEIGHTS_EMPTY for {count} edges"))),
        _ => Ok(Some(list(first, count)?.to_vec())),
    }
}

fn require_ranks(comm: &Comm, ranks: &[c_int]) -> Result<()> {
    let size = comm.group.size();
    match ranks.iter().find(|&&rank| usize::try_from(rank).map_or(true, |rank| rank >= size)) {
        None => Ok(()),
        Some(rank) => Err(Error::new(MPI_ERR_RANK, format!("rank {rank} is outside of a communicator of {size}"))),
    }
}

/// The edges that a process names: for each source its degree, and as many destinations and weights.
fn named_edges(
    sources: &[c_int],
    degrees: &[c_int],
    destinations: *const c_int,
    weights: *const c_int,
) -> Result<(Vec<Edge>, bool)> {
    let negative = degrees.iter().find(|&&degree| degree < 0);
    if let Some(degree) = negative {
        return Err(Error::new(MPI_ERR_ARG, format!("a degree of {degree}")));
    }
    let total = degrees.iter().try_fold(0, |total: c_int, &degree| total.checked_add(degree));
    let total = total.ok_or_else(|| Error::new(MPI_ERR_ARG, "more edges than an int can count"))?;
    let weights = self::weights(weights, total)?;
    let starts = sources.iter().zip(degrees).flat_map(|(&source, &degree)| (0..degree).map(move |_| source));
    let ends = list(destinations, total)?.iter().enumerate();
    let edges = starts.zip(ends).map(|(source, (place, &destination))| {
        let weight = weights.as_ref().map_or(1, |weights| weights[place]);
        Edge { source, destination, weight }
    });
    Ok((edges.collect(), weights.is_some()))
}

mpi! {
    /// Lengths for a grid.
    fn MPI_Dims_create, PMPI_Dims_create(nnodes: c_int, ndims: c_int, dims: *mut c_int) on (), {
        complete_dims(nnodes, places(dims, dimensions(ndims)?)?)
    }

    /// A communicator with a grid.
    fn MPI_Cart_create, PMPI_Cart_create(
        comm_old: MPI_Comm, ndims: c_int, dims: *const c_int, periods: *const c_int, _reorder: c_int,
        comm_cart: *mut MPI_Comm,
    ) on comm_old, {
        let grid = grid(&*comm_of(comm_old)?, ndims, dims, periods)?;
        let nodes = grid.nodes();
        set_made(comm_cart, communicator::with_topology(comm_old, nodes, Topology::Cart(grid))?)
    }

    /// The number of dimensions.
    fn MPI_Cartdim_get, PMPI_Cartdim_get(comm: MPI_Comm, ndims: *mut c_int) on comm, {
        set(ndims, cart(&*comm_of(comm)?)?.dims().len() as c_int)
    }

    /// The grid, and this process's place in it.
    fn MPI_Cart_get, PMPI_Cart_get(
        comm: MPI_Comm, maxdims: c_int, dims: *mut c_int, periods: *mut c_int, coords: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        let cart = cart(&comm)?;
        require_room(maxdims, cart)?;
        set_list(dims, maxdims, cart.dims())?;
        set_list(periods, maxdims, &cart.periods().iter().map(|&ring| ring.into()).collect::<Vec<c_int>>())?;
        set_list(coords, maxdims, &cart.coords(comm.rank as c_int)?)
    }

    /// The rank at some coordinates.
    fn MPI_Cart_rank, PMPI_Cart_rank(comm: MPI_Comm, coords: *const c_int, rank: *mut c_int) on comm, {
        let comm = comm_of(comm)?;
        let cart = cart(&comm)?;
        set(rank, cart.rank(coordinates(cart, coords)?)?)
    }

    /// The coordinates of a rank.
    fn MPI_Cart_coords, PMPI_Cart_coords(comm: MPI_Comm, rank: c_int, maxdims: c_int, coords: *mut c_int) on comm, {
        let comm = comm_of(comm)?;
        let cart = cart(&comm)?;
        let found = cart.coords(rank)?;
        require_room(maxdims, cart)?;
        set_list(coords, maxdims, &found)
    }

    /// Whom to receive from and to send to in a shift.
    fn MPI_Cart_shift, PMPI_Cart_shift(
        comm: MPI_Comm, direction: c_int, disp: c_int, rank_source: *mut c_int, rank_dest: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        let (source, dest) = cart(&comm)?.shift(comm.rank as c_int, direction, disp)?;
        set(rank_source, source)?;
        set(rank_dest, dest)
    }

    /// The part of a grid in which some dimensions remain.
    fn MPI_Cart_sub, PMPI_Cart_sub(comm: MPI_Comm, remain_dims: *const c_int, newcomm: *mut MPI_Comm) on comm, {
        let ndims = cart(&*comm_of(comm)?)?.dims().len() as c_int;
        set(newcomm, communicator::split_grid(comm, &flags(remain_dims, ndims)?)?)
    }

    /// The rank that a process would have in a grid.
    fn MPI_Cart_map, PMPI_Cart_map(
        comm: MPI_Comm, ndims: c_int, dims: *const c_int, periods: *const c_int, newrank: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        set(newrank, rank_or_undefined(&comm, grid(&comm, ndims, dims, periods)?.nodes()))
    }

    /// A communicator with a graph.
    fn MPI_Graph_create, PMPI_Graph_create(
        comm_old: MPI_Comm, nnodes: c_int, index: *const c_int, edges: *const c_int, _reorder: c_int,
        comm_graph: *mut MPI_Comm,
    ) on comm_old, {
        let graph = whole_graph(&*comm_of(comm_old)?, nnodes, index, edges)?;
        let nodes = graph.nodes();
        set_made(comm_graph, communicator::with_topology(comm_old, nodes, Topology::Graph(graph))?)
    }

    /// The numbers of nodes and edges.
    fn MPI_Graphdims_get, PMPI_Graphdims_get(comm: MPI_Comm, nnodes: *mut c_int, nedges: *mut c_int) on comm, {
        let comm = comm_of(comm)?;
        let graph = graph(&comm)?;
        set(nnodes, graph.nodes() as c_int)?;
        set(nedges, graph.edges().len() as c_int)
    }

    /// The graph.
    fn MPI_Graph_get, PMPI_Graph_get(
        comm: MPI_Comm, maxindex: c_int, maxedges: c_int, index: *mut c_int, edges: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        let graph = graph(&comm)?;
        set_list(index, maxindex, graph.index())?;
        set_list(edges, maxedges, graph.edges())
    }

    /// How many neighbours a rank has.
    fn MPI_Graph_neighbors_count, PMPI_Graph_neighbors_count(
        comm: MPI_Comm, rank: c_int, nneighbors: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        set(nneighbors, graph(&comm)?.neighbours_of(rank)?.len() as c_int)
    }

    /// The neighbours of a rank.
    fn MPI_Graph_neighbors, PMPI_Graph_neighbors(
        comm: MPI_Comm, rank: c_int, maxneighbors: c_int, neighbors: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        set_list(neighbors, maxneighbors, graph(&comm)?.neighbours_of(rank)?)
    }

    /// The rank that a process would have in a graph.
    fn MPI_Graph_map, PMPI_Graph_map(
        comm: MPI_Comm, nnodes: c_int, index: *const c_int, edges: *const c_int, newrank: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        set(newrank, rank_or_undefined(&comm, whole_graph(&comm, nnodes, index, edges)?.nodes()))
    }

    /// A communicator with a graph of which any process may name any edges.
    fn MPI_Dist_graph_create, PMPI_Dist_graph_create(
        comm_old: MPI_Comm, n: c_int, sources: *const c_int, degrees: *const c_int, destinations: *const c_int,
        weights: *const c_int, _info: MPI_Info, _reorder: c_int, comm_dist_graph: *mut MPI_Comm,
    ) on comm_old, {
        let comm = comm_of(comm_old)?;
        comm.require_intra()?;
        let (edges, weighted) = named_edges(list(sources, n)?, list(degrees, n)?, destinations, weights)?;
        let ends: Vec<c_int> = edges.iter().flat_map(|edge| [edge.source, edge.destination]).collect();
        require_ranks(&comm, &ends)?;
        set_made(comm_dist_graph, Some(communicator::with_named_edges(comm_old, &edges, weighted)?))
    }

    /// A communicator with a graph of which each process names its own edges.
    fn MPI_Dist_graph_create_adjacent, PMPI_Dist_graph_create_adjacent(
        comm_old: MPI_Comm, indegree: c_int, sources: *const c_int, sourceweights: *const c_int, outdegree: c_int,
        destinations: *const c_int, destweights: *const c_int, _info: MPI_Info, _reorder: c_int,
        comm_dist_graph: *mut MPI_Comm,
    ) on comm_old, {
        let comm = comm_of(comm_old)?;
        comm.require_intra()?;
        let (sources, destinations) = (list(sources, indegree)?, list(destinations, outdegree)?);
        require_ranks(&comm, sources)?;
        require_ranks(&comm, destinations)?;
        let weights = match (weights(sourceweights, indegree)?, weights(destweights, outdegree)?) {
            (Some(sources), Some(destinations)) => Some(Weights { sources, destinations }),
            (None, None) => None,
            _ => return Err(Error::new(MPI_ERR_ARG, "weights for the edges of one direction only")),
        };
        let graph = DistGraph { sources: sources.to_vec(), destinations: destinations.to_vec(), weights };
        let size = comm.group.size();
        set_made(comm_dist_graph, communicator::with_topology(comm_old, size, Topology::DistGraph(graph))?)
    }

    /// How many neighbours this process has.
    fn MPI_Dist_graph_neighbors_count, PMPI_Dist_graph_neighbors_count(
        comm: MPI_Comm, indegree: *mut c_int, outdegree: *mut c_int, weighted: *mut c_int
    ) on comm, {
        let comm = comm_of(comm)?;
        let graph = Topology::dist_graph(comm.topology.as_ref())?;
        set(indegree, graph.sources.len() as c_int)?;
        set(outdegree, graph.destinations.len() as c_int)?;
        set(weighted, graph.weights.is_some().into())
    }

    /// The neighbours of this process.
    fn MPI_Dist_graph_neighbors, PMPI_Dist_graph_neighbors(
        comm: MPI_Comm, maxindegree: c_int, sources: *mut c_int, sourceweights: *mut c_int, maxoutdegree: c_int,
        destinations: *mut c_int, destweights: *mut c_int,
    ) on comm, {
        let comm = comm_of(comm)?;
        let graph = Topology::dist_graph(comm.topology.as_ref())?;
        set_list(sources, maxindegree, &graph.sources)?;
        set_list(destinations, maxoutdegree, &graph.destinations)?;
        let Some(weights) = &graph.weights else { return Ok(()) };
        if !is_placeholder(sourceweights) {
            set_list(sourceweights, maxindegree, &weights.sources)?;
        }
        if is_placeholder(destweights) { Ok(()) } else { set_list(destweights, maxoutdegree, &weights.destinations) }
    }

    /// What kind of topology a communicator has.
    fn MPI_Topo_test, PMPI_Topo_test(comm: MPI_Comm, status: *mut c_int) on comm, {
        let comm = comm_of(comm)?;
        set(status, comm.topology.as_ref().map_or(MPI_UNDEFINED, Topology::kind))
    }
}

/// Where the caller wants no weights.
fn is_placeholder(weights: *mut c_int) -> bool {
    [MPI_UNWEIGHTED, MPI_WEIGHTS_EMPTY].contains(&(weights as usize))
}
