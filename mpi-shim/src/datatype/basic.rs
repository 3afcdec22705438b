//! The basic types: what one element of a message is to the machine.

/// The width of an integer, by the number of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// One byte.
    W1,
    /// Two bytes.
    W2,
    /// Four bytes.
    W4,
    /// Eight bytes.
    W8,
    /// Sixteen bytes.
    W16,
}

impl Width {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        1 << self as usize
    }
}

/// A floating-point format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Float {
    /// IEEE binary16, in 2 bytes.
    Half,
    /// IEEE binary32.
    Single,
    /// IEEE binary64.
    Double,
    /// The x87's 80 bits in 16 bytes: `long double` of x86-64.
    Extended,
    /// IEEE binary128: `REAL16`, and `long double` of aarch64.
    Quad,
}

impl Float {
    /// The number of bytes in memory.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single => 4,
            Self::Double => 8,
            Self::Extended | Self::Quad => 16,
        }
    }

    /// The format of C's `long double` on this machine.
    pub const LONG_DOUBLE: Self = if cfg!(target_arch = "x86_64") { Self::Extended } else { Self::Quad };
}

/// What one element is to the machine, which decides how it is reduced and converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basic {
    /// Bytes that nobody interprets (`MPI_BYTE`, `MPI_PACKED`).
    Byte,
    /// A character: moved, never calculated with.
    Character,
    /// A wide character: 4 bytes here, 2 in `external32`.
    WideCharacter,
    /// A signed integer.
    Signed(Width),
    /// An unsigned integer.
    Unsigned(Width),
    /// C's `long`: 8 bytes here, 4 in `external32`.
    Long,
    /// C's `unsigned long`: the same.
    UnsignedLong,
    /// A truth value: zero is false, all else true.
    Logical(Width),
    /// A floating-point number.
    Real(Float),
    /// Two of them: real part, imaginary part.
    Complex(Float),
}

impl Basic {
    /// Bytes in memory.
    pub const fn size(self) -> usize {
        match self {
            Self::Byte | Self::Character => 1,
            Self::WideCharacter => 4,
            Self::Long | Self::UnsignedLong => 8,
            Self::Signed(width) | Self::Unsigned(width) | Self::Logical(width) => width.bytes(),
            Self::Real(float) => float.bytes(),
            Self::Complex(float) => 2 * float.bytes(),
        }
    }

    /// Bytes in `external32`.
    pub const fn external_size(self) -> usize {
        match self {
            Self::WideCharacter => 2,
            Self::Long | Self::UnsignedLong => 4,
            other => other.size(),
        }
    }

    /// The address boundary that the C compiler keeps for it.
    pub const fn alignment(self) -> usize {
        match self {
            Self::Complex(float) => float.bytes(),
            other => other.size(),
        }
    }
}
