//! What a process can ask about itself and the library.
use super::argument::set_text_and_length;
use super::{mpi, set};
use crate::abi::{
    MPI_ABI_SUBVERSION, MPI_ABI_VERSION, MPI_Aint, MPI_ERR_ARG, MPI_ERR_NO_MEM, MPI_INFO_NULL, MPI_Info,
    MPI_MAX_LIBRARY_VERSION_STRING, MPI_MAX_PROCESSOR_NAME, MPI_SUBVERSION, MPI_VERSION,
};
use crate::clock;
use crate::error::Error;
use crate::info::Info;
use crate::state;
use crate::world;
use std::ffi::{CStr, c_char, c_int, c_void};

const LIBRARY: &str = concat!("Twowire ", env!("CARGO_PKG_VERSION"), ", MPI 5.0 with the standard ABI 1.0\0");
/// As the memory of `MPI_Alloc_mem` is aligned: to what the widest vector loads want, and to cache lines.
const ALIGNMENT: usize = 64;

mpi! {
    /// Seconds since some moment.
    fn MPI_Wtime, PMPI_Wtime() -> f64 { clock::now().as_secs_f64() }

    /// The resolution of `MPI_Wtime`.
    fn MPI_Wtick, PMPI_Wtick() -> f64 { clock::resolution().as_secs_f64() }

    /// The name of the node.
    fn MPI_Get_processor_name, PMPI_Get_processor_name(name: *mut c_char, resultlen: *mut c_int) on (), {
        set_text_and_length(name, MPI_MAX_PROCESSOR_NAME, rustix::system::uname().nodename(), resultlen)
    }

    /// The version of the standard.
    fn MPI_Get_version, PMPI_Get_version(version: *mut c_int, subversion: *mut c_int) on (), {
        set(version, MPI_VERSION)?;
        set(subversion, MPI_SUBVERSION)
    }

    /// The name and version of the library.
    fn MPI_Get_library_version, PMPI_Get_library_version(version: *mut c_char, resultlen: *mut c_int) on (), {
        let text = CStr::from_bytes_until_nul(LIBRARY.as_bytes()).unwrap_or_default();
        set_text_and_length(version, MPI_MAX_LIBRARY_VERSION_STRING, text, resultlen)
    }

    /// The version of the standard ABI.
    fn MPI_Abi_get_version, PMPI_Abi_get_version(abi_major: *mut c_int, abi_minor: *mut c_int) on (), {
        set(abi_major, MPI_ABI_VERSION)?;
        set(abi_minor, MPI_ABI_SUBVERSION)
    }

    /// The sizes of the ABI's integers.
    fn MPI_Abi_get_info, PMPI_Abi_get_info(info: *mut MPI_Info) on (), {
        let mut told = Info::new();
        for key in [c"mpi_aint_size", c"mpi_count_size", c"mpi_offset_size"] {
            told.say(key, size_of::<MPI_Aint>().to_string());
        }
        set(info, state::enter().infos.insert(told))
    }

    /// What Fortran's types are: nobody has said so, there is no Fortran yet.
    fn MPI_Abi_get_fortran_info, PMPI_Abi_get_fortran_info(info: *mut MPI_Info) on (), { set(info, MPI_INFO_NULL) }

    /// What Fortran's truth values are: the same.
    fn MPI_Abi_get_fortran_booleans, PMPI_Abi_get_fortran_booleans(
        _logical_size: c_int, _logical_true: *mut c_void, _logical_false: *mut c_void, is_set: *mut c_int
    ) on (), { set(is_set, 0) }

    /// What `MPI_Comm_split_type` can be told that parts of a communicator share.
    fn MPI_Get_hw_resource_info, PMPI_Get_hw_resource_info(hw_info: *mut MPI_Info) on (), {
        let mut told = Info::new();
        told.say(c"mpi_shared_memory", "true");
        set(hw_info, state::enter().infos.insert(told))
    }

    /// Whether this thread began MPI.
    fn MPI_Is_thread_main, PMPI_Is_thread_main(flag: *mut c_int) on (), {
        set(flag, world::is_main_thread(&state::enter())?.into())
    }

    /// Tells a profiler something. There is none.
    fn MPI_Pcontrol, PMPI_Pcontrol(_level: c_int) on (), { Ok(()) }

    /// Memory that is good for messages: any is, aligned to a cache line.
    fn MPI_Alloc_mem, PMPI_Alloc_mem(size: MPI_Aint, _info: MPI_Info, baseptr: *mut c_void) on (), {
        let bytes = usize::try_from(size).map_err(|_| Error::new(MPI_ERR_ARG, format!("memory of {size} bytes")))?;
        let whole = bytes.max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX);
        // SAFETY: the alignment is a power of two and divides the size.
        let memory = unsafe { libc::aligned_alloc(ALIGNMENT, whole) };
        if memory.is_null() {
            return Err(Error::new(MPI_ERR_NO_MEM, format!("no memory of {size} bytes")));
        }
        set(baseptr.cast::<*mut c_void>(), memory)
    }

    /// Gives it back.
    fn MPI_Free_mem, PMPI_Free_mem(base: *mut c_void) on (), {
        // SAFETY: the standard requires that `base` is from `MPI_Alloc_mem`; null is nothing to free.
        unsafe { libc::free(base) };
        Ok(())
    }
}
