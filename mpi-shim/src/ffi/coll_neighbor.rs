//! Collectives among the neighbours of a topology.

use super::coll::{Site, collective};
use super::integer::Integer;
use crate::abi::*;
use crate::coll::algorithm::neighbor::Neighbors;
use crate::coll::call::{Call, Parts};
use crate::error::Result;
use std::ffi::{c_int, c_void};

/// The neighbours of the calling process.
fn neighbors(site: &Site) -> Result<Neighbors> {
    site.intra_only()?;
    let found = site.comm().neighbours()?;
    let ranks = |ranks: &[c_int]| ranks.iter().map(|&rank| usize::try_from(rank).ok()).collect();
    let cartesian = site.comm().topology.as_ref().is_some_and(|topology| topology.kind() == MPI_CART);
    Ok(Neighbors { sources: ranks(&found.sources), destinations: ranks(&found.destinations), cartesian })
}

collective! {
    /// The same data to all neighbours.
    neighbor_allgather(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
                       recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype);
    plain: MPI_Neighbor_allgather PMPI_Neighbor_allgather MPI_Ineighbor_allgather PMPI_Ineighbor_allgather
           MPI_Neighbor_allgather_init PMPI_Neighbor_allgather_init;
    large: MPI_Neighbor_allgather_c PMPI_Neighbor_allgather_c MPI_Ineighbor_allgather_c PMPI_Ineighbor_allgather_c
           MPI_Neighbor_allgather_init_c PMPI_Neighbor_allgather_init_c;
}

unsafe fn neighbor_allgather<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let with = neighbors(site)?;
    let out = site.data(sendbuf, sendcount, sendtype)?;
    let out = Parts::Each(vec![out; with.destinations.len()]);
    let into = site.blocks(recvbuf, recvcount, recvtype)?;
    Ok(Call::Neighbor { with, out, into })
}

collective! {
    /// The same data to all neighbours; what comes has a count and a place for each.
    neighbor_allgatherv(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype, recvbuf: *mut c_void,
                        recvcounts: *const Count, displs: *const Displacement, recvtype: MPI_Datatype);
    plain: MPI_Neighbor_allgatherv PMPI_Neighbor_allgatherv MPI_Ineighbor_allgatherv PMPI_Ineighbor_allgatherv
           MPI_Neighbor_allgatherv_init PMPI_Neighbor_allgatherv_init;
    large: MPI_Neighbor_allgatherv_c PMPI_Neighbor_allgatherv_c MPI_Ineighbor_allgatherv_c PMPI_Ineighbor_allgatherv_c
           MPI_Neighbor_allgatherv_init_c PMPI_Neighbor_allgatherv_init_c;
}

unsafe fn neighbor_allgatherv<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    displs: *const D,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let with = neighbors(site)?;
    let out = site.data(sendbuf, sendcount, sendtype)?;
    let out = Parts::Each(vec![out; with.destinations.len()]);
    // SAFETY: the caller's promise: the arrays have an entry for each source.
    let into = unsafe { site.parts(with.sources.len(), recvbuf, recvcounts, displs, recvtype)? };
    Ok(Call::Neighbor { with, out, into })
}

collective! {
    /// A block to each neighbour.
    neighbor_alltoall(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
                      recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype);
    plain: MPI_Neighbor_alltoall PMPI_Neighbor_alltoall MPI_Ineighbor_alltoall PMPI_Ineighbor_alltoall
           MPI_Neighbor_alltoall_init PMPI_Neighbor_alltoall_init;
    large: MPI_Neighbor_alltoall_c PMPI_Neighbor_alltoall_c MPI_Ineighbor_alltoall_c PMPI_Ineighbor_alltoall_c
           MPI_Neighbor_alltoall_init_c PMPI_Neighbor_alltoall_init_c;
}

unsafe fn neighbor_alltoall<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let with = neighbors(site)?;
    let out = site.blocks(sendbuf, sendcount, sendtype)?;
    let into = site.blocks(recvbuf, recvcount, recvtype)?;
    Ok(Call::Neighbor { with, out, into })
}

collective! {
    /// A block to each neighbour, each with its own count and place.
    neighbor_alltoallv(sendbuf: *const c_void, sendcounts: *const Count, sdispls: *const Displacement, sendtype: MPI_Datatype,
                       recvbuf: *mut c_void, recvcounts: *const Count, rdispls: *const Displacement, recvtype: MPI_Datatype);
    plain: MPI_Neighbor_alltoallv PMPI_Neighbor_alltoallv MPI_Ineighbor_alltoallv PMPI_Ineighbor_alltoallv
           MPI_Neighbor_alltoallv_init PMPI_Neighbor_alltoallv_init;
    large: MPI_Neighbor_alltoallv_c PMPI_Neighbor_alltoallv_c MPI_Ineighbor_alltoallv_c PMPI_Ineighbor_alltoallv_c
           MPI_Neighbor_alltoallv_init_c PMPI_Neighbor_alltoallv_init_c;
}

unsafe fn neighbor_alltoallv<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcounts: *const C,
    sdispls: *const D,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    rdispls: *const D,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let with = neighbors(site)?;
    // SAFETY: the caller's promise: the arrays have an entry for each destination.
    let out = unsafe { site.parts(with.destinations.len(), sendbuf, sendcounts, sdispls, sendtype)? };
    // SAFETY: the same of each source.
    let into = unsafe { site.parts(with.sources.len(), recvbuf, recvcounts, rdispls, recvtype)? };
    Ok(Call::Neighbor { with, out, into })
}

collective! {
    /// A block to each neighbour, each with its own count, place in bytes, and type.
    neighbor_alltoallw(sendbuf: *const c_void, sendcounts: *const Count, sdispls: *const MPI_Aint,
                       sendtypes: *const MPI_Datatype, recvbuf: *mut c_void, recvcounts: *const Count,
                       rdispls: *const MPI_Aint, recvtypes: *const MPI_Datatype);
    plain: MPI_Neighbor_alltoallw PMPI_Neighbor_alltoallw MPI_Ineighbor_alltoallw PMPI_Ineighbor_alltoallw
           MPI_Neighbor_alltoallw_init PMPI_Neighbor_alltoallw_init;
    large: MPI_Neighbor_alltoallw_c PMPI_Neighbor_alltoallw_c MPI_Ineighbor_alltoallw_c PMPI_Ineighbor_alltoallw_c
           MPI_Neighbor_alltoallw_init_c PMPI_Neighbor_alltoallw_init_c;
}

unsafe fn neighbor_alltoallw<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcounts: *const C,
    sdispls: *const MPI_Aint,
    sendtypes: *const MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    rdispls: *const MPI_Aint,
    recvtypes: *const MPI_Datatype,
) -> Result<Call> {
    let with = neighbors(site)?;
    // SAFETY: the caller's promise: the arrays have an entry for each destination.
    let out = unsafe { site.typed_parts(with.destinations.len(), sendbuf, sendcounts, sdispls, sendtypes)? };
    // SAFETY: the same of each source.
    let into = unsafe { site.typed_parts(with.sources.len(), recvbuf, recvcounts, rdispls, recvtypes)? };
    Ok(Call::Neighbor { with, out, into })
}
