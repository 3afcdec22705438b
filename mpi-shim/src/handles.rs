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
    /// There is an object with a handle here. What lies in a place that is not used was left for the next.
    used: bool,
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
            self.predefined.get(handle.wrapping_sub(self.base))
        } else {
            self.slots.get(place(handle)).filter(|slot| slot.is_named(self.kind.number, handle)).map(|slot| &slot.value)
        };
        found.and_then(Option::as_ref).ok_or_else(|| self.bad(handle))
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, handle: impl Into<usize>) -> Result<&mut T> {
        let handle = handle.into();
        let bad = || Kind::bad(self.kind, handle);
        if handle < FIRST {
            self.predefined.get_mut(handle.wrapping_sub(self.base)).and_then(Option::as_mut).ok_or_else(bad)
        } else {
            let number = self.kind.number;
            let slot = self.slots.get_mut(place(handle)).filter(|slot| slot.is_named(number, handle));
            slot.and_then(|slot| slot.value.as_mut()).ok_or_else(bad)
        }
    }

    /// Puts an object in; its handle.
    #[inline(always)]
    pub fn insert<H: From<usize>>(&mut self, value: T) -> H {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, used: false, value: None });
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        slot.used = true;
        H::from(self.handle(index, self.slots[index as usize].generation))
    }

    /// A free place with the object that [`Table::leave`] left there, to be made a new one: its handle, and the object. None if the next free
    /// place is empty. An object that is made over in its place need not be written elsewhere and copied there.
    #[inline(always)]
    pub fn reuse<H: From<usize>>(&mut self) -> Option<(H, &mut T)> {
        let index = *self.free.last()?;
        let handle = self.handle(index, self.slots[index as usize].generation);
        let slot = &mut self.slots[index as usize];
        let left = slot.value.as_mut()?;
        slot.used = true;
        self.free.pop();
        Some((H::from(handle), left))
    }

    /// Makes a handle bad. The object stays in its place for [`Table::reuse`], if `strip` has made it fit for that; else it is dropped.
    /// Predefined ones stay.
    #[inline(always)]
    pub fn leave(&mut self, handle: impl Into<usize>, strip: impl FnOnce(&mut T) -> bool) -> Result<()> {
        let index = self.retire(handle.into())?;
        let value = &mut self.slots[index].value;
        if !value.as_mut().is_some_and(strip) {
            *value = None;
        }
        Ok(())
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
        let (index, number) = (place(handle), self.kind.number);
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.is_named(number, handle)) else {
            return Err(self.not_to_be_freed(handle));
        };
        slot.generation = (slot.generation + 1) & GENERATIONS;
        slot.used = false;
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
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.used);
        used.filter_map(|(index, slot)| Some((self.handle(index as u32, slot.generation), slot.value.as_ref()?)))
    }

    fn handle(&self, index: u32, generation: u32) -> usize {
        usize::from(self.kind.number) << 56 | (generation as usize) << 32 | (index as usize + FIRST)
    }

    #[cold]
    fn bad(&self, handle: usize) -> Error {
        self.kind.bad(handle)
    }
}

impl<T> Slot<T> {
    /// True if a handle of this kind is the object's here.
    #[inline]
    fn is_named(&self, kind: u8, handle: usize) -> bool {
        handle >> 32 == usize::from(kind) << 24 | self.generation as usize && self.used
    }
}

/// The place among the slots that a handle names; for that of a predefined object one where there is no slot.
#[inline]
fn place(handle: usize) -> usize {
    (handle & 0xffff_ffff).wrapping_sub(FIRST)
}

impl Kind {
    #[cold]
    fn bad(self, handle: usize) -> Error {
        let what = if handle < FIRST { "a null or unknown" } else { "a freed or foreign" };
        Error::new(self.class, format!("{what} handle {handle:#x} where a {} is expected", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<String> {
        Table::new(Kind { number: 5, class: 1, name: "text" }, 0x180, vec![])
    }

    fn left(table: &mut Table<String>, text: &str) -> usize {
        let handle: usize = table.insert(text.into());
        table.leave(handle, |_| true).unwrap();
        handle
    }

    #[test]
    fn an_object_that_was_left_is_out_of_reach() {
        let mut table = table();
        let old = left(&mut table, "old");
        assert!(table.get(old).is_err() && table.get_mut(old).is_err() && table.leave(old, |_| true).is_err());
        let next = table.handle(0, 1);
        assert!(table.get(next).is_err(), "nobody was given the handle that comes next");
        assert_eq!(table.iter().count(), 0);
    }

    #[test]
    fn a_place_is_reused_with_what_was_left_there() {
        let mut table = table();
        let old = left(&mut table, "old");
        let (new, text) = table.reuse::<usize>().unwrap();
        text.push_str(" and new");
        assert_eq!(table.get(new).unwrap(), "old and new");
        assert!(new != old && table.get(old).is_err());
        assert!(table.reuse::<usize>().is_none(), "the only place is in use");
    }

    #[test]
    fn nothing_is_left_of_what_cannot_be_stripped() {
        let mut table = table();
        let handle: usize = table.insert("old".into());
        table.leave(handle, |_| false).unwrap();
        assert!(table.reuse::<usize>().is_none());
        let other: usize = table.insert("new".into());
        assert_eq!((table.get(other).unwrap().as_str(), table.slots.len()), ("new", 1));
    }
}
