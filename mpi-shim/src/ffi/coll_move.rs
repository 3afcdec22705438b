//! Collectives that move data: broadcast, gather, scatter, all-gather, all-to-all; and the barrier.

use super::coll::{Site, check_fits, collective, forbid_alias, forms, is_in_place};
use super::integer::Integer;
use crate::abi::*;
use crate::coll::call::{Call, Parts, Root};
use crate::coll::schedule::Data;
use crate::error::Result;
use std::ffi::{c_int, c_void};

const _: () = {
    forms! {
        /// Waits until all ranks are here.
        barrier()
        MPI_Barrier PMPI_Barrier MPI_Ibarrier PMPI_Ibarrier MPI_Barrier_init PMPI_Barrier_init
    }
};

unsafe fn barrier(_: &Site) -> Result<Call> {
    Ok(Call::Barrier)
}

collective! {
    /// The root's data to all ranks.
    bcast(buffer: *mut c_void, count: Count, datatype: MPI_Datatype, root: c_int);
    plain: MPI_Bcast PMPI_Bcast MPI_Ibcast PMPI_Ibcast MPI_Bcast_init PMPI_Bcast_init;
    large: MPI_Bcast_c PMPI_Bcast_c MPI_Ibcast_c PMPI_Ibcast_c MPI_Bcast_init_c PMPI_Bcast_init_c;
}

unsafe fn bcast(
    site: &Site,
    buffer: *mut c_void,
    count: impl Integer,
    datatype: MPI_Datatype,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    let data = match root {
        Root::Elsewhere => crate::coll::schedule::run(0, 0),
        Root::Here | Root::Rank(_) => site.data(buffer, count, datatype)?,
    };
    Ok(Call::Bcast { data, root })
}

/// The arguments of one side of a call: a buffer, and how many elements of which type.
type Side<C> = (*const c_void, C, MPI_Datatype);

collective! {
    /// Every rank's data to the root, in the order of ranks.
    gather(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
           recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype, root: c_int);
    plain: MPI_Gather PMPI_Gather MPI_Igather PMPI_Igather MPI_Gather_init PMPI_Gather_init;
    large: MPI_Gather_c PMPI_Gather_c MPI_Igather_c PMPI_Igather_c MPI_Gather_init_c PMPI_Gather_init_c;
}

unsafe fn gather<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    let all = if site.is_root(root) { Some(site.blocks(recvbuf, recvcount, recvtype)?) } else { None };
    gather_call(site, (sendbuf, sendcount, sendtype), all, root, true)
}

fn gather_call<C: Integer>(site: &Site, out: Side<C>, all: Option<Parts>, root: Root, equal: bool) -> Result<Call> {
    let mine = own_part(site, out, all.as_ref(), root)?;
    if let (Some(mine), Some(all)) = (&mine, &all) {
        let place = all.of(site.rank());
        forbid_alias(mine, &place)?;
        check_fits(mine, &place)?;
    }
    Ok(Call::Gather { mine, all, root, equal })
}

/// The block that this rank gives to a gather, or takes from a scatter: `None` at a root in place, and where nothing is given or taken.
fn own_part<C: Integer>(site: &Site, side: Side<C>, all: Option<&Parts>, root: Root) -> Result<Option<Data>> {
    match all {
        _ if !site.is_leaf(root) => Ok(None),
        Some(_) => site.data_or_in_place(side.0, side.1, side.2),
        None => site.data(side.0, side.1, side.2).map(Some),
    }
}

collective! {
    /// Every rank's data to the root, each with its own count and place.
    gatherv(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype, recvbuf: *mut c_void,
            recvcounts: *const Count, displs: *const Displacement, recvtype: MPI_Datatype, root: c_int);
    plain: MPI_Gatherv PMPI_Gatherv MPI_Igatherv PMPI_Igatherv MPI_Gatherv_init PMPI_Gatherv_init;
    large: MPI_Gatherv_c PMPI_Gatherv_c MPI_Igatherv_c PMPI_Igatherv_c MPI_Gatherv_init_c PMPI_Gatherv_init_c;
}

unsafe fn gatherv<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    displs: *const D,
    recvtype: MPI_Datatype,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    let all = match site.is_root(root) {
        // SAFETY: the caller's promise: at the root, the arrays have an entry for each rank.
        true => Some(unsafe { site.parts(site.peers(), recvbuf, recvcounts, displs, recvtype)? }),
        false => None,
    };
    gather_call(site, (sendbuf, sendcount, sendtype), all, root, false)
}

collective! {
    /// A part of the root's data to each rank.
    scatter(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
            recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype, root: c_int);
    plain: MPI_Scatter PMPI_Scatter MPI_Iscatter PMPI_Iscatter MPI_Scatter_init PMPI_Scatter_init;
    large: MPI_Scatter_c PMPI_Scatter_c MPI_Iscatter_c PMPI_Iscatter_c MPI_Scatter_init_c PMPI_Scatter_init_c;
}

unsafe fn scatter<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    let all = if site.is_root(root) { Some(site.blocks(sendbuf, sendcount, sendtype)?) } else { None };
    scatter_call(site, all, (recvbuf, recvcount, recvtype), root, true)
}

fn scatter_call<C: Integer>(site: &Site, all: Option<Parts>, into: Side<C>, root: Root, equal: bool) -> Result<Call> {
    let mine = own_part(site, into, all.as_ref(), root)?;
    if let (Some(mine), Some(all)) = (&mine, &all) {
        let place = all.of(site.rank());
        forbid_alias(&place, mine)?;
        check_fits(&place, mine)?;
    }
    Ok(Call::Scatter { all, mine, root, equal })
}

collective! {
    /// A part of the root's data to each rank, each with its own count and place.
    scatterv(sendbuf: *const c_void, sendcounts: *const Count, displs: *const Displacement, sendtype: MPI_Datatype,
             recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype, root: c_int);
    plain: MPI_Scatterv PMPI_Scatterv MPI_Iscatterv PMPI_Iscatterv MPI_Scatterv_init PMPI_Scatterv_init;
    large: MPI_Scatterv_c PMPI_Scatterv_c MPI_Iscatterv_c PMPI_Iscatterv_c MPI_Scatterv_init_c PMPI_Scatterv_init_c;
}

unsafe fn scatterv<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcounts: *const C,
    displs: *const D,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    let all = match site.is_root(root) {
        // SAFETY: the caller's promise: at the root, the arrays have an entry for each rank.
        true => Some(unsafe { site.parts(site.peers(), sendbuf, sendcounts, displs, sendtype)? }),
        false => None,
    };
    scatter_call(site, all, (recvbuf, recvcount, recvtype), root, false)
}

collective! {
    /// Every rank's data to all ranks.
    allgather(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
              recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype);
    plain: MPI_Allgather PMPI_Allgather MPI_Iallgather PMPI_Iallgather MPI_Allgather_init PMPI_Allgather_init;
    large: MPI_Allgather_c PMPI_Allgather_c MPI_Iallgather_c PMPI_Iallgather_c MPI_Allgather_init_c PMPI_Allgather_init_c;
}

unsafe fn allgather<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let all = site.blocks(recvbuf, recvcount, recvtype)?;
    allgather_call(site, (sendbuf, sendcount, sendtype), all)
}

fn allgather_call<C: Integer>(site: &Site, out: Side<C>, all: Parts) -> Result<Call> {
    let mine = site.data_or_in_place(out.0, out.1, out.2)?;
    if let Some(mine) = mine.as_ref().filter(|_| !site.is_inter()) {
        let place = all.of(site.rank());
        forbid_alias(mine, &place)?;
        check_fits(mine, &place)?;
    }
    Ok(Call::Allgather { mine, all })
}

collective! {
    /// Every rank's data to all ranks, each with its own count and place.
    allgatherv(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype, recvbuf: *mut c_void,
               recvcounts: *const Count, displs: *const Displacement, recvtype: MPI_Datatype);
    plain: MPI_Allgatherv PMPI_Allgatherv MPI_Iallgatherv PMPI_Iallgatherv MPI_Allgatherv_init PMPI_Allgatherv_init;
    large: MPI_Allgatherv_c PMPI_Allgatherv_c MPI_Iallgatherv_c PMPI_Iallgatherv_c
           MPI_Allgatherv_init_c PMPI_Allgatherv_init_c;
}

unsafe fn allgatherv<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    displs: *const D,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    // SAFETY: the caller's promise: the arrays have an entry for each rank.
    let all = unsafe { site.parts(site.peers(), recvbuf, recvcounts, displs, recvtype)? };
    allgather_call(site, (sendbuf, sendcount, sendtype), all)
}

collective! {
    /// A block from every rank to every rank.
    alltoall(sendbuf: *const c_void, sendcount: Count, sendtype: MPI_Datatype,
             recvbuf: *mut c_void, recvcount: Count, recvtype: MPI_Datatype);
    plain: MPI_Alltoall PMPI_Alltoall MPI_Ialltoall PMPI_Ialltoall MPI_Alltoall_init PMPI_Alltoall_init;
    large: MPI_Alltoall_c PMPI_Alltoall_c MPI_Ialltoall_c PMPI_Ialltoall_c MPI_Alltoall_init_c PMPI_Alltoall_init_c;
}

unsafe fn alltoall<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcount: C,
    sendtype: MPI_Datatype,
    recvbuf: *mut c_void,
    recvcount: C,
    recvtype: MPI_Datatype,
) -> Result<Call> {
    let into = site.blocks(recvbuf, recvcount, recvtype)?;
    let out = site.data_or_in_place(sendbuf, sendcount, sendtype)?;
    alltoall_call(site, out.map(Parts::equal), into)
}

fn alltoall_call(site: &Site, out: Option<Parts>, into: Parts) -> Result<Call> {
    if let Some(out) = out.as_ref().filter(|_| !site.is_inter()) {
        let (mine, place) = (out.of(site.rank()), into.of(site.rank()));
        forbid_alias(&mine, &place)?;
        check_fits(&mine, &place)?;
    }
    Ok(Call::Alltoall { out, into })
}

collective! {
    /// A block from every rank to every rank, each with its own count and place.
    alltoallv(sendbuf: *const c_void, sendcounts: *const Count, sdispls: *const Displacement, sendtype: MPI_Datatype,
              recvbuf: *mut c_void, recvcounts: *const Count, rdispls: *const Displacement, recvtype: MPI_Datatype);
    plain: MPI_Alltoallv PMPI_Alltoallv MPI_Ialltoallv PMPI_Ialltoallv MPI_Alltoallv_init PMPI_Alltoallv_init;
    large: MPI_Alltoallv_c PMPI_Alltoallv_c MPI_Ialltoallv_c PMPI_Ialltoallv_c MPI_Alltoallv_init_c PMPI_Alltoallv_init_c;
}

unsafe fn alltoallv<C: Integer, D: Integer>(
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
    let number = site.peers();
    // SAFETY: the caller's promise: the arrays have an entry for each rank.
    let into = unsafe { site.parts(number, recvbuf, recvcounts, rdispls, recvtype)? };
    let out = match is_in_place(sendbuf) && !site.is_inter() {
        true => None,
        // SAFETY: as above; they count where the data is not in place.
        false => Some(unsafe { site.parts(number, sendbuf, sendcounts, sdispls, sendtype)? }),
    };
    alltoall_call(site, out, into)
}

collective! {
    /// A block from every rank to every rank, each with its own count, place in bytes, and type.
    alltoallw(sendbuf: *const c_void, sendcounts: *const Count, sdispls: *const Displacement,
              sendtypes: *const MPI_Datatype, recvbuf: *mut c_void, recvcounts: *const Count,
              rdispls: *const Displacement, recvtypes: *const MPI_Datatype);
    plain: MPI_Alltoallw PMPI_Alltoallw MPI_Ialltoallw PMPI_Ialltoallw MPI_Alltoallw_init PMPI_Alltoallw_init;
    large: MPI_Alltoallw_c PMPI_Alltoallw_c MPI_Ialltoallw_c PMPI_Ialltoallw_c MPI_Alltoallw_init_c PMPI_Alltoallw_init_c;
}

unsafe fn alltoallw<C: Integer, D: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    sendcounts: *const C,
    sdispls: *const D,
    sendtypes: *const MPI_Datatype,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    rdispls: *const D,
    recvtypes: *const MPI_Datatype,
) -> Result<Call> {
    let number = site.peers();
    // SAFETY: the caller's promise: the arrays have an entry for each rank.
    let into = unsafe { site.typed_parts(number, recvbuf, recvcounts, rdispls, recvtypes)? };
    let out = match is_in_place(sendbuf) && !site.is_inter() {
        true => None,
        // SAFETY: as above; they count where the data is not in place.
        false => Some(unsafe { site.typed_parts(number, sendbuf, sendcounts, sdispls, sendtypes)? }),
    };
    alltoall_call(site, out, into)
}
