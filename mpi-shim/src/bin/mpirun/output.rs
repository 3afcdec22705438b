//! Output with the rank before each line.

use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;

/// A line that is longer is cut here, so that a program without newlines does not fill the memory.
const LONGEST_LINE: usize = 64 << 10;

/// Where a rank's lines go.
#[derive(Clone, Copy)]
enum Sink {
    Output,
    Error,
}

/// One of the two outputs of a rank.
pub(crate) struct Stream {
    label: String,
    sink: Sink,
    source: std::fs::File,
    line: Vec<u8>,
}

impl Stream {
    /// The outputs that were opened as pipes.
    pub(crate) fn of(rank: u32, child: &mut Child) -> io::Result<Vec<Stream>> {
        let outputs = [
            (Sink::Output, child.stdout.take().map(OwnedFd::from)),
            (Sink::Error, child.stderr.take().map(OwnedFd::from)),
        ];
        let mut streams = Vec::new();
        for (sink, source) in outputs {
            let Some(source) = source else { continue };
            rustix::io::ioctl_fionbio(&source, true)?;
            streams.push(Stream { label: format!("[{rank}] "), sink, source: source.into(), line: Vec::new() });
        }
        Ok(streams)
    }

    /// What to wait for.
    pub(crate) fn poll(&self) -> PollFd<'_> {
        PollFd::from_borrowed_fd(self.source.as_fd(), PollFlags::IN)
    }

    /// Passes on what has come; false at the end.
    pub(crate) fn pump(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.source.read(&mut buffer) {
            Ok(0) => {
                self.flush();
                false
            }
            Ok(length) => {
                self.take(&buffer[..length]);
                true
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > LONGEST_LINE {
                self.end_line(&mut whole);
            }
        }
        self.write(&whole);
    }

    /// Writes a line that has no end yet.
    pub(crate) fn flush(&mut self) {
        if !self.line.is_empty() {
            let mut whole = Vec::new();
            self.end_line(&mut whole);
            self.write(&whole);
        }
    }

    fn end_line(&mut self, whole: &mut Vec<u8>) {
        whole.extend_from_slice(self.label.as_bytes());
        whole.append(&mut self.line);
        if !whole.ends_with(b"\n") {
            whole.push(b'\n');
        }
    }

    /// A reader that is gone is the ranks' affair: they are not ended for it.
    fn write(&self, bytes: &[u8]) {
        let _ = match self.sink {
            Sink::Output => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
            Sink::Error => io::stderr().write_all(bytes),
        };
    }
}
