//! The process's one state of MPI, and who may touch it.
//!
//! Every call enters here. Under `MPI_THREAD_MULTIPLE`, and before the library is initialised, a lock keeps threads
//! apart; below that level the standard forbids two calls at a time, so no lock is taken. A [`Guard`] must not live
//! while a user's function runs (an operation, an attribute's copier, an error handler): that function may call MPI.
#![allow(unsafe_code)]

use crate::abi::{self, MPI_Comm, MPI_Datatype, MPI_Group, MPI_Op, MPI_Request};
use crate::attribute::Attributes;
use crate::comm::CommEntry;
use crate::datatype::{self, Datatype, F90};
use crate::errhandler::Errhandler;
use crate::error::{Error, Result};
use crate::error_codes::ErrorCodes;
use crate::group::Group;
use crate::handles::{Kind, Table};
use crate::info::Info;
use crate::launch::Job;
use crate::op::{self, Op};
use crate::p2p::{Activity, AttachedBuffers, Engine, Requests, Taken};
use crate::session::Session;
use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// What the process knows.
pub struct State {
    /// How far the library's life has come.
    pub phase: Phase,
    /// Models that are in use: the world model and each session count one.
    pub models: u32,
    /// The thread level that was provided.
    pub thread_level: i32,
    /// The thread that began.
    pub main_thread: Option<ThreadId>,
    /// The job, once a model (world or sessions) was initialised.
    pub job: Option<Arc<Job>>,
    /// Point-to-point messages, once a model was initialised.
    pub engine: Option<Box<Engine>>,
    /// The same while no model is in use, for the next session: others have their ends of its rings.
    pub parked: Option<Box<Engine>>,
    /// Communicators.
    pub comms: Table<CommEntry>,
    /// Groups.
    pub groups: Table<Arc<Group>>,
    /// Datatypes.
    pub datatypes: Table<Arc<Datatype>>,
    /// Predefined datatypes of Fortran's kinds: one for each request, as the standard wants it.
    pub kinds: BTreeMap<F90, MPI_Datatype>,
    /// Operations.
    pub ops: Table<Arc<Op>>,
    /// Info objects.
    pub infos: Table<Info>,
    /// Error handlers.
    pub errhandlers: Table<Errhandler>,
    /// The error handler of files that are not open.
    pub file_errhandler: Errhandler,
    /// Sessions.
    pub sessions: Table<Session>,
    /// Attributes and their keys.
    pub attributes: Attributes,
    /// Error classes and codes of the program.
    pub error_codes: ErrorCodes,
    /// Contexts that this process gave out.
    pub contexts: u64,
    /// How often communicators were made from the same groups in the same way, see `comm/context.rs`.
    pub repeated: BTreeMap<u64, u64>,
    /// Requests.
    pub requests: Requests,
    /// What goes on in steps, and the requests that complete with it.
    pub activities: Vec<(MPI_Request, Box<dyn Activity>)>,
    /// The buffers of buffered sends.
    pub attached: AttachedBuffers,
    /// Messages that matched probes took.
    pub taken: Table<Taken>,
}

/// How far the world model has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before `MPI_Init`.
    Before,
    /// Between `MPI_Init` and `MPI_Finalize`.
    Running,
    /// After `MPI_Finalize`.
    Finalized,
}

impl State {
    fn new() -> State {
        let kind = |number, class, name| Kind { number, class, name };
        State {
            phase: Phase::Before,
            models: 0,
            main_thread: None,
            thread_level: abi::MPI_THREAD_SINGLE,
            job: None,
            engine: None,
            parked: None,
            comms: Table::new(kind(1, abi::MPI_ERR_COMM, "communicator"), usize::from(abi::MPI_COMM_NULL), vec![]),
            groups: Table::new(
                kind(2, abi::MPI_ERR_GROUP, "group"),
                usize::from(abi::MPI_GROUP_NULL),
                vec![None, Some(Arc::new(Group::default()))],
            ),
            datatypes: Table::new(
                kind(3, abi::MPI_ERR_TYPE, "datatype"),
                usize::from(abi::MPI_DATATYPE_NULL),
                datatype::predefined(),
            ),
            kinds: BTreeMap::new(),
            ops: Table::new(kind(4, abi::MPI_ERR_OP, "operation"), usize::from(abi::MPI_OP_NULL), op::predefined()),
            requests: Table::new(kind(5, abi::MPI_ERR_REQUEST, "request"), usize::from(abi::MPI_REQUEST_NULL), vec![]),
            infos: Table::new(
                kind(6, abi::MPI_ERR_INFO, "info object"),
                usize::from(abi::MPI_INFO_NULL),
                vec![None, Some(Info::new())],
            ),
            errhandlers: Table::new(
                kind(7, abi::MPI_ERR_ERRHANDLER, "error handler"),
                usize::from(abi::MPI_ERRHANDLER_NULL),
                Errhandler::predefined(),
            ),
            file_errhandler: Errhandler::Return,
            sessions: Table::new(kind(8, abi::MPI_ERR_SESSION, "session"), usize::from(abi::MPI_SESSION_NULL), vec![]),
            attributes: Attributes::default(),
            error_codes: ErrorCodes::default(),
            contexts: 0,
            repeated: BTreeMap::new(),
            activities: Vec::new(),
            attached: AttachedBuffers::default(),
            taken: Table::new(kind(9, abi::MPI_ERR_REQUEST, "message"), usize::from(abi::MPI_MESSAGE_NULL), vec![]),
        }
    }

    /// The job that this process is part of; an error before a model was initialised or after all were finalised.
    pub fn running(&self) -> Result<&Arc<Job>> {
        self.job.as_ref().filter(|_| self.engine.is_some()).ok_or_else(not_running)
    }

    /// The engine; an error before a model was initialised or after it was finalised.
    #[inline]
    pub fn engine(&mut self) -> Result<&mut Engine> {
        self.engine.as_deref_mut().ok_or_else(not_running)
    }

    /// A communicator.
    #[inline]
    pub fn comm(&self, comm: MPI_Comm) -> Result<&CommEntry> {
        self.comms.get(comm).map_err(|error| if self.engine.is_none() { not_running() } else { error })
    }

    /// A datatype.
    #[inline]
    pub fn datatype(&self, datatype: MPI_Datatype) -> Result<&Arc<Datatype>> {
        self.datatypes.get(datatype)
    }

    /// A group.
    pub fn group(&self, group: MPI_Group) -> Result<&Arc<Group>> {
        self.groups.get(group)
    }

    /// An operation.
    pub fn op(&self, op: MPI_Op) -> Result<&Arc<Op>> {
        self.ops.get(op)
    }

    /// The engine and the requests, which it completes.
    #[inline]
    pub fn messages(&mut self) -> Result<(&mut Engine, &mut Requests)> {
        match &mut self.engine {
            Some(engine) => Ok((engine, &mut self.requests)),
            None => Err(not_running()),
        }
    }
}

/// The error of a call before a model was initialised, or after it was finalised.
#[cold]
pub fn not_running() -> Error {
    Error::new(abi::MPI_ERR_OTHER, "MPI is not running: call MPI_Init or MPI_Session_init first, and MPI_Finalize last")
}

struct Shared(UnsafeCell<Option<State>>);

// SAFETY: the cell is only reached through a `Guard`. One lives at a time: by LOCK, or, below MPI_THREAD_MULTIPLE,
// because the standard makes it the program's duty that no two threads are inside MPI at once.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(None));
static LOCK: Mutex<()> = Mutex::new(());
/// Locking is needed until a thread level below MULTIPLE was agreed on.
static LOCKED: AtomicBool = AtomicBool::new(true);

/// The right to read and change the state.
pub struct Guard {
    _lock: Option<MutexGuard<'static, ()>>,
}

/// Enters the state. Not to be called while this thread has a guard.
#[inline(always)]
pub fn enter() -> Guard {
    let guard = Guard { _lock: if LOCKED.load(Ordering::Relaxed) { Some(lock()) } else { None } };
    // SAFETY: this guard is the only one, see `Shared`.
    let state = unsafe { &mut *SHARED.0.get() };
    if state.is_none() {
        begin(state);
    }
    guard
}

#[cold]
fn lock() -> MutexGuard<'static, ()> {
    let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    #[cfg(twowire_thread_sanitizer)]
    ORDER.load(Ordering::Acquire);
    guard
}

/// The standard library is built without the thread sanitizer, which therefore does not see that a lock others wait for orders what they
/// do; this says it once more.
#[cfg(twowire_thread_sanitizer)]
static ORDER: AtomicBool = AtomicBool::new(false);

#[cfg(twowire_thread_sanitizer)]
impl Drop for Guard {
    fn drop(&mut self) {
        ORDER.store(true, Ordering::Release);
    }
}

#[cold]
fn begin(state: &mut Option<State>) {
    *state = Some(State::new());
}

/// Says whether threads may be inside MPI at the same time.
pub fn set_threads(multiple: bool) {
    LOCKED.store(multiple, Ordering::Relaxed);
}

/// Whether threads may be inside MPI at the same time.
pub fn is_shared_by_threads() -> bool {
    LOCKED.load(Ordering::Relaxed)
}

impl Deref for Guard {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        // SAFETY: this guard is the only one, see `Shared`; `enter` filled the cell.
        unsafe { (*SHARED.0.get()).as_ref().unwrap_unchecked() }
    }
}

impl DerefMut for Guard {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        // SAFETY: as above.
        unsafe { (*SHARED.0.get()).as_mut().unwrap_unchecked() }
    }
}
