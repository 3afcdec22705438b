//! Attributes of communicators and datatypes, and those that the standard itself sets.
use super::argument::value;
use super::{mpi, set};
use crate::abi::{
    MPI_ANY_SOURCE, MPI_APPNUM, MPI_Comm, MPI_Datatype, MPI_ERR_KEYVAL, MPI_HOST, MPI_IO, MPI_KEYVAL_INVALID,
    MPI_LASTUSEDCODE, MPI_PROC_NULL, MPI_SUCCESS, MPI_TAG_UB, MPI_UNIVERSE_SIZE, MPI_WTIME_IS_GLOBAL,
};
use crate::attribute::{self, Copy, Delete, Kind, Object};
use crate::error::{Error, Result};
use crate::p2p;
use crate::state;
use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::sync::atomic::{AtomicI32, Ordering};

/// A program's function that copies an attribute.
type CopyFunction<H> = unsafe extern "C" fn(H, c_int, *mut c_void, *mut c_void, *mut c_void, *mut c_int) -> c_int;
/// A program's function that deletes an attribute.
type DeleteFunction<H> = unsafe extern "C" fn(H, c_int, *mut c_void, *mut c_void) -> c_int;

/// A new key. The functions come as addresses: the standard's own ones are 0 (none) and 1 (the same value).
fn create<H: From<usize> + 'static>(
    kind: Kind,
    copy: usize,
    delete: usize,
    key: *mut c_int,
    extra: *mut c_void,
) -> Result<()> {
    // Kept as a number: the program's business, in whatever thread its function is called.
    let extra = extra as usize;
    let copy = match copy {
        0 => Copy::None,
        1 => Copy::Same,
        // SAFETY: an address that is neither of the above is a function of the program, of this type.
        function => asking(unsafe { transmute::<usize, CopyFunction<H>>(function) }, extra),
    };
    let delete = (delete != 0).then(|| {
        // SAFETY: as above.
        let function = unsafe { transmute::<usize, DeleteFunction<H>>(delete) };
        let call = move |handle: usize, key, value: usize| {
            // SAFETY: the program gave this function for this use, and the value and the extra state with it.
            unsafe { function(H::from(handle), key, value as *mut c_void, extra as *mut c_void) }
        };
        Box::new(call) as Delete
    });
    set(key, attribute::create_keyval(kind, copy, delete))
}

fn asking<H: From<usize> + 'static>(function: CopyFunction<H>, extra: usize) -> Copy {
    Copy::Ask(Box::new(move |handle, key, value| {
        let (mut copied, mut flag) = (0_usize, 0);
        let place = (&raw mut copied).cast::<c_void>();
        let (extra, value) = (extra as *mut c_void, value as *mut c_void);
        // SAFETY: the program gave this function for this use; both places live until it returns.
        let code = unsafe { function(H::from(handle), key, extra, value, place, &mut flag) };
        if code == MPI_SUCCESS { Ok((flag != 0).then_some(copied)) } else { Err(code) }
    }))
}

fn free(kind: Kind, key: *mut c_int) -> Result<()> {
    attribute::free_keyval(kind, value(key)?)?;
    set(key, MPI_KEYVAL_INVALID)
}

fn get(object: Object, key: c_int, place: *mut c_void, flag: *mut c_int) -> Result<()> {
    let found = match object {
        Object::Comm(comm) if FACTS.iter().any(|fact| fact.key == key) => {
            state::enter().comm(comm)?;
            fact(key)?
        }
        _ => attribute::get(object, key)?,
    };
    set(flag, found.is_some().into())?;
    found.map_or(Ok(()), |found| set(place.cast::<usize>(), found))
}

fn change(key: c_int) -> Result<c_int> {
    if FACTS.iter().any(|fact| fact.key == key) {
        return Err(Error::new(MPI_ERR_KEYVAL, "an attribute of the standard itself, which programs cannot change"));
    }
    Ok(key)
}

/// A fact that the library states in the form of an attribute: programs get a pointer to it.
struct Fact {
    key: c_int,
    value: AtomicI32,
}

impl Fact {
    const fn new(key: c_int) -> Fact {
        Fact { key, value: AtomicI32::new(0) }
    }
}

static FACTS: [Fact; 7] = [
    Fact::new(MPI_TAG_UB),
    Fact::new(MPI_IO),
    Fact::new(MPI_HOST),
    Fact::new(MPI_WTIME_IS_GLOBAL),
    Fact::new(MPI_APPNUM),
    Fact::new(MPI_LASTUSEDCODE),
    Fact::new(MPI_UNIVERSE_SIZE),
];

/// The address of a fact, if it is known.
fn fact(key: c_int) -> Result<Option<usize>> {
    let state = state::enter();
    let job = state.running()?;
    let value = match key {
        MPI_TAG_UB => Some(p2p::TAG_UB),
        MPI_IO => Some(MPI_ANY_SOURCE),
        MPI_HOST => Some(MPI_PROC_NULL),
        MPI_LASTUSEDCODE => Some(state.error_codes.last_used()),
        MPI_UNIVERSE_SIZE => Some(job.size as c_int),
        // The clock is the node's.
        MPI_WTIME_IS_GLOBAL => Some((job.local.len() == job.size as usize).into()),
        MPI_APPNUM => job.appnum.map(|number| number as c_int),
        _ => None,
    };
    let place = FACTS.iter().find(|fact| fact.key == key);
    Ok(value.zip(place).map(|(value, fact)| {
        fact.value.store(value, Ordering::Relaxed);
        fact.value.as_ptr() as usize
    }))
}

mpi! {
    /// A key for attributes of communicators.
    fn MPI_Comm_create_keyval, PMPI_Comm_create_keyval(
        copy: usize, delete: usize, comm_keyval: *mut c_int, extra_state: *mut c_void
    ) on (), { create::<MPI_Comm>(Kind::Comm, copy, delete, comm_keyval, extra_state) }

    /// Frees a key.
    fn MPI_Comm_free_keyval, PMPI_Comm_free_keyval(comm_keyval: *mut c_int) on (), { free(Kind::Comm, comm_keyval) }

    /// Sets an attribute.
    fn MPI_Comm_set_attr, PMPI_Comm_set_attr(comm: MPI_Comm, comm_keyval: c_int, value: *mut c_void) on comm, {
        attribute::set(Object::Comm(comm), change(comm_keyval)?, value as usize)
    }

    /// An attribute, if it is set.
    fn MPI_Comm_get_attr, PMPI_Comm_get_attr(
        comm: MPI_Comm, comm_keyval: c_int, value: *mut c_void, flag: *mut c_int
    ) on comm, { get(Object::Comm(comm), comm_keyval, value, flag) }

    /// Deletes an attribute.
    fn MPI_Comm_delete_attr, PMPI_Comm_delete_attr(comm: MPI_Comm, comm_keyval: c_int) on comm, {
        attribute::delete(Object::Comm(comm), change(comm_keyval)?)
    }

    /// The old name of `MPI_Comm_create_keyval`.
    fn MPI_Keyval_create, PMPI_Keyval_create(
        copy: usize, delete: usize, keyval: *mut c_int, extra_state: *mut c_void
    ) on (), { create::<MPI_Comm>(Kind::Comm, copy, delete, keyval, extra_state) }

    /// The old name of `MPI_Comm_free_keyval`.
    fn MPI_Keyval_free, PMPI_Keyval_free(keyval: *mut c_int) on (), { free(Kind::Comm, keyval) }

    /// The old name of `MPI_Comm_set_attr`.
    fn MPI_Attr_put, PMPI_Attr_put(comm: MPI_Comm, keyval: c_int, value: *mut c_void) on comm, {
        attribute::set(Object::Comm(comm), change(keyval)?, value as usize)
    }

    /// The old name of `MPI_Comm_get_attr`.
    fn MPI_Attr_get, PMPI_Attr_get(comm: MPI_Comm, keyval: c_int, value: *mut c_void, flag: *mut c_int) on comm, {
        get(Object::Comm(comm), keyval, value, flag)
    }

    /// The old name of `MPI_Comm_delete_attr`.
    fn MPI_Attr_delete, PMPI_Attr_delete(comm: MPI_Comm, keyval: c_int) on comm, {
        attribute::delete(Object::Comm(comm), change(keyval)?)
    }

    /// A key for attributes of datatypes.
    fn MPI_Type_create_keyval, PMPI_Type_create_keyval(
        copy: usize, delete: usize, type_keyval: *mut c_int, extra_state: *mut c_void
    ) on (), { create::<MPI_Datatype>(Kind::Type, copy, delete, type_keyval, extra_state) }

    /// Frees a key.
    fn MPI_Type_free_keyval, PMPI_Type_free_keyval(type_keyval: *mut c_int) on (), { free(Kind::Type, type_keyval) }

    /// Sets an attribute.
    fn MPI_Type_set_attr, PMPI_Type_set_attr(
        datatype: MPI_Datatype, type_keyval: c_int, value: *mut c_void
    ) on (), { attribute::set(Object::Type(datatype), type_keyval, value as usize) }

    /// An attribute, if it is set.
    fn MPI_Type_get_attr, PMPI_Type_get_attr(
        datatype: MPI_Datatype, type_keyval: c_int, value: *mut c_void, flag: *mut c_int
    ) on (), { get(Object::Type(datatype), type_keyval, value, flag) }

    /// Deletes an attribute.
    fn MPI_Type_delete_attr, PMPI_Type_delete_attr(datatype: MPI_Datatype, type_keyval: c_int) on (), {
        attribute::delete(Object::Type(datatype), type_keyval)
    }

    /// A key for attributes of windows, of which there are none yet.
    fn MPI_Win_create_keyval, PMPI_Win_create_keyval(
        copy: usize, delete: usize, win_keyval: *mut c_int, extra_state: *mut c_void
    ) on (), { create::<crate::abi::MPI_Win>(Kind::Win, copy, delete, win_keyval, extra_state) }

    /// Frees a key.
    fn MPI_Win_free_keyval, PMPI_Win_free_keyval(win_keyval: *mut c_int) on (), { free(Kind::Win, win_keyval) }
}
