//! `external32`: the standard's portable representation. Big-endian, IEEE floating point, sizes by name of type.

use super::basic::{Basic, Float};
use super::{Datatype, extended};
use crate::abi::{MPI_ERR_CONVERSION, MPI_ERR_TRUNCATE};
use crate::error::{Error, Result};

/// Native bytes that are converted at a time: whole elements of every basic type.
const CHUNK: usize = 4096;

const _: () = assert!(cfg!(target_endian = "little"), "numbers are taken from memory as little-endian ones");

/// How the components of a basic type (the halves of a complex number) are converted.
#[derive(Clone, Copy)]
enum Codec {
    /// The same width, the other order of bytes.
    Swap(usize),
    /// A signed integer of 8 bytes that has 4 outside.
    NarrowSigned,
    /// An unsigned integer of so many bytes that has half as many outside.
    NarrowUnsigned(usize),
    /// An x87 number that is IEEE binary128 outside.
    Extended,
}

impl Codec {
    fn of(basic: Basic) -> Self {
        match basic {
            Basic::Long => Self::NarrowSigned,
            Basic::UnsignedLong => Self::NarrowUnsigned(8),
            Basic::WideCharacter => Self::NarrowUnsigned(4),
            Basic::Real(Float::Extended) | Basic::Complex(Float::Extended) => Self::Extended,
            Basic::Real(float) | Basic::Complex(float) => Self::Swap(float.bytes()),
            other => Self::Swap(other.size()),
        }
    }

    /// The width of a component in memory, and outside.
    fn widths(self) -> (usize, usize) {
        match self {
            Self::Swap(width) => (width, width),
            Self::NarrowSigned => (8, 4),
            Self::NarrowUnsigned(width) => (width, width / 2),
            Self::Extended => (16, 16),
        }
    }

    fn encode(self, native: &[u8], outside: &mut [u8]) -> Result<()> {
        let (wide, narrow) = self.widths();
        if (wide, narrow) == (1, 1) {
            outside.copy_from_slice(native);
            return Ok(());
        }
        for (native, outside) in native.chunks_exact(wide).zip(outside.chunks_exact_mut(narrow)) {
            let value = number(native);
            let value = match self {
                Self::Swap(_) => value,
                Self::Extended => extended::to_quad(value),
                Self::NarrowSigned => {
                    let value = value as i64;
                    u128::from(i32::try_from(value).map_err(|_| does_not_fit(value.into()))? as u32)
                }
                Self::NarrowUnsigned(_) if value >> (8 * narrow) != 0 => return Err(does_not_fit(value as i128)),
                Self::NarrowUnsigned(_) => value,
            };
            outside.copy_from_slice(&value.to_be_bytes()[16 - narrow..]);
        }
        Ok(())
    }

    fn decode(self, outside: &[u8], native: &mut [u8]) {
        let (wide, narrow) = self.widths();
        if (wide, narrow) == (1, 1) {
            return native.copy_from_slice(outside);
        }
        for (outside, native) in outside.chunks_exact(narrow).zip(native.chunks_exact_mut(wide)) {
            let mut value = [0; 16];
            value[16 - narrow..].copy_from_slice(outside);
            let value = u128::from_be_bytes(value);
            let value = match self {
                Self::Swap(_) | Self::NarrowUnsigned(_) => value,
                Self::NarrowSigned => value as u32 as i32 as i64 as u128,
                Self::Extended => extended::from_quad(value),
            };
            native.copy_from_slice(&value.to_le_bytes()[..wide]);
        }
    }
}

/// A number of up to 16 bytes.
fn number(native: &[u8]) -> u128 {
    let mut value = [0; 16];
    value[..native.len()].copy_from_slice(native);
    u128::from_le_bytes(value)
}

#[cold]
fn does_not_fit(value: i128) -> Error {
    Error::new(MPI_ERR_CONVERSION, format!("{value} does not fit the external32 size of its type"))
}

impl Datatype {
    /// Bytes of `count` elements in `external32`; nothing where that overflows.
    pub fn external_size(&self, count: usize) -> Option<usize> {
        self.core.map.signature.totals().external.checked_mul(count)
    }

    /// Converts `count` elements to `external32`; the bytes written. `pack` gives packed native bytes from a position on.
    pub fn encode(&self, count: usize, out: &mut [u8], mut pack: impl FnMut(usize, &mut [u8])) -> Result<usize> {
        let needed = self.room(count, out.len())?;
        let (mut position, mut written) = (0, 0);
        self.core.map.signature.repeated(count)?.each_run(&mut |basic: Basic, count| {
            let codec = Codec::of(basic);
            let mut chunk = [0; CHUNK];
            each_chunk(basic, count, |native, outside| {
                pack(position, &mut chunk[..native]);
                codec.encode(&chunk[..native], &mut out[written..written + outside])?;
                position += native;
                written += outside;
                Ok(())
            })
        })?;
        debug_assert_eq!(written, needed);
        Ok(needed)
    }

    /// Converts `count` elements from `external32`; the bytes read. `unpack` takes packed native bytes for a position.
    pub fn decode(&self, count: usize, input: &[u8], mut unpack: impl FnMut(usize, &[u8])) -> Result<usize> {
        let needed = self.room(count, input.len())?;
        let (mut position, mut read) = (0, 0);
        self.core.map.signature.repeated(count)?.each_run(&mut |basic: Basic, count| {
            let codec = Codec::of(basic);
            let mut chunk = [0; CHUNK];
            each_chunk(basic, count, |native, outside| {
                codec.decode(&input[read..read + outside], &mut chunk[..native]);
                unpack(position, &chunk[..native]);
                position += native;
                read += outside;
                Ok(())
            })
        })?;
        Ok(needed)
    }

    fn room(&self, count: usize, room: usize) -> Result<usize> {
        let needed = self.external_size(count).unwrap_or(usize::MAX);
        if needed > room {
            let text = format!("{needed} bytes in external32 where the buffer has {room} left");
            return Err(Error::new(MPI_ERR_TRUNCATE, text));
        }
        Ok(needed)
    }
}

/// Calls `convert` with the native and the outside size of each part of `count` elements.
fn each_chunk(basic: Basic, count: usize, mut convert: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
    let at_once = CHUNK / basic.size();
    let mut left = count;
    while left > 0 {
        let now = left.min(at_once);
        convert(now * basic.size(), now * basic.external_size())?;
        left -= now;
    }
    Ok(())
}
