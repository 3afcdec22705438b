//! Attributes: values that programs hang on communicators and datatypes under keys of their own (MPI 5.0, section 7.7).
//!
//! A key comes with functions of the program, which are called when an object is duplicated or freed, and may call MPI:
//! nothing here holds the state while one runs.
use crate::abi::{MPI_COMM_SELF, MPI_Comm, MPI_Datatype, MPI_ERR_KEYVAL, MPI_SUCCESS};
use crate::error::{Error, Result};
use crate::state::{self, State};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;

/// What can have attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A communicator.
    Comm(MPI_Comm),
    /// A datatype.
    Type(MPI_Datatype),
}

/// The kind of object that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Communicators.
    Comm,
    /// Datatypes.
    Type,
    /// Windows.
    Win,
}

/// What becomes of an attribute when its object is duplicated.
pub enum Copy {
    /// The duplicate has none.
    None,
    /// The duplicate has the same value.
    Same,
    /// A function is asked: of the object's handle, the key and the value it makes the code of its failure, or the
    /// duplicate's value if there is to be one.
    Ask(Ask),
}

/// What is called when an object with an attribute is duplicated.
pub type Ask = Box<dyn Fn(usize, c_int, usize) -> Result<Option<usize>, c_int> + Send + Sync>;

/// What is called when an attribute is deleted: with the object's handle, the key and the value. It returns a code.
pub type Delete = Box<dyn Fn(usize, c_int, usize) -> c_int + Send + Sync>;

/// A key.
pub struct Keyval {
    kind: Kind,
    number: c_int,
    copy: Copy,
    delete: Option<Delete>,
}

/// All keys and attributes of a process.
#[derive(Default)]
pub struct Attributes {
    keyvals: BTreeMap<c_int, Arc<Keyval>>,
    made: c_int,
    /// By object, in the order in which they were set.
    values: BTreeMap<Object, Vec<Attribute>>,
}

#[derive(Clone)]
struct Attribute {
    keyval: Arc<Keyval>,
    value: usize,
}

/// Program's keys are above those of the standard.
const FIRST_KEYVAL: c_int = 0x1000;

impl Object {
    fn kind(self) -> Kind {
        match self {
            Object::Comm(_) => Kind::Comm,
            Object::Type(_) => Kind::Type,
        }
    }

    fn handle(self) -> usize {
        match self {
            Object::Comm(comm) => comm.into(),
            Object::Type(datatype) => datatype.into(),
        }
    }

    fn check(self, state: &State) -> Result<()> {
        match self {
            Object::Comm(comm) => state.comm(comm).map(|_| ()),
            Object::Type(datatype) => state.datatype(datatype).map(|_| ()),
        }
    }
}

impl Attributes {
    fn keyval(&self, kind: Kind, number: c_int) -> Result<&Arc<Keyval>> {
        let bad = || Error::new(MPI_ERR_KEYVAL, format!("{number} is no key for attributes of this kind of object"));
        self.keyvals.get(&number).filter(|keyval| keyval.kind == kind).ok_or_else(bad)
    }

    fn find(&self, object: Object, number: c_int) -> Option<&Attribute> {
        self.values.get(&object)?.iter().find(|attribute| attribute.keyval.number == number)
    }

    fn put(&mut self, object: Object, attribute: Attribute) {
        let all = self.values.entry(object).or_default();
        match all.iter_mut().find(|old| old.keyval.number == attribute.keyval.number) {
            Some(old) => *old = attribute,
            None => all.push(attribute),
        }
    }

    fn remove(&mut self, object: Object, number: c_int) {
        if let Some(all) = self.values.get_mut(&object) {
            all.retain(|attribute| attribute.keyval.number != number);
            if all.is_empty() {
                self.values.remove(&object);
            }
        }
    }
}

/// Makes a key.
pub fn create_keyval(kind: Kind, copy: Copy, delete: Option<Delete>) -> c_int {
    let attributes = &mut state::enter().attributes;
    let number = FIRST_KEYVAL + attributes.made;
    attributes.made += 1;
    attributes.keyvals.insert(number, Arc::new(Keyval { kind, number, copy, delete }));
    number
}

/// Forgets a key. Attributes under it live on until they are deleted with their objects.
pub fn free_keyval(kind: Kind, number: c_int) -> Result<()> {
    let attributes = &mut state::enter().attributes;
    attributes.keyval(kind, number)?;
    attributes.keyvals.remove(&number);
    Ok(())
}

/// Sets an attribute, in place of an old one, which is deleted first.
pub fn set(object: Object, number: c_int, value: usize) -> Result<()> {
    let (keyval, old) = {
        let state = state::enter();
        object.check(&state)?;
        let keyval = state.attributes.keyval(object.kind(), number)?.clone();
        (keyval, state.attributes.find(object, number).cloned())
    };
    if let Some(old) = old {
        deleted(object, &old)?;
    }
    state::enter().attributes.put(object, Attribute { keyval, value });
    Ok(())
}

/// An attribute's value.
pub fn get(object: Object, number: c_int) -> Result<Option<usize>> {
    let state = state::enter();
    object.check(&state)?;
    state.attributes.keyval(object.kind(), number)?;
    Ok(state.attributes.find(object, number).map(|attribute| attribute.value))
}

/// Deletes an attribute.
pub fn delete(object: Object, number: c_int) -> Result<()> {
    let found = {
        let state = state::enter();
        object.check(&state)?;
        state.attributes.keyval(object.kind(), number)?;
        state.attributes.find(object, number).cloned()
    };
    let missing = || Error::new(MPI_ERR_KEYVAL, format!("there is no attribute under the key {number}"));
    deleted(object, &found.ok_or_else(missing)?)?;
    state::enter().attributes.remove(object, number);
    Ok(())
}

/// Gives a duplicate the attributes that their keys' functions want it to have.
pub fn copy_all(old: Object, new: Object) -> Result<()> {
    let all = state::enter().attributes.values.get(&old).cloned().unwrap_or_default();
    for Attribute { keyval, value } in all {
        let copied = match &keyval.copy {
            Copy::None => None,
            Copy::Same => Some(value),
            Copy::Ask(copy) => copy(old.handle(), keyval.number, value)
                .map_err(|code| Error::new(code, format!("the copy function of the key {} failed", keyval.number)))?,
        };
        if let Some(value) = copied {
            state::enter().attributes.put(new, Attribute { keyval, value });
        }
    }
    Ok(())
}

/// Deletes all attributes of an object, the last one first. Where a function fails, the rest stays.
pub fn delete_all(object: Object) -> Result<()> {
    loop {
        let last = state::enter().attributes.values.get(&object).and_then(|all| all.last()).cloned();
        let Some(last) = last else { return Ok(()) };
        deleted(object, &last)?;
        state::enter().attributes.remove(object, last.keyval.number);
    }
}

/// The end of `MPI_COMM_SELF`: its attributes are deleted before anything else of MPI ends.
pub fn at_finalize() -> Result<()> {
    delete_all(Object::Comm(MPI_COMM_SELF))
}

fn deleted(object: Object, attribute: &Attribute) -> Result<()> {
    let number = attribute.keyval.number;
    let code = match &attribute.keyval.delete {
        Some(delete) => delete(object.handle(), number, attribute.value),
        None => MPI_SUCCESS,
    };
    if code == MPI_SUCCESS {
        return Ok(());
    }
    Err(Error::new(code, format!("the delete function of the key {number} failed")))
}
