//! What a status tells, and what a program writes into one.
use super::argument::value;
use super::integer::{Integer, count, forms, set_number};
use super::{mpi, set};
use crate::abi::{MPI_Count, MPI_Datatype, MPI_ERR_ARG, MPI_Status};
use crate::datatype::Datatype;
use crate::error::{Error, Result};
use crate::state;
use std::ffi::c_int;

/// Changes the caller's status.
fn change(status: *mut MPI_Status, change: impl FnOnce(&mut MPI_Status)) -> Result<()> {
    let mut changed = value(status)?;
    change(&mut changed);
    set(status, changed)
}

/// Whole elements of a type in a message; none where the message ends within one.
fn whole_elements(bytes: u64, datatype: &Datatype) -> Option<usize> {
    let (bytes, size) = (bytes as usize, datatype.size());
    match size {
        0 => (bytes == 0).then_some(0),
        _ => (bytes % size == 0).then(|| bytes / size),
    }
}

/// Basic elements in a message; none where the message ends within one.
fn basic_elements(bytes: u64, datatype: &Datatype) -> Option<usize> {
    let (elements, left) = datatype.elements_in(bytes as usize);
    (left == 0).then_some(elements)
}

fn set_count<T: Integer>(
    place: *mut T,
    status: *const MPI_Status,
    datatype: MPI_Datatype,
    count: fn(u64, &Datatype) -> Option<usize>,
) -> Result<()> {
    let bytes = value(status)?.bytes();
    let number = count(bytes, state::enter().datatype(datatype)?);
    set_number(place, number)
}

fn set_elements(status: *mut MPI_Status, datatype: MPI_Datatype, elements: usize) -> Result<()> {
    let bytes = state::enter().datatype(datatype)?.bytes_of_elements(elements);
    let too_many = || Error::new(MPI_ERR_ARG, format!("{elements} elements of the datatype overflow"));
    let bytes = bytes.ok_or_else(too_many)?;
    change(status, |status| status.set_bytes(bytes as u64))
}

forms! {
    /// Elements of a type in a message.
    fn MPI_Get_count, PMPI_Get_count / MPI_Get_count_c, PMPI_Get_count_c(
        status: *const MPI_Status, datatype: MPI_Datatype, count: *mut Count
    ) on (), { set_count(count, status, datatype, whole_elements) }

    /// Basic elements in a message.
    fn MPI_Get_elements, PMPI_Get_elements / MPI_Get_elements_c, PMPI_Get_elements_c(
        status: *const MPI_Status, datatype: MPI_Datatype, count: *mut Count
    ) on (), { set_count(count, status, datatype, basic_elements) }

    /// Sets how many basic elements there are in a message.
    fn MPI_Status_set_elements, PMPI_Status_set_elements / MPI_Status_set_elements_c, PMPI_Status_set_elements_c(
        status: *mut MPI_Status, datatype: MPI_Datatype, elements: Count
    ) on (), { set_elements(status, datatype, count(elements)?) }
}

mpi! {
    /// Basic elements in a message (an older name of the form with large counts).
    fn MPI_Get_elements_x, PMPI_Get_elements_x(
        status: *const MPI_Status, datatype: MPI_Datatype, count: *mut MPI_Count
    ) on (), { set_count(count, status, datatype, basic_elements) }

    /// Sets how many basic elements there are in a message (an older name of the form with large counts).
    fn MPI_Status_set_elements_x, PMPI_Status_set_elements_x(
        status: *mut MPI_Status, datatype: MPI_Datatype, elements: MPI_Count
    ) on (), { set_elements(status, datatype, count(elements)?) }

    /// Sets whether the operation was cancelled.
    fn MPI_Status_set_cancelled, PMPI_Status_set_cancelled(status: *mut MPI_Status, flag: c_int) on (), {
        change(status, |status| status.set_cancelled(flag != 0))
    }

    /// Sets the source.
    fn MPI_Status_set_source, PMPI_Status_set_source(status: *mut MPI_Status, source: c_int) on (), {
        change(status, |status| status.MPI_SOURCE = source)
    }

    /// Sets the tag.
    fn MPI_Status_set_tag, PMPI_Status_set_tag(status: *mut MPI_Status, tag: c_int) on (), {
        change(status, |status| status.MPI_TAG = tag)
    }

    /// Sets the error code.
    fn MPI_Status_set_error, PMPI_Status_set_error(status: *mut MPI_Status, error: c_int) on (), {
        change(status, |status| status.MPI_ERROR = error)
    }

    /// The source.
    fn MPI_Status_get_source, PMPI_Status_get_source(status: *const MPI_Status, source: *mut c_int) on (), {
        set(source, value(status)?.MPI_SOURCE)
    }

    /// The tag.
    fn MPI_Status_get_tag, PMPI_Status_get_tag(status: *const MPI_Status, tag: *mut c_int) on (), {
        set(tag, value(status)?.MPI_TAG)
    }

    /// The error code.
    fn MPI_Status_get_error, PMPI_Status_get_error(status: *const MPI_Status, error: *mut c_int) on (), {
        set(error, value(status)?.MPI_ERROR)
    }
}
