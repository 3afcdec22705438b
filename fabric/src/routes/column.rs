//! The parts that an encoded table is made of: numbers, and columns of numbers.
//!
//! ```text
//! number    7 bits a byte, the low ones first; the top bit says that another byte follows (LEB128)
//! signed    a number: 0, -1, 1, -2, 2, ... as 0, 1, 2, 3, 4, ... (zigzag)
//! column    one byte that says how its n values are written, and then
//!           0  the first as a number, the step as a signed number: the others follow from these
//!           1  half a byte each, the first in the low half
//!           2  a byte each
//!           3  a number each
//! ```
//!
//! Reading never panics, and reserves no more memory than the caller's `n` values.

/// Why bytes are not an encoded table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The bytes end where more were expected.
    #[error("truncated: more than {len} bytes needed")]
    Truncated {
        /// How many there are.
        len: usize,
    },
    /// Bytes are left after the last destination.
    #[error("{extra} bytes too many after the table")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// A version of the encoding that this program does not read.
    #[error("table format {0}, expected {format}", format = super::decode::FORMAT)]
    Format(u8),
    /// A field holds a value that means nothing or is out of bounds.
    #[error("at byte {at}: {field} is {value}, at most {max} can be")]
    Field {
        /// Where the field ends.
        at: usize,
        /// Its name in `docs/route-loading.md`.
        field: &'static str,
        /// What it held.
        value: u64,
        /// The largest value that it can have.
        max: u64,
    },
    /// A destination refers to another whose routes have a different shape, or whose edges would leave their bounds.
    #[error("destination {to} refers to destination {reference}, whose routes cannot be edited so")]
    Reference {
        /// The index of the destination.
        to: u32,
        /// The index of the other one.
        reference: u32,
    },
    /// A route does not lead to its destination.
    #[error("a route to destination {to} does not lead there")]
    Astray {
        /// The index of the destination.
        to: u32,
    },
    /// The table has more bytes than a table can have.
    #[error("the table has more than {max} bytes")]
    TooLarge {
        /// The bound.
        max: usize,
    },
}

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i32) {
    put_number(out, ((value << 1) ^ (value >> 31)) as u32);
}

const ARITHMETIC: u8 = 0;
const NIBBLES: u8 = 1;
const BYTES: u8 = 2;
const NUMBERS: u8 = 3;
/// The ways to write a column; its tag is below this.
pub(super) const COLUMN_TAGS: u8 = 4;

/// Appends a column in the shortest way that fits.
pub(super) fn put_column(out: &mut Vec<u8>, values: &[u32]) {
    let max = values.iter().copied().max().unwrap_or(0);
    let (first, step) = match values {
        [] => (0, 0),
        [only] => (*only, 0),
        [a, b, ..] => (*a, b.wrapping_sub(*a) as i32),
    };
    let arithmetic = values.windows(2).all(|w| w[1].wrapping_sub(w[0]) as i32 == step);
    if arithmetic && (values.len() > 2 || max >= 0x80) {
        out.push(ARITHMETIC);
        put_number(out, first);
        put_signed(out, step);
    } else if max < 16 {
        out.push(NIBBLES);
        out.extend(values.chunks(2).map(|pair| pair[0] as u8 | pair.get(1).map_or(0, |&high| (high as u8) << 4)));
    } else if max < 256 {
        out.push(BYTES);
        out.extend(values.iter().map(|&v| v as u8));
    } else {
        out.push(NUMBERS);
        values.iter().for_each(|&v| put_number(out, v));
    }
}

/// Reads the parts of an encoded table, one after the other.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// How many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// A value of `field` that cannot be, as an error.
    pub(super) fn invalid(&self, field: &'static str, value: u64, max: u64) -> TableError {
        TableError::Field { at: self.at, field, value, max }
    }

    pub(super) fn byte(&mut self) -> Result<u8, TableError> {
        let byte = *self.bytes.get(self.at).ok_or(TableError::Truncated { len: self.bytes.len() })?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of at most `max`.
    pub(super) fn number(&mut self, field: &'static str, max: u32) -> Result<u32, TableError> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        match u32::try_from(value) {
            Ok(small) if small <= max => Ok(small),
            _ => Err(self.invalid(field, value, max.into())),
        }
    }

    pub(super) fn signed(&mut self, field: &'static str) -> Result<i32, TableError> {
        let value = self.number(field, u32::MAX)?;
        Ok((value >> 1) as i32 ^ -((value & 1) as i32))
    }

    /// A column of `n` values of at most `max`, whose tag has been read.
    pub(super) fn column(
        &mut self,
        tag: u8,
        n: usize,
        field: &'static str,
        max: u32,
        out: &mut Vec<u32>,
    ) -> Result<(), TableError> {
        out.clear();
        match tag {
            ARITHMETIC => {
                let (first, step) = (self.number(field, max)?, self.signed(field)?);
                out.extend((0..n as u32).map(|i| first.wrapping_add((step as u32).wrapping_mul(i))));
            }
            NIBBLES => {
                for _ in 0..n.div_ceil(2) {
                    let byte = self.byte()?;
                    out.extend([u32::from(byte & 0xf), u32::from(byte >> 4)]);
                }
                out.truncate(n);
            }
            BYTES => {
                for _ in 0..n {
                    out.push(self.byte()?.into());
                }
            }
            NUMBERS => {
                for _ in 0..n {
                    out.push(self.number(field, max)?);
                }
            }
            other => return Err(self.invalid("way to write a column", other.into(), (COLUMN_TAGS - 1).into())),
        }
        match out.iter().find(|&&v| v > max) {
            Some(&value) => Err(self.invalid(field, value.into(), max.into())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[u32]) -> usize {
        let mut bytes = Vec::new();
        put_column(&mut bytes, values);
        let mut reader = Reader::new(&bytes);
        let mut back = Vec::new();
        let tag = reader.byte().unwrap();
        reader.column(tag, values.len(), "value", u32::MAX, &mut back).unwrap();
        assert_eq!(back, values);
        assert_eq!(reader.remaining(), 0);
        bytes.len()
    }

    #[test]
    fn columns_are_short() {
        assert_eq!(round_trip(&[]), 1);
        assert_eq!(round_trip(&[7; 8]), 3);
        assert_eq!(round_trip(&[9, 7, 5, 3, 1]), 3);
        assert_eq!(round_trip(&[1, 2, 3, 5]), 3);
        assert_eq!(round_trip(&[1, 2, 30]), 4);
        assert_eq!(round_trip(&[1, 2, 300]), 5);
        assert_eq!(round_trip(&[u32::MAX, 0, 1]), 7);
    }

    #[test]
    fn a_value_out_of_bounds_is_named() {
        let mut reader = Reader::new(&[BYTES, 1, 9]);
        let tag = reader.byte().unwrap();
        let error = reader.column(tag, 2, "port", 8, &mut Vec::new()).unwrap_err();
        assert_eq!(error, TableError::Field { at: 3, field: "port", value: 9, max: 8 });
        assert_eq!(error.to_string(), "at byte 3: port is 9, at most 8 can be");
    }

    proptest! {
        #[test]
        fn columns_round_trip(values in prop::collection::vec(0u32.., 0..20), shift in 0u32..32) {
            let values: Vec<u32> = values.into_iter().map(|v| v >> shift).collect();
            round_trip(&values);
        }

        #[test]
        fn signed_numbers_round_trip(value: i32) {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            prop_assert_eq!(Reader::new(&bytes).signed("value"), Ok(value));
        }
    }
}
