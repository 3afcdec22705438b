//! Datatypes: how the elements of a message lie in memory.
//!
//! A [`Datatype`] is what a handle stands for. What never changes of it is its core, which copies of the type and types made
//! of it share: a type map (`bounds`, `layout`, `signature`) and what it was made from (`contents`). Constructors work on type maps alone;
//! `memory` walks a layout to move bytes, and is the only part that touches a user's buffer.

mod array;
mod basic;
mod bounds;
mod construct;
mod contents;
mod extended;
mod external32;
mod layout;
mod memory;
mod predefined;
mod signature;
mod sized;
mod typemap;

pub use array::{Darray, Distribution, Subarray};
pub use basic::{Basic, Float, Width};
pub use contents::{Contents, Form};
pub use predefined::{Family, Shape};
pub use sized::{F90, match_size, named_pair};

use crate::abi::{MPI_DATATYPE_NULL, MPI_Datatype};
use crate::error::Result;
use layout::Layout;
use predefined::PREDEFINED;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use typemap::TypeMap;

/// A datatype, as a handle names it.
#[derive(Debug)]
pub struct Datatype {
    size: usize,
    extent: isize,
    run: Contiguity,
    core: Arc<Core>,
    committed: AtomicBool,
    handle: AtomicUsize,
    name: Mutex<Cow<'static, CStr>>,
}

/// What never changes of a datatype.
#[derive(Debug)]
struct Core {
    map: TypeMap,
    extent: isize,
    contents: Contents,
    role: Option<Role>,
    /// The handle that stands for it for ever: of named types, and of the unnamed predefined ones once they were asked for.
    permanent: OnceLock<MPI_Datatype>,
}

/// What a predefined operation sees in a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// By which the standard says whether an operation takes it.
    pub family: Family,
    /// What it is made of.
    pub shape: Shape,
}

/// How many elements of a type are one run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contiguity {
    /// Any number, from this offset on.
    Any(isize),
    /// One, at this offset.
    One(isize),
    /// Not even one.
    Never,
}

impl Core {
    fn new(map: TypeMap, contents: Contents, role: Option<Role>) -> Result<Arc<Self>> {
        let extent = map.checked_extent()?;
        Ok(Arc::new(Self { map, extent, contents, role, permanent: OnceLock::new() }))
    }
}

impl Datatype {
    fn of_core(core: Arc<Core>) -> Self {
        let run = match core.map.layout {
            Layout::Empty => Contiguity::Any(0),
            Layout::Run { offset, len } if core.extent == len as isize => Contiguity::Any(offset),
            Layout::Run { offset, .. } => Contiguity::One(offset),
            _ => Contiguity::Never,
        };
        Self {
            size: core.map.size(),
            extent: core.extent,
            run,
            committed: AtomicBool::new(core.permanent.get().is_some()),
            handle: AtomicUsize::new(core.permanent.get().copied().unwrap_or(MPI_DATATYPE_NULL).0),
            name: Mutex::new(Cow::Borrowed(c"")),
            core,
        }
    }

    fn derived(map: TypeMap, contents: Contents) -> Result<Self> {
        Ok(Self::of_core(Core::new(map, contents, None)?))
    }

    /// Bytes of data in one element.
    #[inline]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes from one element's beginning to the next one's.
    #[inline]
    pub fn extent(&self) -> isize {
        self.extent
    }

    /// The lower bound: where an element begins, in bytes from its address.
    pub fn lower_bound(&self) -> isize {
        self.core.map.bounds.lower()
    }

    /// Where the data begins, markers left aside.
    pub fn true_lower_bound(&self) -> isize {
        self.core.map.bounds.data().low
    }

    /// Bytes from the first to the last byte of data.
    pub fn true_extent(&self) -> isize {
        let data = self.core.map.bounds.data();
        data.high - data.low
    }

    /// Where `count` elements are one run of bytes: its offset from the buffer's address, and its length.
    #[inline]
    pub fn contiguous_run(&self, count: usize) -> Option<(isize, usize)> {
        match self.run {
            Contiguity::Any(offset) => Some((offset, self.size * count)),
            Contiguity::One(offset) if count <= 1 => Some((offset, self.size * count)),
            _ => None,
        }
    }

    /// The memory that `count` elements take in a buffer: the offset of its first byte from the buffer's address, and its length.
    pub fn footprint(&self, count: usize) -> (isize, usize) {
        if count == 0 || self.size == 0 {
            return (0, 0);
        }
        let span = self.extent.wrapping_mul((count - 1) as isize);
        (self.true_lower_bound() + span.min(0), (self.true_extent() + span.abs()) as usize)
    }

    /// True once the type may be used in communication.
    #[inline]
    pub fn is_committed(&self) -> bool {
        self.committed.load(Ordering::Relaxed)
    }

    /// Allows its use in communication.
    pub fn commit(&self) {
        self.committed.store(true, Ordering::Relaxed);
    }

    /// True for types that cannot be freed: named ones, and those that `MPI_Type_create_f90_real` and its like give.
    pub fn is_predefined(&self) -> bool {
        self.core.permanent.get().is_some()
    }

    /// What a predefined operation sees in it; nothing in a derived type.
    pub fn role(&self) -> Option<Role> {
        self.core.role
    }

    /// What it was made from.
    pub fn contents(&self) -> &Contents {
        &self.core.contents
    }

    /// The types that it was made from, each with its handle if it is predefined, and else to be given a new one.
    pub fn constituents(&self) -> impl Iterator<Item = (Option<MPI_Datatype>, Self)> {
        self.core.contents.datatypes.iter().map(|core| (core.permanent.get().copied(), Self::of_core(core.clone())))
    }

    /// The name that was given to it.
    pub fn name(&self) -> CString {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone().into_owned()
    }

    /// Gives it a name.
    pub fn set_name(&self, name: CString) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Cow::Owned(name);
    }

    /// The handle that stands for it, which a user's operation is called with.
    pub fn handle(&self) -> MPI_Datatype {
        MPI_Datatype(self.handle.load(Ordering::Relaxed))
    }

    /// Notes its handle.
    pub fn set_handle(&self, handle: MPI_Datatype) {
        self.handle.store(handle.0, Ordering::Relaxed);
    }

    /// Another object of the same type, for another handle.
    pub fn twin(&self) -> Self {
        Self::of_core(self.core.clone())
    }

    /// True if both are the same type, made by the same call.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    /// Makes it a predefined type without a name, with this handle for ever.
    pub fn make_permanent(&self, handle: MPI_Datatype) {
        self.core.permanent.get_or_init(|| handle);
        self.set_handle(handle);
        self.commit();
    }

    /// Basic elements in one element.
    pub fn elements(&self) -> usize {
        self.core.map.signature.totals().elements
    }

    /// The complete basic elements in the first `bytes` bytes of a message, and the bytes left over.
    pub fn elements_in(&self, bytes: usize) -> (usize, usize) {
        if self.size == 0 {
            return (0, bytes);
        }
        let (elements, left) = self.core.map.signature.elements_in(bytes % self.size);
        (bytes / self.size * self.elements() + elements, left)
    }

    /// Bytes of a message with so many basic elements; nothing where that overflows.
    pub fn bytes_of_elements(&self, elements: usize) -> Option<usize> {
        let each = self.elements();
        if each == 0 {
            return Some(0);
        }
        let whole = (elements / each).checked_mul(self.size)?;
        whole.checked_add(self.core.map.signature.bytes_of(elements % each))
    }

    fn layout(&self) -> &Layout {
        &self.core.map.layout
    }
}

/// The predefined datatypes, from `MPI_DATATYPE_NULL` on.
pub fn predefined() -> Vec<Option<Arc<Datatype>>> {
    let mut all = Vec::new();
    for row in &PREDEFINED {
        let role = Role { family: row.family, shape: row.shape };
        let map = TypeMap::of_shape(row.shape);
        let core = map.and_then(|map| Core::new(map, Contents::NAMED, Some(role)));
        let core = core.expect("a predefined type is small");
        core.permanent.get_or_init(|| MPI_Datatype(row.handle));
        let datatype = Datatype { name: Mutex::new(Cow::Borrowed(row.name)), ..Datatype::of_core(core) };
        all.resize_with(row.handle - MPI_DATATYPE_NULL.0 + 1, || None);
        *all.last_mut().expect("just grown") = Some(Arc::new(datatype));
    }
    all
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
