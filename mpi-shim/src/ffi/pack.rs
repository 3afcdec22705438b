//! Packing and unpacking, natively and in `external32`, and addresses.
use super::argument::{text, value};
use super::integer::{Integer, count, forms, set_number};
use super::{mpi, set};
use crate::abi::{
    MPI_Aint, MPI_Comm, MPI_Datatype, MPI_ERR_ARG, MPI_ERR_TRUNCATE, MPI_ERR_TYPE, MPI_ERR_UNSUPPORTED_DATAREP,
};
use crate::datatype::Datatype;
use crate::error::{Error, Result};
use crate::state;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// A type that may be used to move data.
fn committed(datatype: MPI_Datatype) -> Result<Arc<Datatype>> {
    let state = state::enter();
    let datatype = state.datatype(datatype)?;
    if !datatype.is_committed() {
        return Err(Error::new(MPI_ERR_TYPE, "a datatype that was not committed: call MPI_Type_commit first"));
    }
    Ok(datatype.clone())
}

fn check_comm(comm: MPI_Comm) -> Result<()> {
    state::enter().comm(comm).map(|_| ())
}

/// Native bytes of `count` elements.
fn bytes(datatype: &Datatype, count: usize) -> Result<usize> {
    let too_many = || Error::new(MPI_ERR_ARG, format!("{count} elements of {} bytes overflow", datatype.size()));
    datatype.size().checked_mul(count).filter(|&bytes| isize::try_from(bytes).is_ok()).ok_or_else(too_many)
}

/// The position at the caller's pointer, within a buffer of `size` bytes.
fn position(place: *mut impl Integer, size: usize) -> Result<usize> {
    let position = value(place)?.value();
    let bad = || Error::new(MPI_ERR_ARG, format!("position {position} is not within a buffer of {size} bytes"));
    usize::try_from(position).ok().filter(|&position| position <= size).ok_or_else(bad)
}

/// The bytes from `position` to the end of a buffer for packed data.
///
/// # Safety
/// The buffer can be read for `size` bytes.
unsafe fn rest<'a>(buffer: *const c_void, size: usize, position: usize) -> Result<&'a [u8]> {
    if size == position {
        return Ok(&[]);
    }
    require_buffer(buffer)?;
    // SAFETY: the caller's promise; `position` is at most `size`.
    Ok(unsafe { std::slice::from_raw_parts(buffer.cast::<u8>().add(position), size - position) })
}

/// The same, to be written.
///
/// # Safety
/// The buffer can be written for `size` bytes, and nobody else reads it meanwhile.
unsafe fn rest_mut<'a>(buffer: *mut c_void, size: usize, position: usize) -> Result<&'a mut [u8]> {
    if size == position {
        return Ok(&mut []);
    }
    require_buffer(buffer)?;
    // SAFETY: the caller's promise; `position` is at most `size`.
    Ok(unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>().add(position), size - position) })
}

fn require_buffer(buffer: *const c_void) -> Result<()> {
    match buffer.is_null() {
        true => Err(Error::new(MPI_ERR_ARG, "a null pointer where the buffer of packed data is expected")),
        false => Ok(()),
    }
}

fn require_room(needed: usize, room: usize) -> Result<()> {
    match needed > room {
        true => Err(Error::new(MPI_ERR_TRUNCATE, format!("{needed} bytes where the packed buffer has {room} left"))),
        false => Ok(()),
    }
}

fn require_external32(datarep: *const c_char) -> Result<()> {
    let datarep = text(datarep)?;
    if datarep != c"external32" {
        let text = format!("data representation {datarep:?} where \"external32\" is expected");
        return Err(Error::new(MPI_ERR_UNSUPPORTED_DATAREP, text));
    }
    Ok(())
}

/// Writes back where the next call goes on.
fn advance<T: Integer>(place: *mut T, position: usize) -> Result<()> {
    set_number(place, Some(position))
}

forms! {
    /// Packs elements into a buffer, from a position on.
    fn MPI_Pack, PMPI_Pack / MPI_Pack_c, PMPI_Pack_c(
        inbuf: *const c_void, incount: Count, datatype: MPI_Datatype, outbuf: *mut c_void, outsize: Count,
        place: *mut Count, comm: MPI_Comm
    ) on comm, {
        check_comm(comm)?;
        let (incount, outsize) = (count(incount)?, count(outsize)?);
        let datatype = committed(datatype)?;
        let (at, needed) = (position(place, outsize)?, bytes(&datatype, incount)?);
        require_room(needed, outsize - at)?;
        // SAFETY: the standard requires of the caller that the buffers are as large as they are said to be.
        let done = unsafe { datatype.pack(inbuf.cast(), incount, 0, rest_mut(outbuf, outsize, at)?) };
        advance(place, at + done)
    }

    /// Unpacks elements from a buffer, from a position on.
    fn MPI_Unpack, PMPI_Unpack / MPI_Unpack_c, PMPI_Unpack_c(
        inbuf: *const c_void, insize: Count, place: *mut Count, outbuf: *mut c_void, outcount: Count,
        datatype: MPI_Datatype, comm: MPI_Comm
    ) on comm, {
        check_comm(comm)?;
        let (outcount, insize) = (count(outcount)?, count(insize)?);
        let datatype = committed(datatype)?;
        let (at, needed) = (position(place, insize)?, bytes(&datatype, outcount)?);
        require_room(needed, insize - at)?;
        // SAFETY: the standard requires of the caller that the buffers are as large as they are said to be.
        let done = unsafe { datatype.unpack(outbuf.cast(), outcount, 0, rest(inbuf, insize, at)?) };
        advance(place, at + done)
    }

    /// The room that packed elements need.
    fn MPI_Pack_size, PMPI_Pack_size / MPI_Pack_size_c, PMPI_Pack_size_c(
        incount: Count, datatype: MPI_Datatype, comm: MPI_Comm, size: *mut Count
    ) on comm, {
        check_comm(comm)?;
        set_number(size, committed(datatype)?.size().checked_mul(count(incount)?))
    }

    /// Packs elements in `external32`.
    fn MPI_Pack_external, PMPI_Pack_external / MPI_Pack_external_c, PMPI_Pack_external_c(
        datarep: *const c_char, inbuf: *const c_void, incount: Count, datatype: MPI_Datatype, outbuf: *mut c_void,
        outsize: Bytes, place: *mut Bytes
    ) on (), {
        require_external32(datarep)?;
        let (incount, outsize) = (count(incount)?, count(outsize)?);
        let datatype = committed(datatype)?;
        bytes(&datatype, incount)?;
        let at = position(place, outsize)?;
        // SAFETY: the standard requires of the caller that the buffers are as large as they are said to be.
        let done = datatype.encode(incount, unsafe { rest_mut(outbuf, outsize, at)? }, |from, out| {
            // SAFETY: as above.
            unsafe { datatype.pack(inbuf.cast(), incount, from, out) };
        })?;
        advance(place, at + done)
    }

    /// Unpacks elements from `external32`.
    fn MPI_Unpack_external, PMPI_Unpack_external / MPI_Unpack_external_c, PMPI_Unpack_external_c(
        datarep: *const c_char, inbuf: *const c_void, insize: Bytes, place: *mut Bytes, outbuf: *mut c_void,
        outcount: Count, datatype: MPI_Datatype
    ) on (), {
        require_external32(datarep)?;
        let (outcount, insize) = (count(outcount)?, count(insize)?);
        let datatype = committed(datatype)?;
        bytes(&datatype, outcount)?;
        let at = position(place, insize)?;
        // SAFETY: the standard requires of the caller that the buffers are as large as they are said to be.
        let done = datatype.decode(outcount, unsafe { rest(inbuf, insize, at)? }, |to, input| {
            // SAFETY: as above.
            unsafe { datatype.unpack(outbuf.cast(), outcount, to, input) };
        })?;
        advance(place, at + done)
    }

    /// The room that elements need in `external32`.
    fn MPI_Pack_external_size, PMPI_Pack_external_size / MPI_Pack_external_size_c, PMPI_Pack_external_size_c(
        datarep: *const c_char, incount: Count, datatype: MPI_Datatype, size: *mut Bytes
    ) on (), {
        require_external32(datarep)?;
        set_number(size, committed(datatype)?.external_size(count(incount)?))
    }
}

mpi! {
    /// The address of a place in memory.
    fn MPI_Get_address, PMPI_Get_address(location: *const c_void, address: *mut MPI_Aint) on (), {
        set(address, location.expose_provenance() as MPI_Aint)
    }

    /// An address, moved.
    fn MPI_Aint_add, PMPI_Aint_add(base: MPI_Aint, displacement: MPI_Aint) -> MPI_Aint {
        base.wrapping_add(displacement)
    }

    /// The distance of two addresses.
    fn MPI_Aint_diff, PMPI_Aint_diff(address1: MPI_Aint, address2: MPI_Aint) -> MPI_Aint {
        address1.wrapping_sub(address2)
    }
}
