//! Where a type begins and ends: the data itself, and the markers that `MPI_Type_create_resized` sets.

use crate::abi::MPI_ERR_VALUE_TOO_LARGE;
use crate::error::{Error, Result};

/// An error for a type that does not fit into the address space.
#[cold]
pub(super) fn too_large(what: &'static str) -> Error {
    Error::new(MPI_ERR_VALUE_TOO_LARGE, format!("{what} of the datatype does not fit 63 bits"))
}

/// The bytes from `low` up to, but not including, `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) low: isize,
    pub(super) high: isize,
}

/// The bounds of a type map, as the standard defines them: markers win over data, and without a marker the upper
/// bound is rounded up until the extent keeps the strictest alignment among the elements. The gap that this leaves at the
/// end of a type belongs to it when other types are made of it, wherever they put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// From the first to the last byte of data; none without data.
    data: Option<Span>,
    /// The end of the last part, with the gap at its end; means nothing without data.
    end: isize,
    lower_marker: Option<isize>,
    upper_marker: Option<isize>,
    alignment: usize,
}

impl Bounds {
    /// Those of a type without entries.
    pub(super) const EMPTY: Self = Self { data: None, end: 0, lower_marker: None, upper_marker: None, alignment: 1 };

    /// Those of `size` bytes at 0.
    pub(super) fn block(size: usize, alignment: usize) -> Self {
        Self { data: Some(Span { low: 0, high: size as isize }), end: size as isize, alignment, ..Self::EMPTY }
    }

    /// The lower bound.
    pub(super) fn lower(&self) -> isize {
        self.lower_marker.or(self.data.map(|data| data.low)).unwrap_or(0)
    }

    /// The upper bound.
    pub(super) fn upper(&self) -> Result<isize> {
        if let Some(upper) = self.upper_marker {
            return Ok(upper);
        }
        let lower = self.lower();
        if self.data.is_none() {
            return Ok(lower);
        }
        let extent = self.end.checked_sub(lower).ok_or_else(|| too_large("the extent"))?;
        let alignment = self.alignment as isize;
        let rounded = extent.checked_add(alignment - 1 - (extent - 1).rem_euclid(alignment));
        rounded.and_then(|rounded| lower.checked_add(rounded)).ok_or_else(|| too_large("the upper bound"))
    }

    /// Upper bound minus lower bound.
    pub(super) fn extent(&self) -> Result<isize> {
        self.upper()?.checked_sub(self.lower()).ok_or_else(|| too_large("the extent"))
    }

    /// The span of the data alone; nothing at 0 without data.
    pub(super) fn data(&self) -> Span {
        self.data.unwrap_or(Span { low: 0, high: 0 })
    }

    /// With both markers set.
    pub(super) fn resized(self, lower: isize, extent: isize) -> Result<Self> {
        let upper = lower.checked_add(extent).ok_or_else(|| too_large("the upper bound"))?;
        Ok(Self { lower_marker: Some(lower), upper_marker: Some(upper), ..self })
    }

    /// Those of a part of another type.
    pub(super) fn as_part(self) -> Result<Self> {
        Ok(Self { end: self.upper()?, ..self })
    }

    /// Moved by so many bytes.
    pub(super) fn shifted(self, by: isize) -> Result<Self> {
        self.map_ends(|low| low.checked_add(by), |high| high.checked_add(by))
    }

    /// Those of `count` copies (one at least), each `stride` bytes after the one before.
    pub(super) fn repeated(self, count: usize, stride: isize) -> Result<Self> {
        let last = isize::try_from(count - 1).ok().and_then(|steps| steps.checked_mul(stride));
        let last = last.ok_or_else(|| too_large("the extent"))?;
        self.map_ends(|low| low.checked_add(last.min(0)), |high| high.checked_add(last.max(0)))
    }

    /// Those of both together.
    pub(super) fn union(self, other: Self) -> Self {
        fn both<T>(a: Option<T>, b: Option<T>, choose: impl Fn(T, T) -> T) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(choose(a, b)),
                (a, b) => a.or(b),
            }
        }
        let hull = |a: Span, b: Span| Span { low: a.low.min(b.low), high: a.high.max(b.high) };
        Self {
            data: both(self.data, other.data, hull),
            end: both(self.data.map(|_| self.end), other.data.map(|_| other.end), isize::max).unwrap_or(0),
            lower_marker: both(self.lower_marker, other.lower_marker, isize::min),
            upper_marker: both(self.upper_marker, other.upper_marker, isize::max),
            alignment: self.alignment.max(other.alignment),
        }
    }

    fn map_ends(self, low: impl Fn(isize) -> Option<isize>, high: impl Fn(isize) -> Option<isize>) -> Result<Self> {
        let moved = || -> Option<Self> {
            let data = match self.data {
                Some(span) => Some(Span { low: low(span.low)?, high: high(span.high)? }),
                None => None,
            };
            let end = if data.is_some() { high(self.end)? } else { 0 };
            let lower_marker = self.lower_marker.map_or(Some(None), |at| low(at).map(Some))?;
            let upper_marker = self.upper_marker.map_or(Some(None), |at| high(at).map(Some))?;
            Some(Self { data, end, lower_marker, upper_marker, ..self })
        };
        moved().ok_or_else(|| too_large("the extent"))
    }
}
