//! EFI variables: replaced as a whole, in a store that keeps what was overwritten until the next boot.

use super::Simulated;
use std::io;
use twowire_route_store::Slot;
use twowire_route_store::medium::efi::{EfiMedium, Variables};

/// Bytes of the store.
const CAPACITY: usize = 600;

/// The variables of a firmware.
#[derive(Clone)]
pub(crate) struct Firmware {
    variables: [Option<Vec<u8>>; 2],
    used: usize,
    log: Vec<[Option<Vec<u8>>; 2]>,
}

impl Firmware {
    fn after_boot(variables: [Option<Vec<u8>>; 2]) -> EfiMedium<Firmware> {
        let used = variables.iter().flatten().map(Vec::len).sum();
        EfiMedium::new(Firmware { variables, used, log: Vec::new() })
    }
}

/// A firmware without our variables.
pub(crate) fn blank() -> EfiMedium<Firmware> {
    Firmware::after_boot([None, None])
}

impl Variables for Firmware {
    fn get(&mut self, slot: Slot) -> io::Result<Option<Vec<u8>>> {
        Ok(self.variables[slot.index()].clone())
    }

    fn set(&mut self, slot: Slot, data: &[u8]) -> io::Result<()> {
        if self.used + data.len() > CAPACITY {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.used += data.len();
        self.log.push(self.variables.clone());
        self.variables[slot.index()] = Some(data.to_vec());
        Ok(())
    }

    fn remove(&mut self, slot: Slot) -> io::Result<()> {
        self.log.push(self.variables.clone());
        self.variables[slot.index()] = None;
        Ok(())
    }
}

impl Simulated for EfiMedium<Firmware> {
    fn crash_states(&self) -> Vec<Self> {
        let states = self.variables().log.iter().chain([&self.variables().variables]);
        states.cloned().map(Firmware::after_boot).collect()
    }

    fn settled(&self) -> Self {
        Firmware::after_boot(self.variables().variables.clone())
    }

    fn flip(&mut self, slot: Slot, byte: usize, bit: u8) {
        if let Some(byte) = self.variables_mut().variables[slot.index()].as_mut().and_then(|data| data.get_mut(byte)) {
            *byte ^= 1 << bit;
        }
    }
}
