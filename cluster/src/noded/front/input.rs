//! Standard input, which goes to the host of rank 0.

use super::super::wire::Message;
use super::FrontEnd;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use twowire_fabric::protocol::Port;

/// Bytes of a piece of input.
const PIECE: usize = 32 << 10;

impl<P: Port> FrontEnd<P> {
    /// Hands input to the host of rank 0, a piece at a time.
    pub(super) fn feed(&mut self) {
        let Some(input) = self.input.as_ref().filter(|_| !self.fed) else { return };
        let (piece, is_end) = match input.try_recv() {
            Ok(piece) => (piece, false),
            Err(std::sync::mpsc::TryRecvError::Empty) => return,
            Err(_) => (Vec::new(), true),
        };
        self.fed = true;
        if is_end {
            self.input = None;
        }
        let Some(member) = self.members.first_mut() else { return };
        match (&mut member.link, &mut member.here) {
            (Some(link), _) => link.send(&mut self.endpoint, &Message::Input(piece)),
            (None, Some(part)) => part.input(piece),
            (None, None) => {}
        }
    }
}

/// Reads standard input, a piece ahead. The thread ends with the process: it may wait for a line that nobody types.
pub(super) fn read() -> Receiver<Vec<u8>> {
    let (say, pieces): (SyncSender<Vec<u8>>, _) = sync_channel(1);
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        loop {
            match io::stdin().read(&mut buffer) {
                Ok(len) if len > 0 => {
                    if say.send(buffer[..len].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    });
    pieces
}
