//! The hop bytes of one route, as a record holds them.

use std::fmt;
use std::str::FromStr;

/// The most hops that a route may have.
pub const MAX_HOPS: usize = 63;

/// A route as its hop bytes, the first crossbar's first; each has its top bit set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hops {
    len: u8,
    bytes: [u8; MAX_HOPS],
}

/// Why bytes or text are not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HopsError {
    /// More hops than a route can have.
    #[error("a route has at most {MAX_HOPS} hops, got {0}")]
    TooLong(usize),
    /// A byte without the top bit.
    #[error("hop {index} is {byte:#04x}: a hop byte has its top bit set")]
    NotAHop {
        /// Which hop, from 0.
        index: usize,
        /// The byte that was found.
        byte: u8,
    },
    /// Text that is not hexadecimal pairs.
    #[error("`{0}` is not a list of hop bytes in hexadecimal (as `88f887`, or `-` for none)")]
    NotHex(String),
}

impl Default for Hops {
    /// The route of no hops.
    fn default() -> Hops {
        Hops { len: 0, bytes: [0; MAX_HOPS] }
    }
}

impl Hops {
    /// A route from its hop bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Hops, HopsError> {
        if bytes.len() > MAX_HOPS {
            return Err(HopsError::TooLong(bytes.len()));
        }
        if let Some(index) = bytes.iter().position(|byte| byte & 0x80 == 0) {
            return Err(HopsError::NotAHop { index, byte: bytes[index] });
        }
        let mut hops = Hops { len: bytes.len() as u8, bytes: [0; MAX_HOPS] };
        hops.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(hops)
    }

    /// The hop bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Hops {
    /// The hop bytes in hexadecimal, `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str("-");
        }
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hops({self})")
    }
}

impl FromStr for Hops {
    type Err = HopsError;

    fn from_str(text: &str) -> Result<Hops, HopsError> {
        if text == "-" {
            return Hops::from_bytes(&[]);
        }
        if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HopsError::NotHex(text.to_owned()));
        }
        let digit = |byte: u8| (byte as char).to_digit(16).expect("checked above") as u8;
        let bytes: Vec<u8> = text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        Hops::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_the_same_route() {
        for (text, bytes) in [("-", &[][..]), ("88f887", &[0x88, 0xf8, 0x87]), ("ff", &[0xff])] {
            let hops: Hops = text.parse().unwrap();
            assert_eq!((hops.as_bytes(), hops.to_string().as_str()), (bytes, text));
        }
        assert_eq!("8801".parse::<Hops>(), Err(HopsError::NotAHop { index: 1, byte: 1 }));
        assert_eq!("80".repeat(64).parse::<Hops>(), Err(HopsError::TooLong(64)));
        for bad in ["", "8", "8é", "+8", "zz", "88 f8"] {
            assert_eq!(bad.parse::<Hops>(), Err(HopsError::NotHex(bad.into())));
        }
    }
}
