//! PMIx, through the library `libpmix.so.2` of whoever started us, which is loaded when its variables are found.
//!
//! The layouts are those of the PMIx 3 to 5 ABI, which the library's soname promises.

use crate::launch::Manager;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::transmute;
use std::{io, ptr};

const SUCCESS: c_int = 0;
/// Instead of a rank: what holds for the whole job.
const WILDCARD: u32 = u32::MAX - 1;
/// A value for the processes of the same node.
const LOCAL_SCOPE: u8 = 1;
const STRING: u16 = 3;
const UINT32: u16 = 14;

/// A process: its job's name and its rank (`pmix_proc_t`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Process {
    namespace: [c_char; 256],
    rank: u32,
}

/// A value and its type (`pmix_value_t`); the longest of those that it can hold has 24 bytes.
#[repr(C)]
struct Value {
    kind: u16,
    data: Data,
}

#[repr(C)]
#[derive(Clone, Copy)]
union Data {
    string: *const c_char,
    number: u32,
    room: [u64; 3],
}

type Init = unsafe extern "C" fn(*mut Process, *const c_void, usize) -> c_int;
type Finalize = unsafe extern "C" fn(*const c_void, usize) -> c_int;
type Abort = unsafe extern "C" fn(c_int, *const c_char, *const Process, usize) -> c_int;
type Get = unsafe extern "C" fn(*const Process, *const c_char, *const c_void, usize, *mut *const Value) -> c_int;
type Put = unsafe extern "C" fn(u8, *const c_char, *const Value) -> c_int;
type Commit = unsafe extern "C" fn() -> c_int;
type Fence = unsafe extern "C" fn(*const Process, usize, *const c_void, usize) -> c_int;

/// The functions of the library that we call.
struct Functions {
    init: Init,
    finalize: Finalize,
    abort: Abort,
    get: Get,
    put: Put,
    commit: Commit,
    fence: Fence,
}

/// The connection to the process manager.
pub(in crate::launch) struct Pmix {
    functions: Functions,
    me: Process,
}

impl std::fmt::Debug for Pmix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pmix(rank {})", self.me.rank)
    }
}

fn load() -> io::Result<Functions> {
    // SAFETY: the name is a C string. What the library does when it is loaded is its own affair.
    let library = unsafe { libc::dlopen(c"libpmix.so.2".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if library.is_null() {
        let text = "libpmix.so.2 cannot be loaded; install it (Debian: libpmix2), or use another launcher";
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let function = |name: &CStr| {
        // SAFETY: the library stays loaded, and the name is a C string.
        let found = unsafe { libc::dlsym(library, name.as_ptr()) };
        let missing = || io::Error::other(format!("libpmix.so.2 has no {}", name.to_string_lossy()));
        ptr::NonNull::new(found).map(ptr::NonNull::as_ptr).ok_or_else(missing)
    };
    // SAFETY: these types are the C prototypes of the functions, with pointers for arrays.
    unsafe {
        Ok(Functions {
            init: transmute::<*mut c_void, Init>(function(c"PMIx_Init")?),
            finalize: transmute::<*mut c_void, Finalize>(function(c"PMIx_Finalize")?),
            abort: transmute::<*mut c_void, Abort>(function(c"PMIx_Abort")?),
            get: transmute::<*mut c_void, Get>(function(c"PMIx_Get")?),
            put: transmute::<*mut c_void, Put>(function(c"PMIx_Put")?),
            commit: transmute::<*mut c_void, Commit>(function(c"PMIx_Commit")?),
            fence: transmute::<*mut c_void, Fence>(function(c"PMIx_Fence")?),
        })
    }
}

fn check(what: &str, status: c_int) -> io::Result<()> {
    match status {
        SUCCESS => Ok(()),
        status => Err(io::Error::other(format!("{what} failed with status {status}"))),
    }
}

impl Pmix {
    /// Begins; also this process's rank.
    pub(in crate::launch) fn connect() -> io::Result<(Pmix, u32)> {
        let functions = load()?;
        let mut me = Process { namespace: [0; 256], rank: 0 };
        // SAFETY: the place of the result is ours, and no attributes are passed.
        check("PMIx_Init", unsafe { (functions.init)(&raw mut me, ptr::null(), 0) })?;
        Ok((Pmix { functions, me }, me.rank))
    }

    /// Processes of the job.
    pub(in crate::launch) fn job_size(&self) -> io::Result<u32> {
        self.number(c"pmix.job.size")
    }

    fn number(&self, key: &CStr) -> io::Result<u32> {
        self.number_of(WILDCARD, key)
    }

    fn number_of(&self, rank: u32, key: &CStr) -> io::Result<u32> {
        let data = self.value(rank, key, UINT32)?;
        // SAFETY: the type was checked.
        Ok(unsafe { data.number })
    }

    fn string_of(&self, rank: u32, key: &CStr) -> io::Result<String> {
        let data = self.value(rank, key, STRING)?;
        // SAFETY: the type was checked; the library returns a C string, which we leave to it.
        let text = unsafe { CStr::from_ptr(data.string) };
        Ok(text.to_string_lossy().into_owned())
    }

    fn value(&self, rank: u32, key: &CStr, kind: u16) -> io::Result<Data> {
        let process = Process { rank, ..self.me };
        let mut value = ptr::null();
        // SAFETY: the process, the key and the place of the result are ours; no attributes are passed.
        let status = unsafe { (self.functions.get)(&raw const process, key.as_ptr(), ptr::null(), 0, &raw mut value) };
        check(&format!("PMIx_Get of {}", key.to_string_lossy()), status)?;
        // SAFETY: after success it points to a value, if it is not null.
        match unsafe { value.as_ref() } {
            Some(value) if value.kind == kind => Ok(value.data),
            _ => Err(io::Error::other(format!("{} has another type than {kind}", key.to_string_lossy()))),
        }
    }
}

impl Manager for Pmix {
    fn put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let (key, text) = (CString::new(key)?, CString::new(value)?);
        let mut data = Data { room: [0; 3] };
        data.string = text.as_ptr();
        let value = Value { kind: STRING, data };
        // SAFETY: the key and the value live until the call, which copies them, returns.
        check("PMIx_Put", unsafe { (self.functions.put)(LOCAL_SCOPE, key.as_ptr(), &raw const value) })?;
        // SAFETY: it takes nothing.
        check("PMIx_Commit", unsafe { (self.functions.commit)() })
    }

    fn get(&mut self, rank: u32, key: &str) -> io::Result<String> {
        self.string_of(rank, &CString::new(key)?)
    }

    fn fence(&mut self) -> io::Result<()> {
        // SAFETY: no processes are named, which means all of the job, and no attributes.
        check("PMIx_Fence", unsafe { (self.functions.fence)(ptr::null(), 0, ptr::null(), 0) })
    }

    fn appnum(&mut self) -> Option<u32> {
        self.number_of(self.me.rank, c"pmix.appnum").ok()
    }

    fn local_ranks(&mut self, _rank: u32, _size: u32) -> io::Result<Vec<u32>> {
        let text = self.string_of(WILDCARD, c"pmix.lpeers")?;
        let ranks: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
        ranks.map_err(|_| io::Error::other(format!("the local peers `{text}` are no list of ranks")))
    }

    fn finalize(self: Box<Self>) -> io::Result<()> {
        // SAFETY: no attributes are passed; the value is gone afterwards, so nothing is called after this.
        check("PMIx_Finalize", unsafe { (self.functions.finalize)(ptr::null(), 0) })
    }

    fn abort(&mut self, code: i32) {
        // SAFETY: the message is a C string, and no processes are named: all are meant.
        unsafe { (self.functions.abort)(code, c"MPI_Abort".as_ptr(), ptr::null(), 0) };
    }
}
