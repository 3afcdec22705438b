//! The basic elements of a type in packing order, for counting elements and for converting them.

use super::basic::Basic;
use super::bounds::too_large;
use crate::error::Result;
use std::sync::Arc;

/// The basic elements of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    /// None.
    Empty,
    /// One.
    One(Basic),
    /// The same several times.
    Repeat { count: usize, totals: Totals, inner: Arc<Signature> },
    /// One part after the other.
    Sequence { totals: Totals, parts: Arc<[Signature]> },
}

/// Sums over a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Bytes in memory.
    pub(super) size: usize,
    /// Bytes in `external32`.
    pub(super) external: usize,
    /// Basic elements.
    pub(super) elements: usize,
}

impl Totals {
    fn times(self, count: usize) -> Result<Self> {
        let times = |each: usize| {
            each.checked_mul(count).filter(|&all| isize::try_from(all).is_ok()).ok_or_else(|| too_large("the size"))
        };
        Ok(Self { size: times(self.size)?, external: times(self.external)?, elements: times(self.elements)? })
    }

    fn plus(self, other: Self) -> Result<Self> {
        let plus = |a: usize, b: usize| {
            a.checked_add(b).filter(|&all| isize::try_from(all).is_ok()).ok_or_else(|| too_large("the size"))
        };
        Ok(Self {
            size: plus(self.size, other.size)?,
            external: plus(self.external, other.external)?,
            elements: plus(self.elements, other.elements)?,
        })
    }
}

impl Signature {
    /// The sums over it.
    pub(super) fn totals(&self) -> Totals {
        match *self {
            Self::Empty => Totals::default(),
            Self::One(basic) => Totals { size: basic.size(), external: basic.external_size(), elements: 1 },
            Self::Repeat { totals, .. } | Self::Sequence { totals, .. } => totals,
        }
    }

    /// It, `count` times.
    pub(super) fn repeated(&self, count: usize) -> Result<Self> {
        Self::sequence([(self, count)])
    }

    /// Parts one after the other, each so many times.
    pub(super) fn sequence<'a>(parts: impl IntoIterator<Item = (&'a Self, usize)>) -> Result<Self> {
        let mut pieces = Pieces::default();
        for (part, count) in parts {
            pieces.push(part, count)?;
        }
        pieces.finish()
    }

    /// The complete basic elements in the first `bytes` bytes, and the bytes that are left over.
    pub(super) fn elements_in(&self, bytes: usize) -> (usize, usize) {
        let totals = self.totals();
        if bytes >= totals.size {
            return (totals.elements, bytes - totals.size);
        }
        match self {
            Self::Empty | Self::One(_) => (0, bytes),
            Self::Repeat { inner, .. } => {
                let each = inner.totals();
                let (elements, left) = inner.elements_in(bytes % each.size);
                (bytes / each.size * each.elements + elements, left)
            }
            Self::Sequence { parts, .. } => {
                let mut elements = 0;
                let mut left = bytes;
                for part in &parts[..] {
                    let complete = left >= part.totals().size;
                    let (more, rest) = part.elements_in(left);
                    elements += more;
                    left = rest;
                    if !complete {
                        break;
                    }
                }
                (elements, left)
            }
        }
    }

    /// The bytes in memory of the first `elements` basic elements.
    pub(super) fn bytes_of(&self, elements: usize) -> usize {
        let totals = self.totals();
        if elements >= totals.elements {
            return totals.size;
        }
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Repeat { inner, .. } => {
                let each = inner.totals();
                elements / each.elements * each.size + inner.bytes_of(elements % each.elements)
            }
            Self::Sequence { parts, .. } => {
                let mut left = elements;
                let mut bytes = 0;
                for part in &parts[..] {
                    bytes += part.bytes_of(left);
                    left = left.saturating_sub(part.totals().elements);
                }
                bytes
            }
        }
    }

    /// Calls `visit` with every run of equal basic elements, in order, until it fails.
    pub(super) fn each_run<E>(&self, visit: &mut impl FnMut(Basic, usize) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Empty => Ok(()),
            Self::One(basic) => visit(*basic, 1),
            Self::Repeat { count, inner, .. } => match **inner {
                Self::One(basic) => visit(basic, *count),
                _ => (0..*count).try_for_each(|_| inner.each_run(visit)),
            },
            Self::Sequence { parts, .. } => parts.iter().try_for_each(|part| part.each_run(visit)),
        }
    }
}

/// A sequence under construction: units that differ from their neighbours, and how often each comes.
#[derive(Default)]
struct Pieces(Vec<(Signature, usize)>);

impl Pieces {
    fn push(&mut self, part: &Signature, count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        match part {
            Signature::Empty => Ok(()),
            Signature::Repeat { count: times, inner, .. } => {
                part.totals().times(count)?;
                self.push_unit(inner, times * count)
            }
            Signature::Sequence { parts, .. } if count == 1 => parts.iter().try_for_each(|part| self.push(part, 1)),
            unit => self.push_unit(unit, count),
        }
    }

    fn push_unit(&mut self, unit: &Signature, count: usize) -> Result<()> {
        match self.0.last_mut() {
            Some((before, times)) if same(before, unit) => {
                *times = times.checked_add(count).ok_or_else(|| too_large("the size"))?;
            }
            _ => self.0.push((unit.clone(), count)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Signature> {
        let mut parts = Vec::with_capacity(self.0.len());
        let mut all = Totals::default();
        for (unit, count) in self.0 {
            let totals = unit.totals().times(count)?;
            all = all.plus(totals)?;
            parts.push(match count {
                1 => unit,
                _ => Signature::Repeat { count, totals, inner: Arc::new(unit) },
            });
        }
        Ok(match parts.len() {
            0 => Signature::Empty,
            1 => parts.remove(0),
            _ => Signature::Sequence { totals: all, parts: parts.into() },
        })
    }
}

/// True if the two are known to be the same without looking deep.
fn same(a: &Signature, b: &Signature) -> bool {
    match (a, b) {
        (Signature::One(a), Signature::One(b)) => a == b,
        (Signature::Sequence { parts: a, .. }, Signature::Sequence { parts: b, .. }) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
