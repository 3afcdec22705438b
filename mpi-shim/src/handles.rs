//! Handles: what stands behind the pointers that C holds.
//!
//! ```text
//! bits 63..56  55..32        31..0
//!      kind    generation    index + 0x1000
//! ```
//! A handle of another kind, of an object that was freed, or made up, is found out and never followed.
use crate::error::{Error, Result};
use std::ffi::c_int;

const FIRST: usize = 0x1000;
const GENERATIONS: u32 = (1 << 24) - 1;

/// The objects of one kind, by their handles.
#[derive(Debug)]
pub struct Table<T> {
    kind: Kind,
    base: usize,
    predefined: Vec<Option<T>>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// What a table holds, and how a bad handle of it is reported.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Told apart from other kinds by this number, 1 to 127.
    pub number: u8,
    /// The error class of a bad handle.
    pub class: c_int,
    /// "communicator"
    pub name: &'static str,
}

impl<T> Table<T> {
    /// An empty table. `predefined` are the objects with the values from `base` on.
    pub fn new(kind: Kind, base: usize, predefined: Vec<Option<T>>) -> Table<T> {
        Table { kind, base, predefined, slots: Vec::new(), free: Vec::new() }
    }

    /// The object of a handle.
    #[inline]
    pub fn get(&self, handle: impl Into<usize>) -> Result<&T> {
        let handle = handle.into();
        let found = if handle < FIRST {
            self.predefined.get(handle.wrapping_sub(self.base)).and_then(Option::as_ref)
        } else {
            self.slot(handle).and_then(|index| self.slots[index].value.as_ref())
        };
        found.ok_or_else(|| self.bad(handle))
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, handle: impl Into<usize>) -> Result<&mut T> {
        let handle = handle.into();
        let bad = || Kind::bad(self.kind, handle);
        if handle < FIRST {
            self.predefined.get_mut(handle.wrapping_sub(self.base)).and_then(Option::as_mut).ok_or_else(bad)
        } else {
            let index = self.slot(handle).ok_or_else(bad)?;
            self.slots[index].value.as_mut().ok_or_else(bad)
        }
    }

    /// Puts an object in; its handle.
    #[inline(always)]
    pub fn insert<H: From<usize>>(&mut self, value: T) -> H {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        H::from(self.handle(index, self.slots[index as usize].generation))
    }

    /// Takes an object out: its handle is bad from now on. Predefined ones stay.
    pub fn remove(&mut self, handle: impl Into<usize>) -> Result<T> {
        let handle = handle.into();
        let index = self.retire(handle)?;
        let value = self.slots[index].value.take();
        value.ok_or_else(|| self.bad(handle))
    }

    /// Drops an object where it is: its handle is bad from now on. Predefined ones stay.
    #[inline(always)]
    pub fn discard(&mut self, handle: impl Into<usize>) -> Result<()> {
        let index = self.retire(handle.into())?;
        self.slots[index].value = None;
        Ok(())
    }

    /// Makes a handle bad, and its place free; the object there is the caller's to take.
    #[inline]
    fn retire(&mut self, handle: usize) -> Result<usize> {
        let index = self.slot(handle).ok_or_else(|| self.not_to_be_freed(handle))?;
        let slot = &mut self.slots[index];
        slot.generation = (slot.generation + 1) & GENERATIONS;
        self.free.push(index as u32);
        Ok(index)
    }

    #[cold]
    fn not_to_be_freed(&self, handle: usize) -> Error {
        if handle < FIRST && self.get(handle).is_ok() {
            return Error::new(self.kind.class, format!("a predefined {} cannot be freed", self.kind.name));
        }
        self.bad(handle)
    }

    /// A predefined object's place, to fill it when the library starts.
    pub fn set_predefined(&mut self, handle: impl Into<usize>, value: Option<T>) {
        let place = handle.into() - self.base;
        if self.predefined.len() <= place {
            self.predefined.resize_with(place + 1, || None);
        }
        self.predefined[place] = value;
    }

    /// The short number of a handle, as `MPI_Comm_toint` and its like give it.
    pub fn to_int(handle: impl Into<usize>) -> c_int {
        (handle.into() & 0xffff_ffff) as c_int
    }

    /// The handle of a short number; itself where there is no object with it.
    pub fn from_int<H: From<usize>>(&self, number: c_int) -> H {
        let number = number as u32 as usize;
        let slot = number.checked_sub(FIRST).and_then(|index| self.slots.get(index));
        H::from(slot.map_or(number, |slot| self.handle((number - FIRST) as u32, slot.generation)))
    }

    /// All objects that are not predefined, by handle.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let used = self.slots.iter().enumerate();
        used.filter_map(|(index, slot)| Some((self.handle(index as u32, slot.generation), slot.value.as_ref()?)))
    }

    fn handle(&self, index: u32, generation: u32) -> usize {
        usize::from(self.kind.number) << 56 | (generation as usize) << 32 | (index as usize + FIRST)
    }

    #[inline]
    fn slot(&self, handle: usize) -> Option<usize> {
        let index = (handle & 0xffff_ffff).wrapping_sub(FIRST);
        let slot = self.slots.get(index)?;
        (handle >> 32 == usize::from(self.kind.number) << 24 | slot.generation as usize).then_some(index)
    }

    #[cold]
    fn bad(&self, handle: usize) -> Error {
        self.kind.bad(handle)
    }
}

impl Kind {
    #[cold]
    fn bad(self, handle: usize) -> Error {
        let what = if handle < FIRST { "a null or unknown" } else { "a freed or foreign" };
        Error::new(self.class, format!("{what} handle {handle:#x} where a {} is expected", self.name))
    }
}
