//! What comes from other processes: taken out of the rings and off the fabric, and given to receives, or kept until one asks for it.

use super::engine::{Engine, Requests};
use super::link::Outgoing;
use super::matching::Key;
use super::message::{Announced, Body, Kind, Message, Sender};
use super::request;
use crate::abi::{MPI_ERR_INTERN, MPI_Request, MPI_Status};
use crate::error::{Error, Result};

/// Messages taken from one source before the others have their turn.
const TURN: usize = 32;

/// A message on its way in, as it lies in a ring or came over the fabric.
struct Incoming<'a> {
    from: u32,
    kind: u8,
    key: Key,
    numbers: [u64; 3],
    first: &'a [u8],
    second: &'a [u8],
}

impl Incoming<'_> {
    fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    fn body(&self) -> Body {
        Body::Data([self.first, self.second].concat().into())
    }

    fn request(&self, index: usize) -> MPI_Request {
        MPI_Request(self.numbers[index] as usize)
    }
}

impl Engine {
    /// Takes in what has come, and sends what waited; true if there was anything.
    #[inline]
    pub fn poll(&mut self, requests: &mut Requests) -> Result<bool> {
        let mut any = false;
        if let Some(segment) = &self.ways.segment {
            if self.sources.has_strangers(segment) {
                self.sources.meet(segment);
            }
            if segment.is_asked() {
                any |= segment.help();
            }
            for index in 0..self.sources.list.len() {
                any |= self.poll_ring(requests, index)?;
            }
        }
        if self.ways.remote.is_some() {
            any |= self.poll_remote(requests)?;
        }
        any |= self.ways.flush_all(requests)?;
        if !any {
            self.ways.set_waits(true);
        }
        Ok(any)
    }

    #[inline]
    fn poll_ring(&mut self, requests: &mut Requests, index: usize) -> Result<bool> {
        for turn in 0..TURN {
            let source = &self.sources.list[index];
            let Some(head) = source.ring.peek() else { return Ok(turn > 0) };
            let (first, second) = head.payload();
            let key = Key { context: head.context, source: source.process as i32, tag: head.word.tag };
            let mut numbers = [0; 3];
            for (index, number) in numbers.iter_mut().enumerate().take(usize::from(head.word.prefix) / 8) {
                *number = head.prefix(index);
            }
            let from = source.process;
            self.take_in(requests, &Incoming { from, kind: head.word.kind, key, numbers, first, second })?;
            self.sources.list[index].ring.consume(&head);
        }
        Ok(true)
    }

    fn poll_remote(&mut self, requests: &mut Requests) -> Result<bool> {
        for turn in 0..TURN {
            let Some(remote) = &mut self.ways.remote else { return Ok(false) };
            // One look at the fabric a turn: whoever waits may have what it waits for.
            let came = if turn == 0 { remote.poll()? } else { remote.poll_ready()? };
            let Some(came) = came else { return Ok(turn > 0) };
            let header = came.header;
            let key = Key { context: header.context, source: came.process as i32, tag: header.tag };
            let (numbers, _) = header.numbers;
            let incoming =
                Incoming { from: came.process, kind: header.kind, key, numbers, first: &came.payload, second: &[] };
            self.take_in(requests, &incoming)?;
        }
        Ok(true)
    }

    /// True if there is something to take in, or room for what waits.
    pub fn has_work(&self) -> bool {
        let Some(segment) = &self.ways.segment else { return false };
        let mut sources = self.sources.list.iter();
        self.sources.has_strangers(segment)
            || segment.is_asked()
            || self.ways.is_waiting()
            || sources.any(|source| source.ring.peek().is_some())
    }

    /// Takes in one message.
    #[inline]
    fn take_in(&mut self, requests: &mut Requests, came: &Incoming<'_>) -> Result<()> {
        if came.kind != Kind::Eager as u8 {
            return self.take_in_other(requests, came);
        }
        if let Some(receive) = self.posted.take(&came.key) {
            request::deliver(requests, receive, &came.key, came.first, came.second);
            return Ok(());
        }
        self.keep(requests, came, None)
    }

    /// Keeps a message that nobody has asked for.
    fn keep(&mut self, requests: &mut Requests, came: &Incoming<'_>, synchronous: Option<u64>) -> Result<()> {
        self.unexpected.add(came.key, Message { sender: Sender::Process(came.from), body: came.body(), synchronous });
        if self.sources.hold(came.from, came.len()) {
            self.throttle(requests, came.from, true)?;
        }
        Ok(())
    }

    fn take_in_other(&mut self, requests: &mut Requests, came: &Incoming<'_>) -> Result<()> {
        let (key, numbers) = (came.key, came.numbers);
        match Kind::of(came.kind) {
            Some(Kind::Synchronous) => match self.posted.take(&key) {
                Some(receive) => {
                    request::deliver(requests, receive, &key, came.first, came.second);
                    self.ways.post(requests, came.from, Outgoing::control(Kind::Done, key, &numbers[..1]))?;
                }
                None => self.keep(requests, came, Some(numbers[0]))?,
            },
            Some(Kind::Announced) => {
                let announced = Announced { bytes: numbers[0], address: numbers[1], request: came.request(2) };
                let (sender, body) = (Sender::Process(came.from), Body::Announced(announced));
                let message = Message { sender, body, synchronous: None };
                match self.posted.take(&key) {
                    Some(receive) => self.accept(requests, receive, &key, message)?,
                    None => self.unexpected.add(key, message),
                }
            }
            Some(Kind::Parcel) => {
                let parcel = self.ways.cells(came.from)?.and_then(|cells| cells.parcel(numbers[0]));
                let parcel = parcel.ok_or_else(|| no_cell(came.from, numbers[0]))?;
                let sender = Sender::Process(came.from);
                match self.posted.take(&key) {
                    Some(receive) => self.deliver_parcel(requests, receive, &key, sender, parcel)?,
                    None => self.unexpected.add(key, Message { sender, body: Body::Parcel(parcel), synchronous: None }),
                }
            }
            Some(Kind::Done) => request::complete(requests, came.request(0), MPI_Status::EMPTY),
            Some(Kind::Wanted) => {
                let (request, receive, len) = (came.request(0), numbers[1], numbers[2] as usize);
                if let Some(buffer) = request::send_buffer(requests, request) {
                    let len = len.min(buffer.len());
                    let outgoing = Outgoing::Stream { key, buffer, position: 0, len, receive, request };
                    self.ways.post(requests, came.from, outgoing)?;
                }
            }
            Some(Kind::Data) => {
                request::append(requests, came.request(0), came.first);
                request::append(requests, came.request(0), came.second);
            }
            Some(Kind::Throttle) => self.ways.throttled(came.from, numbers[0] != 0)?,
            Some(Kind::Eager) | None => {
                let text = format!("process {} sent a message of the unknown kind {}", came.from, came.kind);
                return Err(Error::new(MPI_ERR_INTERN, text));
            }
        }
        Ok(())
    }
}

#[cold]
fn no_cell(from: u32, number: u64) -> Error {
    Error::new(MPI_ERR_INTERN, format!("process {from} sent a message in a cell that there is not: {number:#x}"))
}
