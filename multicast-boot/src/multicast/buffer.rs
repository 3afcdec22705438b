//! Where a receiver puts the payload as it comes.

use crate::image::Manifest;

/// The payload of one image, in one piece of memory: its own, or a file's that is mapped.
///
/// What it holds is not verified until the receiver says so.
pub trait PayloadBuffer: Send {
    /// All of it.
    fn bytes(&self) -> &[u8];

    /// All of it, to write.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// True if it may hold parts of the payload already, from an earlier start of the node.
    fn may_hold_parts(&self) -> bool;
}

/// Makes a node's buffer when it has accepted an image.
pub trait PayloadBuffers: Send + Sync {
    /// A buffer of the payload's length; `None` if there is no room for it.
    fn open(&self, manifest: &Manifest) -> Option<Box<dyn PayloadBuffer>>;
}

/// Buffers in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryBuffers;

struct MemoryBuffer(Vec<u8>);

impl PayloadBuffers for MemoryBuffers {
    fn open(&self, manifest: &Manifest) -> Option<Box<dyn PayloadBuffer>> {
        let len = usize::try_from(manifest.payload_len()).ok()?;
        Some(Box::new(MemoryBuffer(vec![0; len])))
    }
}

impl PayloadBuffer for MemoryBuffer {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
    fn may_hold_parts(&self) -> bool {
        false
    }
}
