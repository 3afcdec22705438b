//! A block device: a sector at a time, which a power cut may tear or make unreadable.

use super::{Simulated, torn};
use std::io;
use twowire_route_store::{Medium, Slot};

/// Bytes of a sector.
pub(crate) const SECTOR: usize = 512;

/// Two sectors; `None` for one that cannot be read until it is written again.
#[derive(Clone)]
pub(crate) struct Sectors {
    sectors: [Option<Vec<u8>>; 2],
    log: Vec<(Slot, Option<Vec<u8>>, Vec<u8>)>,
}

impl Sectors {
    pub(crate) fn blank() -> Sectors {
        Sectors { sectors: [Some(vec![0; SECTOR]), Some(vec![0; SECTOR])], log: Vec::new() }
    }
}

impl Medium for Sectors {
    fn slot_len(&self) -> usize {
        SECTOR
    }

    fn read(&mut self, slot: Slot, buffer: &mut [u8]) -> io::Result<()> {
        let sector = self.sectors[slot.index()].as_ref().ok_or_else(|| io::Error::other("medium error"))?;
        buffer.copy_from_slice(&sector[..buffer.len()]);
        Ok(())
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> io::Result<()> {
        let mut sector = bytes.to_vec();
        sector.resize(SECTOR, 0);
        let old = self.sectors[slot.index()].replace(sector.clone());
        self.log.push((slot, old, sector));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Simulated for Sectors {
    fn crash_states(&self) -> Vec<Sectors> {
        let mut states = vec![self.settled()];
        let mut sectors = self.sectors.clone();
        for (slot, old, new) in self.log.iter().rev() {
            let mut push = |sector: Option<Vec<u8>>| {
                let mut state = sectors.clone();
                state[slot.index()] = sector;
                states.push(Sectors { sectors: state, log: Vec::new() });
            };
            push(None);
            if let Some(old) = old {
                torn(SECTOR, |keep| {
                    push(Some((0..SECTOR).map(|i| if keep(i) { new[i] } else { old[i] }).collect()));
                });
            }
            sectors[slot.index()] = old.clone();
        }
        states.push(Sectors { sectors, log: Vec::new() });
        states
    }

    fn settled(&self) -> Sectors {
        Sectors { sectors: self.sectors.clone(), log: Vec::new() }
    }

    fn flip(&mut self, slot: Slot, byte: usize, bit: u8) {
        if let Some(sector) = &mut self.sectors[slot.index()] {
            sector[byte] ^= 1 << bit;
        }
    }
}
