//! Info objects.
use super::argument::{list, set_text, text, value};
use super::{mpi, set};
use crate::abi::{
    MPI_ERR_ARG, MPI_ERR_INFO, MPI_INFO_ENV, MPI_INFO_NULL, MPI_Info, MPI_MAX_INFO_KEY, MPI_MAX_INFO_VAL,
};
use crate::error::{Error, Result};
use crate::info::Info;
use crate::state;
use crate::world;
use std::ffi::{CStr, CString, c_char, c_int};

/// A key's value.
fn lookup(info: MPI_Info, key: *const c_char) -> Result<Option<CString>> {
    let key = text(key)?;
    Ok(state::enter().infos.get(info)?.get(key)?.map(CStr::to_owned))
}

/// Changes an info object of the program.
fn change<T>(info: MPI_Info, work: impl FnOnce(&mut Info) -> Result<T>) -> Result<T> {
    if info == MPI_INFO_ENV {
        return Err(Error::new(MPI_ERR_INFO, "MPI_INFO_ENV cannot be changed; MPI_Info_dup makes a copy that can"));
    }
    work(state::enter().infos.get_mut(info)?)
}

mpi! {
    /// A new info object.
    fn MPI_Info_create, PMPI_Info_create(info: *mut MPI_Info) on (), {
        set(info, state::enter().infos.insert(Info::new()))
    }

    /// What is known of how the program was started: what `MPI_INFO_ENV` says, before MPI is initialised too.
    fn MPI_Info_create_env, PMPI_Info_create_env(argc: c_int, argv: *mut *mut c_char, info: *mut MPI_Info) on (), {
        let given = list(argv, argc)?.iter().map(|&word| text(word)).collect::<Result<Vec<&CStr>>>()?;
        let mut state = state::enter();
        let told = world::environment(&state, given.into_iter().map(|word| word.to_bytes().to_vec()).collect());
        set(info, state.infos.insert(told))
    }

    /// A copy.
    fn MPI_Info_dup, PMPI_Info_dup(info: MPI_Info, newinfo: *mut MPI_Info) on (), {
        let mut state = state::enter();
        let copy = state.infos.get(info)?.clone();
        set(newinfo, state.infos.insert(copy))
    }

    /// Frees an info object.
    fn MPI_Info_free, PMPI_Info_free(info: *mut MPI_Info) on (), {
        state::enter().infos.remove(value(info)?)?;
        set(info, MPI_INFO_NULL)
    }

    /// Sets a key's value.
    fn MPI_Info_set, PMPI_Info_set(info: MPI_Info, key: *const c_char, value: *const c_char) on (), {
        let (key, value) = (text(key)?, text(value)?);
        change(info, |info| info.set(key, value))
    }

    /// Removes a key.
    fn MPI_Info_delete, PMPI_Info_delete(info: MPI_Info, key: *const c_char) on (), {
        let key = text(key)?;
        change(info, |info| info.delete(key))
    }

    /// A key's value. `buflen` is the room for it on entry, and the room that it needs on return, with the zero byte.
    fn MPI_Info_get_string, PMPI_Info_get_string(
        info: MPI_Info, key: *const c_char, buflen: *mut c_int, value: *mut c_char, flag: *mut c_int
    ) on (), {
        let found = lookup(info, key)?;
        set(flag, found.is_some().into())?;
        let Some(found) = found else { return Ok(()) };
        let room = self::value(buflen)?;
        if room > 0 {
            set_text(value, room as usize, &found)?;
        }
        set(buflen, found.as_bytes_with_nul().len() as c_int)
    }

    /// A key's value, of which at most `valuelen` bytes and a zero byte are written.
    fn MPI_Info_get, PMPI_Info_get(
        info: MPI_Info, key: *const c_char, valuelen: c_int, value: *mut c_char, flag: *mut c_int
    ) on (), {
        let found = lookup(info, key)?;
        set(flag, found.is_some().into())?;
        let Some(found) = found else { return Ok(()) };
        let room = usize::try_from(valuelen).map_err(|_| {
            Error::new(MPI_ERR_ARG, format!("room for a value of {valuelen} bytes"))
        })?;
        set_text(value, room.min(MPI_MAX_INFO_VAL as usize) + 1, &found).map(|_| ())
    }

    /// The length of a key's value, without the zero byte.
    fn MPI_Info_get_valuelen, PMPI_Info_get_valuelen(
        info: MPI_Info, key: *const c_char, valuelen: *mut c_int, flag: *mut c_int
    ) on (), {
        let found = lookup(info, key)?;
        set(flag, found.is_some().into())?;
        found.map_or(Ok(()), |found| set(valuelen, found.count_bytes() as c_int))
    }

    /// How many keys there are.
    fn MPI_Info_get_nkeys, PMPI_Info_get_nkeys(info: MPI_Info, nkeys: *mut c_int) on (), {
        set(nkeys, state::enter().infos.get(info)?.len() as c_int)
    }

    /// The key with a number.
    fn MPI_Info_get_nthkey, PMPI_Info_get_nthkey(info: MPI_Info, n: c_int, key: *mut c_char) on (), {
        let found = state::enter().infos.get(info)?.key(n)?.to_owned();
        set_text(key, MPI_MAX_INFO_KEY as usize, &found).map(|_| ())
    }
}
