//! Info objects: keys and values, in the order in which they were set (MPI 5.0, chapter 10).
use crate::abi::{
    MPI_ERR_ARG, MPI_ERR_INFO_KEY, MPI_ERR_INFO_NOKEY, MPI_ERR_INFO_VALUE, MPI_MAX_INFO_KEY, MPI_MAX_INFO_VAL,
};
use crate::error::{Error, Result};
use std::ffi::{CStr, CString, c_int};

/// Hints or facts, as text by a key. Texts are C's: any bytes but zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    entries: Vec<(CString, CString)>,
}

impl Info {
    /// An info object without entries.
    pub const fn new() -> Info {
        Info { entries: Vec::new() }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sets a key's value, in place of an old one.
    pub fn set(&mut self, key: &CStr, value: &CStr) -> Result<()> {
        check_key(key)?;
        if value.count_bytes() >= MPI_MAX_INFO_VAL as usize {
            let text = format!("a value of {} bytes, longer than {}", value.count_bytes(), MPI_MAX_INFO_VAL - 1);
            return Err(Error::new(MPI_ERR_INFO_VALUE, text));
        }
        match self.entries.iter_mut().find(|(known, _)| known.as_c_str() == key) {
            Some((_, old)) => *old = value.to_owned(),
            None => self.entries.push((key.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// Sets what the library itself says. A text with a zero byte, or too long for a value, is left out.
    pub fn say(&mut self, key: &CStr, value: impl Into<Vec<u8>>) {
        if let Ok(value) = CString::new(value) {
            let _ = self.set(key, &value);
        }
    }

    /// A key's value.
    pub fn get(&self, key: &CStr) -> Result<Option<&CStr>> {
        check_key(key)?;
        Ok(self.entries.iter().find(|(known, _)| known.as_c_str() == key).map(|(_, value)| value.as_c_str()))
    }

    /// Removes a key.
    pub fn delete(&mut self, key: &CStr) -> Result<()> {
        check_key(key)?;
        let place = self.entries.iter().position(|(known, _)| known.as_c_str() == key);
        let place = place.ok_or_else(|| Error::new(MPI_ERR_INFO_NOKEY, format!("there is no key {key:?}")))?;
        self.entries.remove(place);
        Ok(())
    }

    /// The key with a number, from 0.
    pub fn key(&self, number: c_int) -> Result<&CStr> {
        let entry = usize::try_from(number).ok().and_then(|number| self.entries.get(number));
        let text = || format!("key {number} of an info object of {}", self.len());
        entry.map(|(key, _)| key.as_c_str()).ok_or_else(|| Error::new(MPI_ERR_ARG, text()))
    }

    /// All keys and values, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&CStr, &CStr)> {
        self.entries.iter().map(|(key, value)| (key.as_c_str(), value.as_c_str()))
    }
}

fn check_key(key: &CStr) -> Result<()> {
    match key.count_bytes() {
        0 => Err(Error::new(MPI_ERR_INFO_KEY, "an empty key")),
        length if length >= MPI_MAX_INFO_KEY as usize => {
            let text = format!("a key of {length} bytes, longer than {}", MPI_MAX_INFO_KEY - 1);
            Err(Error::new(MPI_ERR_INFO_KEY, text))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_the_order_in_which_they_were_first_set() {
        let mut info = Info::new();
        info.set(c"b", c"1").unwrap();
        info.set(c"a", c"2").unwrap();
        info.set(c"b", c"3").unwrap();
        assert_eq!(info.iter().collect::<Vec<_>>(), [(c"b", c"3"), (c"a", c"2")]);
        assert_eq!((info.key(0), info.key(1)), (Ok(c"b"), Ok(c"a")));
        info.delete(c"b").unwrap();
        assert_eq!((info.get(c"b"), info.get(c"a"), info.len()), (Ok(None), Ok(Some(c"2")), 1));
    }

    #[test]
    fn what_is_wrong_has_its_own_class() {
        let mut info = Info::new();
        let long = |length| CString::new(vec![b'x'; length]).unwrap();
        assert_eq!(info.set(c"", c"1").unwrap_err().code, MPI_ERR_INFO_KEY);
        assert_eq!(info.set(&long(256), c"1").unwrap_err().code, MPI_ERR_INFO_KEY);
        assert_eq!(info.set(c"a", &long(1024)).unwrap_err().code, MPI_ERR_INFO_VALUE);
        assert_eq!(info.set(&long(255), &long(1023)), Ok(()));
        assert_eq!(info.delete(c"b").unwrap_err().code, MPI_ERR_INFO_NOKEY);
        assert_eq!(info.key(1).unwrap_err().code, MPI_ERR_ARG);
        assert_eq!(info.key(-1).unwrap_err().code, MPI_ERR_ARG);
    }
}
