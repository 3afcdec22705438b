//! A flash chip: a block is erased to 0xff, a write clears bits.

use super::{Simulated, torn};
use std::io;
use twowire_route_store::Slot;
use twowire_route_store::medium::mtd::{Flash, Geometry, MtdMedium};

const BLOCK: usize = 256;
const BLOCKS: usize = 4;
const UNIT: usize = 16;
/// Where the slots are: behind the first block, which is somebody else's.
const OFFSET: usize = BLOCK;

/// A chip, and what was done to it.
#[derive(Clone)]
pub(crate) struct Chip {
    bytes: Vec<u8>,
    /// What the bytes were before and after each operation.
    log: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Chip {
    fn change(&mut self, change: impl FnOnce(&mut [u8])) {
        let before = self.bytes.clone();
        change(&mut self.bytes);
        self.log.push((before, self.bytes.clone()));
    }
}

impl Flash for Chip {
    fn geometry(&self) -> Geometry {
        Geometry { size: (BLOCK * BLOCKS) as u64, erase_block: BLOCK, write_unit: UNIT }
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.bytes[offset as usize..offset as usize + buffer.len()]);
        Ok(())
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        assert!(offset.is_multiple_of(BLOCK as u64), "erased at {offset}");
        self.change(|bytes| bytes[offset as usize..][..BLOCK].fill(0xff));
        Ok(())
    }

    fn program(&mut self, offset: u64, new: &[u8]) -> io::Result<()> {
        assert!(
            offset.is_multiple_of(UNIT as u64) && new.len().is_multiple_of(UNIT),
            "{} bytes at {offset}",
            new.len()
        );
        self.change(|bytes| bytes[offset as usize..].iter_mut().zip(new).for_each(|(byte, new)| *byte &= new));
        Ok(())
    }
}

/// A chip as it comes from the factory, but for the first block.
pub(crate) fn blank() -> MtdMedium<Chip> {
    let mut bytes = vec![0xff; BLOCK * BLOCKS];
    bytes[..OFFSET].fill(0x5a);
    medium(bytes)
}

fn medium(bytes: Vec<u8>) -> MtdMedium<Chip> {
    MtdMedium::new(Chip { bytes, log: Vec::new() }, OFFSET as u64).unwrap()
}

/// True if the blocks beside the slots are as they were.
pub(crate) fn is_untouched_outside(medium: &MtdMedium<Chip>) -> bool {
    let bytes = &medium.flash().bytes;
    bytes[..OFFSET].iter().all(|&byte| byte == 0x5a) && bytes[3 * BLOCK..].iter().all(|&byte| byte == 0xff)
}

impl Simulated for MtdMedium<Chip> {
    fn crash_states(&self) -> Vec<Self> {
        let mut states = vec![self.flash().bytes.clone()];
        let mut rng = fastrand::Rng::with_seed(7);
        for (before, after) in &self.flash().log {
            let changed: Vec<usize> = (0..before.len()).filter(|&i| before[i] != after[i]).collect();
            torn(changed.len(), |keep| {
                let mut state = before.clone();
                let mut halfway = before.clone();
                for (_, &at) in changed.iter().enumerate().filter(|(i, _)| keep(*i)) {
                    state[at] = after[at];
                    // Of a byte that changes, any bits.
                    halfway[at] ^= (before[at] ^ after[at]) & rng.u8(..);
                }
                states.extend([state, halfway]);
            });
        }
        states.into_iter().map(medium).collect()
    }

    fn settled(&self) -> Self {
        medium(self.flash().bytes.clone())
    }

    fn flip(&mut self, slot: Slot, byte: usize, bit: u8) {
        self.flash_mut().bytes[OFFSET + slot.index() * BLOCK + byte] ^= 1 << bit;
    }
}
