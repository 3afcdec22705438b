//! A signed manifest that is too long for a frame is called in several.

use std::collections::VecDeque;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::wire::boot::Call;
use twowire_fabric::wire::{Header, Packet};

/// Cuts calls so that they fit the port.
pub(super) struct CallParts {
    max_payload: usize,
    /// The parts that follow one that was sent.
    waiting: VecDeque<Transmit>,
}

impl CallParts {
    /// For a port with so large payloads.
    pub(super) fn new(max_payload: usize) -> CallParts {
        CallParts { max_payload, waiting: VecDeque::new() }
    }

    /// The next part of the last call that was cut.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.waiting.pop_front()
    }

    /// What is to be sent of this now: itself, or the first part of a call that is too long.
    pub(super) fn cut(&mut self, transmit: Transmit) -> Transmit {
        let Header::Call(call) = transmit.packet.header else { return transmit };
        let payload = &transmit.packet.payload;
        let parts = payload.len().div_ceil(self.max_payload);
        if parts <= 1 {
            return transmit;
        }
        let (len, parts) = (payload.len().div_ceil(parts), parts as u8);
        let cut = (0..parts).zip((0..payload.len()).step_by(len)).map(|(part, start)| {
            let bytes = payload.slice(start..payload.len().min(start + len));
            Transmit::new(transmit.path, Packet::with_payload(Call { part, parts, ..call }, bytes))
        });
        self.waiting.extend(cut);
        self.waiting.pop_front().expect("a call that is too long has parts")
    }
}
