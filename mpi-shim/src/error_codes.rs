//! Error classes, and the codes that programs add to them (MPI 5.0, section 9.4 and 9.5).
use crate::abi::{self, MPI_ERR_ARG, MPI_ERR_LASTCODE};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};

/// The classes and codes that the program added.
#[derive(Debug, Default)]
pub struct ErrorCodes {
    added: BTreeMap<c_int, Added>,
    last: Option<c_int>,
}

#[derive(Debug, Default)]
struct Added {
    /// The class of a code; none for a class.
    class: Option<c_int>,
    text: CString,
}

impl ErrorCodes {
    /// The highest class or code that was ever given out.
    pub fn last_used(&self) -> c_int {
        self.last.unwrap_or(MPI_ERR_LASTCODE)
    }

    /// Adds a class.
    pub fn add_class(&mut self) -> c_int {
        self.add(None)
    }

    /// Adds a code to a class.
    pub fn add_code(&mut self, class: c_int) -> Result<c_int> {
        if self.class_of(class)? != class {
            return Err(Error::new(MPI_ERR_ARG, format!("{class} is a code, where an error class is expected")));
        }
        Ok(self.add(Some(class)))
    }

    /// Gives a class or code of the program its text; an empty one takes it away.
    pub fn set_text(&mut self, code: c_int, text: &CStr) -> Result<()> {
        self.added(code)?.text = text.to_owned();
        Ok(())
    }

    /// Removes a class that has no codes and no text.
    pub fn remove_class(&mut self, class: c_int) -> Result<()> {
        let used = self.added.values().any(|added| added.class == Some(class));
        self.remove(class, "class", |added| added.class.is_none(), used)
    }

    /// Removes a code that has no text.
    pub fn remove_code(&mut self, code: c_int) -> Result<()> {
        self.remove(code, "code", |added| added.class.is_some(), false)
    }

    /// Takes the text of a class or code of the program away.
    pub fn remove_text(&mut self, code: c_int) -> Result<()> {
        self.set_text(code, c"")
    }

    /// The class of a code; a class is its own.
    pub fn class_of(&self, code: c_int) -> Result<c_int> {
        if name_of_class(code).is_some() {
            return Ok(code);
        }
        let added = self.added.get(&code).ok_or_else(|| unknown(code))?;
        Ok(added.class.unwrap_or(code))
    }

    /// What a code means.
    pub fn text_of(&self, code: c_int) -> Result<CString> {
        if let Some(text) = text_of_class(code) {
            return Ok(CString::new(text).unwrap_or_default());
        }
        self.added.get(&code).map(|added| added.text.clone()).ok_or_else(|| unknown(code))
    }

    fn add(&mut self, class: Option<c_int>) -> c_int {
        let code = self.last_used() + 1;
        self.last = Some(code);
        self.added.insert(code, Added { class, text: CString::default() });
        code
    }

    fn added(&mut self, code: c_int) -> Result<&mut Added> {
        self.added.get_mut(&code).ok_or_else(|| unknown(code))
    }

    fn remove(&mut self, code: c_int, what: &str, right: impl Fn(&Added) -> bool, used: bool) -> Result<()> {
        let found = self.added.get(&code).filter(|added| right(added));
        let found = found.ok_or_else(|| Error::new(MPI_ERR_ARG, format!("{code} is no {what} that was added")))?;
        if used || !found.text.is_empty() {
            let text = format!("the {what} {code} has codes or a text, which must be removed first");
            return Err(Error::new(MPI_ERR_ARG, text));
        }
        self.added.remove(&code);
        Ok(())
    }
}

fn unknown(code: c_int) -> Error {
    Error::new(MPI_ERR_ARG, format!("{code} is no error class or code"))
}

macro_rules! classes {
    ($($name:ident: $text:literal),* $(,)?) => {
        /// The standard's name of one of its classes: "MPI_ERR_RANK".
        pub fn name_of_class(class: c_int) -> Option<&'static str> {
            match class {
                $(abi::$name => Some(stringify!($name)),)*
                _ => None,
            }
        }

        /// What one of the standard's classes means.
        pub fn text_of_class(class: c_int) -> Option<&'static str> {
            match class {
                $(abi::$name => Some(concat!(stringify!($name), ": ", $text)),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const CLASSES: &[c_int] = &[$(abi::$name),*];
    };
}

classes! {
    MPI_SUCCESS: "no error",
    MPI_ERR_BUFFER: "a buffer's address is not valid",
    MPI_ERR_COUNT: "a count is not valid",
    MPI_ERR_TYPE: "a datatype is not valid here",
    MPI_ERR_TAG: "a tag is not valid",
    MPI_ERR_COMM: "a communicator is not valid here",
    MPI_ERR_RANK: "a rank is not valid",
    MPI_ERR_REQUEST: "a request is not valid",
    MPI_ERR_ROOT: "a root is not valid",
    MPI_ERR_GROUP: "a group is not valid here",
    MPI_ERR_OP: "an operation is not valid here",
    MPI_ERR_TOPOLOGY: "a topology is not valid here",
    MPI_ERR_DIMS: "the dimensions of a grid are not valid",
    MPI_ERR_ARG: "an argument is not valid",
    MPI_ERR_UNKNOWN: "an error of an unknown kind",
    MPI_ERR_TRUNCATE: "a message is longer than the buffer it is received in",
    MPI_ERR_OTHER: "another error",
    MPI_ERR_INTERN: "an error inside the library",
    MPI_ERR_PENDING: "the operation is still under way",
    MPI_ERR_IN_STATUS: "the error codes are in the statuses",
    MPI_ERR_ACCESS: "permission was denied",
    MPI_ERR_AMODE: "the access mode of a file is not valid",
    MPI_ERR_ASSERT: "an assertion argument is not valid",
    MPI_ERR_BAD_FILE: "a file name is not valid",
    MPI_ERR_BASE: "the base of a window is not valid",
    MPI_ERR_CONVERSION: "a function that converts data failed",
    MPI_ERR_DISP: "a displacement is not valid",
    MPI_ERR_DUP_DATAREP: "a data representation with this name exists",
    MPI_ERR_FILE_EXISTS: "the file exists",
    MPI_ERR_FILE_IN_USE: "the file is open in some process",
    MPI_ERR_FILE: "a file handle is not valid",
    MPI_ERR_INFO_KEY: "an info key is not valid",
    MPI_ERR_INFO_NOKEY: "an info object does not have the key",
    MPI_ERR_INFO_VALUE: "an info value is not valid",
    MPI_ERR_INFO: "an info object is not valid",
    MPI_ERR_IO: "input or output failed",
    MPI_ERR_KEYVAL: "an attribute key is not valid",
    MPI_ERR_LOCKTYPE: "a lock type is not valid",
    MPI_ERR_NAME: "a service name is not published",
    MPI_ERR_NO_MEM: "memory is exhausted",
    MPI_ERR_NOT_SAME: "an argument differs between processes where it must not",
    MPI_ERR_NO_SPACE: "there is no space left",
    MPI_ERR_NO_SUCH_FILE: "the file does not exist",
    MPI_ERR_PORT: "a port name is not valid",
    MPI_ERR_QUOTA: "a quota is exceeded",
    MPI_ERR_READ_ONLY: "the file or file system is read-only",
    MPI_ERR_RMA_ATTACH: "memory cannot be attached to a window",
    MPI_ERR_RMA_CONFLICT: "accesses to a window are in conflict",
    MPI_ERR_RMA_RANGE: "the target memory is not part of the window",
    MPI_ERR_RMA_SHARED: "memory cannot be shared",
    MPI_ERR_RMA_SYNC: "the synchronisation of a window is wrong",
    MPI_ERR_SERVICE: "a service name is not valid",
    MPI_ERR_SIZE: "a size is not valid",
    MPI_ERR_SPAWN: "processes cannot be started",
    MPI_ERR_UNSUPPORTED_DATAREP: "a data representation is not supported",
    MPI_ERR_UNSUPPORTED_OPERATION: "the operation is not supported",
    MPI_ERR_WIN: "a window is not valid",
    MPI_ERR_RMA_FLAVOR: "a window's flavor is wrong here",
    MPI_ERR_PROC_ABORTED: "a process that takes part has ended",
    MPI_ERR_VALUE_TOO_LARGE: "a value does not fit into its argument",
    MPI_ERR_SESSION: "a session is not valid",
    MPI_ERR_ERRHANDLER: "an error handler is not valid here",
    MPI_ERR_ABI: "the standard ABI does not allow this",
    MPI_ERR_LASTCODE: "the last of the standard's error codes",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_classes_are_complete_and_short() {
        assert_eq!(
            CLASSES.iter().copied().filter(|&class| class < MPI_ERR_LASTCODE).collect::<Vec<_>>(),
            (0..=62).collect::<Vec<_>>()
        );
        for &class in CLASSES {
            let text = text_of_class(class).unwrap();
            assert!(text.starts_with(name_of_class(class).unwrap()));
            assert!(text.len() < abi::MPI_MAX_ERROR_STRING as usize);
        }
    }

    #[test]
    fn codes_are_added_to_classes_and_removed_before_them() {
        let mut codes = ErrorCodes::default();
        assert_eq!(codes.last_used(), MPI_ERR_LASTCODE);
        let class = codes.add_class();
        let code = codes.add_code(class).unwrap();
        assert_eq!((codes.last_used(), codes.class_of(code), codes.class_of(class)), (code, Ok(class), Ok(class)));
        assert_eq!(codes.text_of(code), Ok(CString::default()));
        codes.set_text(code, c"too hot").unwrap();
        assert_eq!(codes.text_of(code).unwrap().as_c_str(), c"too hot");
        assert_eq!(codes.add_code(code).unwrap_err().code, MPI_ERR_ARG);
        assert!(codes.remove_class(class).unwrap_err().text.contains("has codes"));
        assert!(codes.remove_code(code).unwrap_err().text.contains("text"));
        codes.remove_text(code).unwrap();
        assert!(codes.remove_class(code).is_err() && codes.remove_code(class).is_err());
        codes.remove_code(code).unwrap();
        codes.remove_class(class).unwrap();
        assert!(codes.remove_class(class).is_err() && codes.class_of(code).is_err());
    }

    #[test]
    fn the_standards_codes_stay_as_they_are() {
        let mut codes = ErrorCodes::default();
        for code in [0, abi::MPI_ERR_RANK, MPI_ERR_LASTCODE, -1, 100] {
            assert!(codes.remove_class(code).is_err() && codes.remove_code(code).is_err());
            assert!(codes.set_text(code, c"x").is_err() && codes.remove_text(code).is_err());
        }
        let code = codes.add_code(abi::MPI_ERR_OTHER).unwrap();
        assert_eq!(codes.class_of(code), Ok(abi::MPI_ERR_OTHER));
        assert_eq!(codes.class_of(100).unwrap_err().code, MPI_ERR_ARG);
    }
}
