//! Collectives that combine data: reductions, divided reductions, prefixes.

use super::coll::{Site, array, collective, forbid_alias, forbid_in_place, is_in_place};
use super::integer::{self, Integer};
use crate::abi::*;
use crate::coll::call::{Call, Root};
use crate::coll::schedule::Data;
use crate::error::Result;
use std::ffi::{c_int, c_void};

collective! {
    /// The total of all ranks' elements, at the root.
    reduce(sendbuf: *const c_void, recvbuf: *mut c_void, count: Count, datatype: MPI_Datatype, op: MPI_Op, root: c_int);
    plain: MPI_Reduce PMPI_Reduce MPI_Ireduce PMPI_Ireduce MPI_Reduce_init PMPI_Reduce_init;
    large: MPI_Reduce_c PMPI_Reduce_c MPI_Ireduce_c PMPI_Ireduce_c MPI_Reduce_init_c PMPI_Reduce_init_c;
}

unsafe fn reduce<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    count: C,
    datatype: MPI_Datatype,
    op: MPI_Op,
    root: c_int,
) -> Result<Call> {
    let root = site.root(root)?;
    // Who has nothing to do may name any type.
    let op = if root == Root::Elsewhere { site.any_op(op)? } else { site.op(op, datatype)? };
    let (mine, result) = match root {
        Root::Elsewhere => (crate::coll::schedule::run(0, 0), None),
        Root::Here => {
            let result = site.data(recvbuf, count, datatype)?;
            (result.clone(), Some(result))
        }
        Root::Rank(_) if site.is_root(root) => {
            let (mine, result) = both(site, sendbuf, recvbuf, count, count, datatype)?;
            (mine, Some(result))
        }
        Root::Rank(_) => (site.data(sendbuf, count, datatype)?, None),
    };
    Ok(Call::Reduce { mine, result, op, root })
}

/// The elements that a rank gives, and where its result goes; the same place for `MPI_IN_PLACE`.
fn both<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    send_count: C,
    receive_count: C,
    datatype: MPI_Datatype,
) -> Result<(Data, Data)> {
    let result = site.data(recvbuf, receive_count, datatype)?;
    match site.data_or_in_place(sendbuf, send_count, datatype)? {
        Some(mine) => {
            forbid_alias(&mine, &result)?;
            Ok((mine, result))
        }
        None => Ok((site.data(recvbuf, send_count, datatype)?, result)),
    }
}

collective! {
    /// The total of all ranks' elements, at every rank.
    allreduce(sendbuf: *const c_void, recvbuf: *mut c_void, count: Count, datatype: MPI_Datatype, op: MPI_Op);
    plain: MPI_Allreduce PMPI_Allreduce MPI_Iallreduce PMPI_Iallreduce MPI_Allreduce_init PMPI_Allreduce_init;
    large: MPI_Allreduce_c PMPI_Allreduce_c MPI_Iallreduce_c PMPI_Iallreduce_c MPI_Allreduce_init_c PMPI_Allreduce_init_c;
}

unsafe fn allreduce<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    count: C,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    let op = site.op(op, datatype)?;
    let (mine, result) = both(site, sendbuf, recvbuf, count, count, datatype)?;
    Ok(Call::Allreduce { mine, result, op })
}

collective! {
    /// The total of all ranks' elements, divided into parts of different sizes.
    reduce_scatter(sendbuf: *const c_void, recvbuf: *mut c_void, recvcounts: *const Count, datatype: MPI_Datatype, op: MPI_Op);
    plain: MPI_Reduce_scatter PMPI_Reduce_scatter MPI_Ireduce_scatter PMPI_Ireduce_scatter
           MPI_Reduce_scatter_init PMPI_Reduce_scatter_init;
    large: MPI_Reduce_scatter_c PMPI_Reduce_scatter_c MPI_Ireduce_scatter_c PMPI_Ireduce_scatter_c
           MPI_Reduce_scatter_init_c PMPI_Reduce_scatter_init_c;
}

unsafe fn reduce_scatter<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    recvcounts: *const C,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    // SAFETY: the caller's promise: an entry for each rank of the local group.
    let counts = unsafe { array(recvcounts, site.comm().group.size())? };
    let counts = counts.iter().map(|&count| integer::count(count)).collect::<Result<Vec<usize>>>()?;
    divided(site, sendbuf, recvbuf, counts, datatype, op)
}

collective! {
    /// The total of all ranks' elements, divided into equal parts.
    reduce_scatter_block(sendbuf: *const c_void, recvbuf: *mut c_void, recvcount: Count, datatype: MPI_Datatype, op: MPI_Op);
    plain: MPI_Reduce_scatter_block PMPI_Reduce_scatter_block MPI_Ireduce_scatter_block PMPI_Ireduce_scatter_block
           MPI_Reduce_scatter_block_init PMPI_Reduce_scatter_block_init;
    large: MPI_Reduce_scatter_block_c PMPI_Reduce_scatter_block_c MPI_Ireduce_scatter_block_c PMPI_Ireduce_scatter_block_c
           MPI_Reduce_scatter_block_init_c PMPI_Reduce_scatter_block_init_c;
}

unsafe fn reduce_scatter_block<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    recvcount: C,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    let counts = vec![integer::count(recvcount)?; site.comm().group.size()];
    divided(site, sendbuf, recvbuf, counts, datatype, op)
}

fn divided(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    counts: Vec<usize>,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    let op = site.op(op, datatype)?;
    let (total, own) = (counts.iter().sum::<usize>() as MPI_Count, counts[site.rank()] as MPI_Count);
    let (mine, result) = both(site, sendbuf, recvbuf, total, own, datatype)?;
    Ok(Call::ReduceScatter { mine, result, counts, op })
}

collective! {
    /// The total of the elements of the ranks up to this one.
    scan(sendbuf: *const c_void, recvbuf: *mut c_void, count: Count, datatype: MPI_Datatype, op: MPI_Op);
    plain: MPI_Scan PMPI_Scan MPI_Iscan PMPI_Iscan MPI_Scan_init PMPI_Scan_init;
    large: MPI_Scan_c PMPI_Scan_c MPI_Iscan_c PMPI_Iscan_c MPI_Scan_init_c PMPI_Scan_init_c;
}

unsafe fn scan<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    count: C,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    site.intra_only()?;
    let op = site.op(op, datatype)?;
    let (mine, result) = both(site, sendbuf, recvbuf, count, count, datatype)?;
    Ok(Call::Scan { mine, result, op })
}

collective! {
    /// The total of the elements of the ranks before this one.
    exscan(sendbuf: *const c_void, recvbuf: *mut c_void, count: Count, datatype: MPI_Datatype, op: MPI_Op);
    plain: MPI_Exscan PMPI_Exscan MPI_Iexscan PMPI_Iexscan MPI_Exscan_init PMPI_Exscan_init;
    large: MPI_Exscan_c PMPI_Exscan_c MPI_Iexscan_c PMPI_Iexscan_c MPI_Exscan_init_c PMPI_Exscan_init_c;
}

unsafe fn exscan<C: Integer>(
    site: &Site,
    sendbuf: *const c_void,
    recvbuf: *mut c_void,
    count: C,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<Call> {
    site.intra_only()?;
    let op = site.op(op, datatype)?;
    forbid_in_place(recvbuf)?;
    // The result of the first rank does not matter, so its buffer may be anything, unless its elements are there.
    let (mine, result) = match site.rank() == 0 && !is_in_place(sendbuf) {
        true => {
            let mine = site.data(sendbuf, count, datatype)?;
            (mine.clone(), mine)
        }
        false => both(site, sendbuf, recvbuf, count, count, datatype)?,
    };
    Ok(Call::Exscan { mine, result, op })
}
