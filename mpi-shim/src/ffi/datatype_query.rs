//! What datatypes are asked: sizes and bounds, names, what they were made from.
use super::argument::{places, set_text_and_length, text};
use super::datatype::keep;
use super::integer::{Integer, forms, set_number};
use super::{mpi, set};
use crate::abi::{
    MPI_Aint, MPI_COMBINER_NAMED, MPI_Count, MPI_DATATYPE_NULL, MPI_Datatype, MPI_ERR_ARG, MPI_ERR_TYPE,
    MPI_MAX_OBJECT_NAME,
};
use crate::datatype::{Datatype, Form};
use crate::error::{Error, Result};
use crate::state::{self, State};
use std::ffi::{CString, c_char, c_int};
use std::sync::Arc;

fn find(datatype: MPI_Datatype) -> Result<Arc<Datatype>> {
    state::enter().datatype(datatype).cloned()
}

fn set_extent<T: Integer>(datatype: MPI_Datatype, lower: *mut T, extent: *mut T) -> Result<()> {
    let datatype = find(datatype)?;
    set(lower, T::or_undefined(datatype.lower_bound() as i64))?;
    set(extent, T::or_undefined(datatype.extent() as i64))
}

fn set_true_extent<T: Integer>(datatype: MPI_Datatype, lower: *mut T, extent: *mut T) -> Result<()> {
    let datatype = find(datatype)?;
    set(lower, T::or_undefined(datatype.true_lower_bound() as i64))?;
    set(extent, T::or_undefined(datatype.true_extent() as i64))
}

/// The type, if the form of the call can tell what it was made from.
fn decodable(datatype: MPI_Datatype, form: Form) -> Result<Arc<Datatype>> {
    let datatype = find(datatype)?;
    if form == Form::Int && !datatype.contents().large_counts.is_empty() {
        let text = "a datatype that was made with large counts: ask MPI_Type_get_envelope_c and _contents_c";
        return Err(Error::new(MPI_ERR_TYPE, text));
    }
    Ok(datatype)
}

/// Copies a part of a type's contents to the caller's room.
fn fill<T: Copy>(what: &str, place: *mut T, room: impl Integer, contents: &[T]) -> Result<()> {
    let room = room.value();
    if room < contents.len() as i64 {
        let text = format!("room for {room} {what} where the datatype was made from {}", contents.len());
        return Err(Error::new(MPI_ERR_ARG, text));
    }
    places(place, contents.len() as c_int)?.copy_from_slice(contents);
    Ok(())
}

/// Copies the integers, addresses and types that a type was made from.
fn fill_common<T: Integer>(
    datatype: &Datatype,
    rooms: [T; 3],
    integers: *mut c_int,
    addresses: *mut MPI_Aint,
    types: *mut MPI_Datatype,
) -> Result<()> {
    let contents = datatype.contents();
    if contents.combiner == MPI_COMBINER_NAMED {
        return Err(Error::new(MPI_ERR_TYPE, "a named datatype was made from nothing"));
    }
    fill("integers", integers, rooms[0], &contents.integers)?;
    fill("addresses", addresses, rooms[1], &contents.addresses)?;
    let made_from = datatype.constituents().count();
    fill("datatypes", types, rooms[2], &vec![MPI_DATATYPE_NULL; made_from])?;
    let handles = constituents(&mut state::enter(), datatype);
    fill("datatypes", types, rooms[2], &handles)
}

/// Handles of the types that a type was made from; those of derived ones are the caller's to free.
fn constituents(state: &mut State, datatype: &Datatype) -> Vec<MPI_Datatype> {
    let handle = |(known, datatype): (Option<MPI_Datatype>, _)| known.unwrap_or_else(|| keep(state, datatype));
    datatype.constituents().map(handle).collect()
}

forms! {
    /// Bytes of data.
    fn MPI_Type_size, PMPI_Type_size / MPI_Type_size_c, PMPI_Type_size_c(
        datatype: MPI_Datatype, size: *mut Count
    ) on (), { set_number(size, Some(find(datatype)?.size())) }

    /// Lower bound and extent.
    fn MPI_Type_get_extent, PMPI_Type_get_extent / MPI_Type_get_extent_c, PMPI_Type_get_extent_c(
        datatype: MPI_Datatype, lb: *mut Bytes, extent: *mut Bytes
    ) on (), { set_extent(datatype, lb, extent) }

    /// Lower bound and extent of the data alone.
    fn MPI_Type_get_true_extent, PMPI_Type_get_true_extent
        / MPI_Type_get_true_extent_c, PMPI_Type_get_true_extent_c(
        datatype: MPI_Datatype, lb: *mut Bytes, extent: *mut Bytes
    ) on (), { set_true_extent(datatype, lb, extent) }
}

mpi! {
    /// Bytes of data (an older name of the form with large counts).
    fn MPI_Type_size_x, PMPI_Type_size_x(datatype: MPI_Datatype, size: *mut MPI_Count) on (), {
        set_number(size, Some(find(datatype)?.size()))
    }

    /// Lower bound and extent (an older name of the form with large counts).
    fn MPI_Type_get_extent_x, PMPI_Type_get_extent_x(
        datatype: MPI_Datatype, lb: *mut MPI_Count, extent: *mut MPI_Count
    ) on (), { set_extent(datatype, lb, extent) }

    /// Lower bound and extent of the data alone (an older name of the form with large counts).
    fn MPI_Type_get_true_extent_x, PMPI_Type_get_true_extent_x(
        datatype: MPI_Datatype, lb: *mut MPI_Count, extent: *mut MPI_Count
    ) on (), { set_true_extent(datatype, lb, extent) }

    /// How many arguments a type was made from.
    fn MPI_Type_get_envelope, PMPI_Type_get_envelope(
        datatype: MPI_Datatype, integers: *mut c_int, addresses: *mut c_int, datatypes: *mut c_int,
        combiner: *mut c_int
    ) on (), {
        let datatype = decodable(datatype, Form::Int)?;
        let contents = datatype.contents();
        set_number(integers, Some(contents.integers.len()))?;
        set_number(addresses, Some(contents.addresses.len()))?;
        set_number(datatypes, Some(datatype.constituents().count()))?;
        set(combiner, contents.combiner)
    }

    /// How many arguments a type was made from.
    fn MPI_Type_get_envelope_c, PMPI_Type_get_envelope_c(
        datatype: MPI_Datatype, integers: *mut MPI_Count, addresses: *mut MPI_Count, large_counts: *mut MPI_Count,
        datatypes: *mut MPI_Count, combiner: *mut c_int
    ) on (), {
        let datatype = decodable(datatype, Form::Large)?;
        let contents = datatype.contents();
        set_number(integers, Some(contents.integers.len()))?;
        set_number(addresses, Some(contents.addresses.len()))?;
        set_number(large_counts, Some(contents.large_counts.len()))?;
        set_number(datatypes, Some(datatype.constituents().count()))?;
        set(combiner, contents.combiner)
    }

    /// The arguments that a type was made from.
    fn MPI_Type_get_contents, PMPI_Type_get_contents(
        datatype: MPI_Datatype, max_integers: c_int, max_addresses: c_int, max_datatypes: c_int,
        integers: *mut c_int, addresses: *mut MPI_Aint, datatypes: *mut MPI_Datatype
    ) on (), {
        let datatype = decodable(datatype, Form::Int)?;
        fill_common(&datatype, [max_integers, max_addresses, max_datatypes], integers, addresses, datatypes)
    }

    /// The arguments that a type was made from.
    fn MPI_Type_get_contents_c, PMPI_Type_get_contents_c(
        datatype: MPI_Datatype, max_integers: MPI_Count, max_addresses: MPI_Count, max_large_counts: MPI_Count,
        max_datatypes: MPI_Count, integers: *mut c_int, addresses: *mut MPI_Aint, large_counts: *mut MPI_Count,
        datatypes: *mut MPI_Datatype
    ) on (), {
        let datatype = decodable(datatype, Form::Large)?;
        fill("large counts", large_counts, max_large_counts, &datatype.contents().large_counts)?;
        fill_common(&datatype, [max_integers, max_addresses, max_datatypes], integers, addresses, datatypes)
    }

    /// The name of a type.
    fn MPI_Type_get_name, PMPI_Type_get_name(
        datatype: MPI_Datatype, type_name: *mut c_char, resultlen: *mut c_int
    ) on (), {
        let name = match datatype {
            MPI_DATATYPE_NULL => c"MPI_DATATYPE_NULL".to_owned(),
            _ => find(datatype)?.name(),
        };
        set_text_and_length(type_name, MPI_MAX_OBJECT_NAME, &name, resultlen)
    }

    /// Names a type.
    fn MPI_Type_set_name, PMPI_Type_set_name(datatype: MPI_Datatype, type_name: *const c_char) on (), {
        let bytes = text(type_name)?.to_bytes();
        let kept = &bytes[..bytes.len().min(MPI_MAX_OBJECT_NAME as usize - 1)];
        find(datatype)?.set_name(CString::new(kept).unwrap_or_default());
        Ok(())
    }
}
