//! The wire format as a whole: what `docs/wire-format.md` says, and what must hold for every kind of frame.
//!
//! Nothing here names a kind, so a kind that is added to the registry is tested with the others. It needs a row and an
//! example in the document; the tests say what to write.

mod document;
mod golden;
mod properties;
