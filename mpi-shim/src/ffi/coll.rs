//! What the collectives' functions share: taking a call's arguments, and running it to the end, as a request, or again and again.

use super::integer::{self, Integer};
use super::set;
use crate::abi::*;
use crate::coll;
use crate::coll::call::{Call, Parts, Place, Root};
use crate::coll::memory::{self, Program};
use crate::coll::run::{Persistent, Run};
use crate::coll::schedule::{Data, at};
use crate::comm::Comm;
use crate::datatype::Datatype;
use crate::error::{Error, Result};
use crate::op::{self, Op};
use crate::p2p::{self, Kind, Request};
use crate::state::{self, Guard};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// The value of a buffer that stands for the other one.
const IN_PLACE: usize = 1;

/// Defines the forms of one collective from a function that makes a [`Call`] of its arguments: blocking, non-blocking, persistent, and
/// the same with large counts. In the arguments, `Count` and `Displacement` stand for the types of either.
macro_rules! collective {
    ($(#[$meta:meta])* $make:ident $args:tt;
     plain: $($plain:ident)*;
     large: $($large:ident)*;
    ) => {
        const _: () = {
            #[allow(dead_code)]
            type Count = std::ffi::c_int;
            #[allow(dead_code)]
            type Displacement = std::ffi::c_int;
            $crate::ffi::coll::forms! { $(#[$meta])* $make $args $($plain)* }
        };
        const _: () = {
            #[allow(dead_code)]
            type Count = $crate::abi::MPI_Count;
            #[allow(dead_code)]
            type Displacement = $crate::abi::MPI_Aint;
            $crate::ffi::coll::forms! { $(#[$meta])* $make $args $($large)* }
        };
    };
}
pub(super) use collective;

/// The three forms of a collective with one type of counts.
macro_rules! forms {
    ($(#[$meta:meta])* $make:ident ($($arg:ident: $type:ty),* $(,)?)
     $blocking:ident $blocking_profiled:ident $started:ident $started_profiled:ident $kept:ident $kept_profiled:ident) => {
        $crate::ffi::mpi! {
            $(#[$meta])*
            fn $blocking, $blocking_profiled($($arg: $type,)* comm: MPI_Comm) on comm, {
                let site = $crate::ffi::coll::Site::new(comm)?;
                // SAFETY: the caller's promises are the standard's.
                let call = unsafe { $make(&site, $($arg),*) }?;
                site.finish(&call)
            }

            $(#[$meta])*
            ///
            /// Begins, and gives a request.
            fn $started, $started_profiled($($arg: $type,)* comm: MPI_Comm, request: *mut MPI_Request) on comm, {
                let site = $crate::ffi::coll::Site::new(comm)?;
                // SAFETY: the caller's promises are the standard's.
                let call = unsafe { $make(&site, $($arg),*) }?;
                site.begin(&call, request)
            }

            $(#[$meta])*
            ///
            /// Makes a request that can be started again and again.
            fn $kept, $kept_profiled($($arg: $type,)* comm: MPI_Comm, _info: MPI_Info, request: *mut MPI_Request) on comm, {
                let site = $crate::ffi::coll::Site::new(comm)?;
                // SAFETY: the caller's promises are the standard's.
                let call = unsafe { $make(&site, $($arg),*) }?;
                site.keep(&call, request)
            }
        }
    };
}
pub(super) use forms;

/// Where a collective is called: its communicator, and the state to look handles up in.
pub(super) struct Site {
    state: Guard,
    comm: Arc<Comm>,
}

impl Site {
    pub(super) fn new(comm: MPI_Comm) -> Result<Site> {
        let state = state::enter();
        let comm = Arc::clone(&state.comm(comm)?.comm);
        Ok(Site { state, comm })
    }

    pub(super) fn comm(&self) -> &Comm {
        &self.comm
    }

    pub(super) fn rank(&self) -> usize {
        self.comm.rank
    }

    /// Ranks that data goes to and comes from.
    pub(super) fn peers(&self) -> usize {
        self.comm.peers().size()
    }

    pub(super) fn is_inter(&self) -> bool {
        self.comm.remote.is_some()
    }

    /// Runs a call to its end.
    pub(super) fn finish(self, call: &Call) -> Result<()> {
        let Site { state, comm } = self;
        drop(state);
        if comm.remote.is_none()
            && let Some(outcome) = coll::shared(&comm)?.and_then(|shared| shared.run(call))
        {
            return outcome;
        }
        Run::new(program(&comm, call), Arc::clone(&comm), comm.collectives.next()).finish()
    }

    /// Begins a call; its request.
    pub(super) fn begin(self, call: &Call, request: *mut MPI_Request) -> Result<()> {
        let run = Run::new(program(&self.comm, call), Arc::clone(&self.comm), self.comm.collectives.next());
        drop(self.state);
        set(request, p2p::start_activity(Box::new(run))?)
    }

    /// Makes a request that starts the call whenever it is told to.
    pub(super) fn keep(mut self, call: &Call, request: *mut MPI_Request) -> Result<()> {
        let recipe = Persistent::new(program(&self.comm, call), Arc::clone(&self.comm), self.comm.collectives.next());
        let kind = Kind::Persistent { recipe: Arc::new(recipe), active: None };
        set(request, self.state.requests.insert(Request::new(kind)))
    }

    /// The root that a call names.
    pub(super) fn root(&self, root: c_int) -> Result<Root> {
        match root {
            MPI_ROOT if self.is_inter() => Ok(Root::Here),
            MPI_PROC_NULL if self.is_inter() => Ok(Root::Elsewhere),
            _ => match usize::try_from(root) {
                Ok(rank) if rank < self.peers() => Ok(Root::Rank(rank)),
                _ => Err(Error::new(
                    MPI_ERR_ROOT,
                    format!("root {root}, where a rank below {} is expected", self.peers()),
                )),
            },
        }
    }

    /// Whether this process is the root.
    pub(super) fn is_root(&self, root: Root) -> bool {
        match root {
            Root::Here => true,
            Root::Elsewhere => false,
            Root::Rank(rank) => !self.is_inter() && rank == self.rank(),
        }
    }

    /// Whether this process gives or takes one block when the root takes or gives all.
    pub(super) fn is_leaf(&self, root: Root) -> bool {
        matches!(root, Root::Rank(_))
    }

    /// The error of a call that inter-communicators do not have.
    pub(super) fn intra_only(&self) -> Result<()> {
        match self.is_inter() {
            false => Ok(()),
            true => Err(Error::new(MPI_ERR_COMM, "an inter-communicator, for which this collective is not defined")),
        }
    }

    /// A type that may be used in communication.
    pub(super) fn datatype(&self, datatype: MPI_Datatype) -> Result<&Arc<Datatype>> {
        let datatype = self.state.datatype(datatype)?;
        match datatype.is_committed() {
            true => Ok(datatype),
            false => Err(Error::new(MPI_ERR_TYPE, "a datatype that was not committed: call MPI_Type_commit first")),
        }
    }

    /// An operation, whatever it is applied to.
    pub(super) fn any_op(&self, op: MPI_Op) -> Result<Arc<Op>> {
        self.state.op(op).cloned()
    }

    /// An operation that takes this type.
    pub(super) fn op(&self, op: MPI_Op, datatype: MPI_Datatype) -> Result<Arc<Op>> {
        let op = self.state.op(op)?;
        op::check(op, self.datatype(datatype)?)?;
        Ok(Arc::clone(op))
    }

    /// `count` elements at a user's address.
    pub(super) fn data(&self, address: *const c_void, count: impl Integer, datatype: MPI_Datatype) -> Result<Data> {
        let count = integer::count(count)?;
        let data = Data::new(memory::address(address), count, self.datatype(datatype)?);
        forbid_in_place(address)?;
        check_null(&data)?;
        Ok(data)
    }

    /// The same, or nothing for `MPI_IN_PLACE`.
    pub(super) fn data_or_in_place(
        &self,
        address: *const c_void,
        count: impl Integer,
        datatype: MPI_Datatype,
    ) -> Result<Option<Data>> {
        if is_in_place(address) {
            return if self.is_inter() { forbid_in_place(address).map(|()| None) } else { Ok(None) };
        }
        self.data(address, count, datatype).map(Some)
    }

    /// Equal parts, one for each peer.
    pub(super) fn blocks(&self, address: *const c_void, count: impl Integer, datatype: MPI_Datatype) -> Result<Parts> {
        Ok(Parts::equal(self.data(address, count, datatype)?))
    }

    /// Parts of one type, each with its count and its displacement in extents of the type.
    ///
    /// # Safety
    /// The arrays must have `number` entries, unless they are null.
    pub(super) unsafe fn parts<C: Integer, D: Integer>(
        &self,
        number: usize,
        address: *const c_void,
        counts: *const C,
        displacements: *const D,
        datatype: MPI_Datatype,
    ) -> Result<Parts> {
        forbid_in_place(address)?;
        let datatype = self.datatype(datatype)?;
        // SAFETY: the caller's promise.
        let (counts, displacements) = unsafe { (array(counts, number)?, array(displacements, number)?) };
        let part = |(count, displacement): (&C, &D)| {
            let count = integer::count(*count)?;
            let first = memory::address(address);
            let offset = (displacement.value() as isize).wrapping_mul(datatype.extent());
            let data = Data::new(first.wrapping_add_signed(offset), count, datatype);
            if first == 0 {
                check_null(&data.moved(0))?;
            }
            Ok(data)
        };
        Ok(Parts::Each(counts.iter().zip(displacements).map(part).collect::<Result<_>>()?))
    }

    /// Parts that each have a count, a displacement in bytes and a type.
    ///
    /// # Safety
    /// The arrays must have `number` entries, unless they are null.
    pub(super) unsafe fn typed_parts<C: Integer, D: Integer>(
        &self,
        number: usize,
        address: *const c_void,
        counts: *const C,
        displacements: *const D,
        datatypes: *const MPI_Datatype,
    ) -> Result<Parts> {
        forbid_in_place(address)?;
        // SAFETY: the caller's promise.
        let (counts, displacements) = unsafe { (array(counts, number)?, array(displacements, number)?) };
        // SAFETY: as above.
        let datatypes = unsafe { array(datatypes, number)? };
        let part = |index: usize| {
            let count = integer::count(counts[index])?;
            let place = at(memory::address(address), 1, displacements[index].value() as isize);
            Ok(Data::new(place, count, self.datatype(datatypes[index])?))
        };
        Ok(Parts::Each((0..number).map(part).collect::<Result<_>>()?))
    }
}

/// What this process does for a call.
fn program(comm: &Comm, call: &Call) -> Arc<Program> {
    let remote = comm.remote.as_ref().map(|group| group.size());
    let schedule = call.schedule(Place { rank: comm.rank, size: comm.group.size(), remote });
    // SAFETY: the addresses are the caller's buffers, which the standard leaves to the library until the operation is complete.
    Arc::new(unsafe { Program::new(schedule) })
}

/// True for `MPI_IN_PLACE`.
pub(super) fn is_in_place(address: *const c_void) -> bool {
    address.addr() == IN_PLACE
}

/// The error of `MPI_IN_PLACE` where a buffer has to be.
pub(super) fn forbid_in_place(address: *const c_void) -> Result<()> {
    match is_in_place(address) {
        false => Ok(()),
        true => Err(Error::new(MPI_ERR_BUFFER, "MPI_IN_PLACE, where this collective needs a buffer")),
    }
}

/// The error of two buffers that must differ, and do not. From `MPI_BOTTOM` on, the types say where the buffers are.
pub(super) fn forbid_alias(out: &Data, into: &Data) -> Result<()> {
    match out.address != 0 && out.address == into.address && out.bytes() > 0 && into.bytes() > 0 {
        false => Ok(()),
        true => Err(Error::new(MPI_ERR_BUFFER, "the send buffer is the receive buffer: use MPI_IN_PLACE instead")),
    }
}

/// The error of a rank's own block that does not fit where it goes.
pub(super) fn check_fits(out: &Data, into: &Data) -> Result<()> {
    match out.bytes() <= into.bytes() {
        true => Ok(()),
        false => Err(Error::new(
            MPI_ERR_TRUNCATE,
            format!("{} bytes are sent, where {} are received", out.bytes(), into.bytes()),
        )),
    }
}

fn check_null(data: &Data) -> Result<()> {
    let at_address = data.datatype.as_ref().is_none_or(|datatype| datatype.is_predefined());
    match data.address == 0 && data.bytes() > 0 && at_address {
        false => Ok(()),
        true => Err(Error::new(MPI_ERR_BUFFER, format!("a null pointer, where {} bytes are expected", data.bytes()))),
    }
}

/// An array argument.
///
/// # Safety
/// It must have `number` entries, unless it is null.
pub(super) unsafe fn array<'a, T>(first: *const T, number: usize) -> Result<&'a [T]> {
    match number {
        0 => Ok(&[]),
        _ if first.is_null() => Err(Error::new(MPI_ERR_ARG, "a null pointer, where an array is expected")),
        // SAFETY: the caller's promise.
        _ => Ok(unsafe { std::slice::from_raw_parts(first, number) }),
    }
}
