//! Where the bytes of a type lie: nested loops over runs of bytes, in the order in which they are packed.
//!
//! Constructors hand in what the user said; what comes out is simplified: neighbours are joined, loops of loops that are
//! one loop become one, blocks at equal distances become a loop. Each part knows its packed size, so that any packed
//! position is found by a division for each loop and a binary search for each list.

use std::sync::Arc;

/// The bytes of a type, in packing order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// No bytes.
    Empty,
    /// `len` bytes at `offset`.
    Run { offset: isize, len: usize },
    /// `count` runs of `len` bytes, `stride` bytes apart, from `offset` on.
    Strided { offset: isize, stride: isize, count: usize, len: usize },
    /// Runs anywhere. `len` is their length where all have the same, and else 0.
    Scattered { offset: isize, size: usize, len: usize, runs: Arc<[Run]> },
    /// `count` times `inner`, `stride` bytes apart, from `offset` on.
    Repeat { offset: isize, stride: isize, count: usize, size: usize, inner: Arc<Layout> },
    /// One part after the other.
    Sequence { offset: isize, size: usize, parts: Arc<[Part]> },
}

/// One run of a scattered layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it lies.
    pub(super) offset: isize,
    /// Its position in the packed bytes.
    pub(super) start: usize,
    /// Its length.
    pub(super) len: usize,
}

/// One part of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its position in the packed bytes.
    pub(super) start: usize,
    /// Its bytes.
    pub(super) layout: Layout,
}

impl Layout {
    /// `len` bytes at 0.
    pub(super) fn run(len: usize) -> Self {
        if len == 0 { Self::Empty } else { Self::Run { offset: 0, len } }
    }

    /// Packed bytes.
    #[inline]
    pub(super) fn size(&self) -> usize {
        match *self {
            Self::Empty => 0,
            Self::Run { len, .. } => len,
            Self::Strided { count, len, .. } => count * len,
            Self::Scattered { size, .. } | Self::Repeat { size, .. } | Self::Sequence { size, .. } => size,
        }
    }

    /// Moved by so many bytes. The caller has checked the bounds.
    pub(super) fn shifted(mut self, by: isize) -> Self {
        match &mut self {
            Self::Empty => {}
            Self::Run { offset, .. }
            | Self::Strided { offset, .. }
            | Self::Scattered { offset, .. }
            | Self::Repeat { offset, .. }
            | Self::Sequence { offset, .. } => *offset = offset.wrapping_add(by),
        }
        self
    }

    /// `count` of these, `stride` bytes apart. The caller has checked bounds and size.
    pub(super) fn repeated(self, count: usize, stride: isize) -> Self {
        if count == 0 {
            return Self::Empty;
        }
        if count == 1 {
            return self;
        }
        match self {
            Self::Empty => Self::Empty,
            Self::Run { offset, len } if stride == len as isize => Self::Run { offset, len: len * count },
            Self::Run { offset, len } => Self::Strided { offset, stride, count, len },
            Self::Strided { offset, stride: inner, count: times, len } if continues(stride, inner, times) => {
                Self::Strided { offset, stride: inner, count: times * count, len }
            }
            Self::Repeat { offset, stride: step, count: times, size, inner } if continues(stride, step, times) => {
                Self::Repeat { offset, stride: step, count: times * count, size: size * count, inner }
            }
            other => Self::Repeat { offset: 0, stride, count, size: other.size() * count, inner: Arc::new(other) },
        }
    }

    /// The parts one after the other.
    pub(super) fn sequence(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut pieces = Pieces::default();
        for part in parts {
            pieces.push(part);
        }
        pieces.finish()
    }
}

/// True if `times` steps of `inner` bytes lead to where the next copy, `outer` bytes on, begins.
fn continues(outer: isize, inner: isize, times: usize) -> bool {
    inner.checked_mul(times as isize) == Some(outer)
}

/// A sequence under construction.
#[derive(Default)]
struct Pieces(Vec<Layout>);

impl Pieces {
    fn push(&mut self, piece: Layout) {
        match piece {
            Layout::Empty => {}
            Layout::Run { offset, len } => self.push_run(offset, len),
            Layout::Scattered { offset, ref runs, .. } => {
                runs.iter().for_each(|run| self.push_run(offset.wrapping_add(run.offset), run.len));
            }
            Layout::Sequence { offset, ref parts, .. } => {
                parts.iter().for_each(|part| self.push(part.layout.clone().shifted(offset)));
            }
            other => self.0.push(other),
        }
    }

    fn push_run(&mut self, offset: isize, len: usize) {
        match self.0.last_mut() {
            Some(Layout::Run { offset: before, len: so_far }) if *before + *so_far as isize == offset => *so_far += len,
            _ => self.0.push(Layout::Run { offset, len }),
        }
    }

    fn finish(mut self) -> Layout {
        match self.0.len() {
            0 => return Layout::Empty,
            1 => return self.0.remove(0),
            _ => {}
        }
        let groups = self.0.chunk_by(|a, b| matches!((a, b), (Layout::Run { .. }, Layout::Run { .. })));
        let mut parts = Vec::new();
        let mut start = 0;
        for group in groups {
            let layout = joined(group);
            let size = layout.size();
            parts.push(Part { start, layout });
            start += size;
        }
        if parts.len() == 1 {
            return parts.remove(0).layout;
        }
        Layout::Sequence { offset: 0, size: start, parts: parts.into() }
    }
}

/// One layout of a group of runs; what is not a run comes alone.
fn joined(group: &[Layout]) -> Layout {
    let runs: Vec<Run> = group
        .iter()
        .scan(0, |start, piece| {
            let Layout::Run { offset, len } = *piece else { return None };
            let run = Run { offset, start: *start, len };
            *start += len;
            Some(run)
        })
        .collect();
    let [first, second, ..] = runs[..] else { return group[0].clone() };
    let len = if runs.iter().all(|run| run.len == first.len) { first.len } else { 0 };
    let stride = second.offset.wrapping_sub(first.offset);
    if len != 0 && runs.windows(2).all(|pair| pair[1].offset.wrapping_sub(pair[0].offset) == stride) {
        return Layout::Strided { offset: first.offset, stride, count: runs.len(), len };
    }
    Layout::Scattered { offset: 0, size: runs.iter().map(|run| run.len).sum(), len, runs: runs.into() }
}
