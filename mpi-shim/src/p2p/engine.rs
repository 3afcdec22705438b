//! The engine: messages to and from every process, by rings, by copies between processes, and within this one.

use super::buffer::Buffer;
use super::link::{Link, Outgoing};
use super::matching::{ANY, Key, Posted, Unexpected};
use super::message::{Announced, Body, Kind, Message, Sender};
use super::request::{self, Request};
use super::source::Source;
use super::{Mode, Plane};
use crate::abi::{MPI_ERR_OTHER, MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::{Error, Result};
use crate::handles::Table;
use crate::launch::Job;
use crate::transport::shm::{CopyError, Head, Segment};
use std::sync::Arc;

/// The requests of the process.
pub type Requests = Table<Request>;

/// Up to this many bytes a message is sent before anybody has asked for it, if the ring takes it.
const EAGER: usize = 16 << 10;
/// Messages taken from one source before the others have their turn.
const TURN: usize = 32;
/// A process of another node, in the table of places.
const ELSEWHERE: u32 = u32::MAX;

/// Messages of this process.
#[derive(Debug)]
pub struct Engine {
    me: u32,
    segment: Option<Arc<Segment>>,
    /// Each process's place among the node's.
    places: Vec<u32>,
    /// The process at each place.
    processes: Vec<u32>,
    /// The rings to the processes at each place, made when first used.
    links: Vec<Option<Box<Link>>>,
    /// The rings from the processes that ever sent.
    sources: Vec<Source>,
    /// Where the process at each place is in `sources`.
    source_at: Vec<Option<u32>>,
    /// The senders that are in `sources`, a bit for each place.
    known: Vec<u64>,
    posted: Posted<MPI_Request>,
    unexpected: Unexpected<Message>,
    /// Outgoing messages and controls that found no room in a ring.
    queued: usize,
    /// False once the kernel refused to read another process's memory.
    may_copy: bool,
}

impl Engine {
    /// The engine of a process of `job`.
    pub fn new(job: &Job) -> Result<Engine> {
        let me = job.local.iter().position(|&process| process == job.rank).unwrap_or(0);
        let segment = match &job.memory {
            Some(memory) => {
                let memory = memory.try_clone().map_err(|error| Error::new(MPI_ERR_OTHER, error.to_string()))?;
                Some(Arc::new(Segment::map(memory, me, job.local.len())?))
            }
            None => None,
        };
        let mut places = vec![ELSEWHERE; job.size as usize];
        for (place, &process) in job.local.iter().enumerate() {
            places[process as usize] = place as u32;
        }
        let count = job.local.len();
        super::progress::set_crowded(count > cores());
        Ok(Engine {
            me: job.rank,
            segment,
            places,
            processes: job.local.clone(),
            links: (0..count).map(|_| None).collect(),
            sources: Vec::new(),
            source_at: vec![None; count],
            known: vec![0; count.div_ceil(64)],
            posted: Posted::default(),
            unexpected: Unexpected::default(),
            queued: 0,
            may_copy: true,
        })
    }

    /// This process's number.
    pub fn me(&self) -> u32 {
        self.me
    }

    /// The memory shared with the node's other processes; none in a job of one.
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        self.segment.as_ref()
    }

    /// A process's place among the node's; none if it is on another.
    pub fn place(&self, process: u32) -> Option<usize> {
        let place = self.places[process as usize];
        (place != ELSEWHERE).then_some(place as usize)
    }

    /// True if nothing waits for room in a ring.
    pub fn is_flushed(&self) -> bool {
        self.queued == 0
    }

    /// The key of a message from `source`, a process's number.
    #[inline]
    pub fn key(comm: &Comm, plane: Plane, source: i32, tag: i32) -> Key {
        Key { context: comm.context << 1 | plane as u64, source, tag }
    }

    /// Sends; the request to wait for, or none if that is done.
    #[inline]
    pub fn send(
        &mut self,
        requests: &mut Requests,
        to: u32,
        key: Key,
        buffer: Buffer,
        mode: Mode,
    ) -> Result<Option<MPI_Request>> {
        if to == self.me {
            return Ok(self.send_to_self(requests, key, buffer, mode));
        }
        let place = self.places[to as usize];
        if place == ELSEWHERE {
            return Err(Error::unsupported(format!("process {to} is on another node")));
        }
        let segment = self.segment.as_ref().expect("processes of one node share memory");
        let link = self.links[place as usize]
            .get_or_insert_with(|| Box::new(Link::new(segment.producer(place as usize), EAGER)));
        let len = buffer.len();
        if len <= link.eager_limit() && mode != Mode::Synchronous && link.is_free() && link.push_eager(key, &buffer) {
            segment.wake(place as usize);
            return Ok(None);
        }
        Ok(Some(self.send_later(requests, place as usize, key, buffer, mode)))
    }

    /// Sends a user's message.
    #[inline]
    pub fn send_on(
        &mut self,
        requests: &mut Requests,
        comm: &Comm,
        to: u32,
        tag: i32,
        buffer: Buffer,
        mode: Mode,
    ) -> Result<Option<MPI_Request>> {
        let key = Engine::key(comm, Plane::User, self.me as i32, tag);
        self.send(requests, to, key, buffer, mode)
    }

    /// Sends what waits for the receiver, or for room.
    fn send_later(
        &mut self,
        requests: &mut Requests,
        place: usize,
        key: Key,
        buffer: Buffer,
        mode: Mode,
    ) -> MPI_Request {
        let link = self.links[place].as_mut().expect("made by the caller");
        let announce = buffer.len() > link.eager_limit() || link.is_throttled();
        // What does not lie in one piece is packed, so that the other process can read it.
        let packed = (announce && buffer.run().is_none()).then(|| buffer.to_bytes());
        let address = packed.as_deref().map(<[u8]>::as_ptr).or(buffer.run().map(<*mut u8>::cast_const));
        let len = buffer.len();
        let request: MPI_Request =
            requests.insert(Request::new(request::Kind::Send { buffer: buffer.clone(), packed }));
        let outgoing = if announce {
            let numbers = [len as u64, address.map_or(0, |address| address as u64), usize::from(request) as u64];
            Outgoing::control(Kind::Announced, key, &numbers)
        } else {
            Outgoing::Eager { key, buffer, request, synchronous: mode == Mode::Synchronous }
        };
        self.post(requests, place, outgoing);
        request
    }

    /// Puts something behind all else that goes to a process.
    fn post(&mut self, requests: &mut Requests, place: usize, outgoing: Outgoing) {
        let segment = self.segment.as_ref().expect("there is a ring");
        let link = self.links[place].get_or_insert_with(|| Box::new(Link::new(segment.producer(place), EAGER)));
        link.queue.push_back(outgoing);
        self.queued += 1;
        self.flush(requests, place);
    }

    fn flush(&mut self, requests: &mut Requests, place: usize) {
        let Some(link) = &mut self.links[place] else { return };
        let mut sent = false;
        while let Some(outgoing) = link.queue.pop_front() {
            match link.push(&outgoing) {
                Pushed::All => {
                    self.queued -= 1;
                    if let Some(request) = outgoing.completes() {
                        request::complete(requests, request, MPI_Status::EMPTY);
                    }
                }
                Pushed::Some(rest) => link.queue.push_front(rest),
                Pushed::None => {
                    link.queue.push_front(outgoing);
                    break;
                }
            }
            sent = true;
        }
        if sent {
            self.segment.as_ref().expect("there is a ring").wake(place);
        }
    }

    fn send_to_self(&mut self, requests: &mut Requests, key: Key, buffer: Buffer, mode: Mode) -> Option<MPI_Request> {
        if let Some(receive) = self.posted.take(&key) {
            self.deliver_from(requests, receive, &key, &buffer);
            return None;
        }
        if buffer.len() <= EAGER && mode != Mode::Synchronous {
            let body = Body::Data(buffer.to_bytes());
            self.unexpected.add(key, Message { sender: Sender::Oneself, body, synchronous: None });
            return None;
        }
        let bytes = buffer.len() as u64;
        let request: MPI_Request = requests.insert(Request::new(request::Kind::Send { buffer, packed: None }));
        let body = Body::Announced(Announced { bytes, address: 0, request });
        self.unexpected.add(key, Message { sender: Sender::Oneself, body, synchronous: None });
        Some(request)
    }

    /// Hands a buffer of this process to a receive.
    fn deliver_from(&mut self, requests: &mut Requests, receive: MPI_Request, key: &Key, from: &Buffer) {
        let Some(to) = request::receive_buffer(requests, receive) else { return };
        let len = from.len().min(to.len());
        from.copy_to(&to, len);
        request::finish(requests, receive, key, from.len());
    }

    /// Receives at once, if the next message of the source that is asked for is the right one, and no other receive waits; what came.
    #[inline]
    pub fn receive_now(&mut self, asked: &Key, buffer: &Buffer) -> Option<(Key, usize)> {
        if asked.source == ANY || !self.posted.is_empty() || !self.unexpected.is_empty() {
            return None;
        }
        let place = *self.places.get(asked.source as usize)?;
        let index = (*self.source_at.get(place as usize)?)?;
        let source = &mut self.sources[index as usize];
        let head = source.ring.peek()?;
        let key = Key { context: head.context, source: asked.source, tag: head.word.tag };
        let len = usize::from(head.word.payload);
        if head.word.kind != Kind::Eager as u8 || !asked.takes(&key) || len > buffer.len() {
            return None;
        }
        let (first, second) = source.ring.payload(&head);
        buffer.write(0, first);
        if !second.is_empty() {
            buffer.write(first.len(), second);
        }
        source.ring.consume(&head);
        Some((key, len))
    }

    /// Receives; done at once if the message is here.
    #[inline]
    pub fn receive(
        &mut self,
        requests: &mut Requests,
        asked: Key,
        buffer: Buffer,
        naming: request::Naming,
    ) -> MPI_Request {
        let request: MPI_Request =
            requests.insert(Request::new(request::Kind::Receive { buffer, asked, naming, received: 0, total: 0 }));
        if !self.unexpected.is_empty()
            && let Some((key, message)) = self.unexpected.take(&asked)
        {
            self.accept(requests, request, &key, message);
            return request;
        }
        self.posted.post(asked, request);
        request
    }

    /// The earliest message that a receive would take.
    pub fn probe(&mut self, asked: &Key) -> Option<(Key, u64)> {
        let (key, message) = self.unexpected.find(asked)?;
        Some((*key, message.bytes()))
    }

    /// Takes that message away from all receives but the one that will be given it.
    pub fn take(&mut self, asked: &Key) -> Option<(Key, Message)> {
        self.unexpected.take(asked)
    }

    /// Gives a message that was taken to a new receive.
    pub fn receive_taken(
        &mut self,
        requests: &mut Requests,
        key: Key,
        message: Message,
        buffer: Buffer,
        naming: request::Naming,
    ) -> MPI_Request {
        let kind = request::Kind::Receive { buffer, asked: key, naming, received: 0, total: 0 };
        let request = requests.insert(Request::new(kind));
        self.accept(requests, request, &key, message);
        request
    }

    /// Takes a receive back; false if it has a message.
    pub fn cancel(&mut self, asked: &Key, request: MPI_Request) -> bool {
        self.posted.cancel(asked, request)
    }

    /// A receive takes an unexpected message.
    fn accept(&mut self, requests: &mut Requests, receive: MPI_Request, key: &Key, message: Message) {
        match message.body {
            Body::Data(bytes) => {
                self.release(message.sender, bytes.len());
                request::deliver(requests, receive, key, &bytes, &[]);
            }
            Body::Announced(announced) => self.fetch(requests, receive, key, message.sender, announced),
        }
        if let (Some(request), Sender::Place(place)) = (message.synchronous, message.sender) {
            self.post(requests, place, Outgoing::control(Kind::Done, *key, &[request]));
        }
    }

    /// The data of an unexpected message is no longer held.
    fn release(&mut self, sender: Sender, len: usize) {
        let index = match sender {
            Sender::Place(place) => self.source_at[place],
            Sender::Oneself => None,
        };
        if let Some(index) = index {
            self.sources[index as usize].release(len);
        }
    }

    /// Gets the data of an announced message.
    fn fetch(&mut self, requests: &mut Requests, receive: MPI_Request, key: &Key, sender: Sender, from: Announced) {
        let Sender::Place(place) = sender else { return self.fetch_own(requests, receive, key, from.request) };
        let Some(to) = request::receive_buffer(requests, receive) else { return };
        let len = to.len().min(from.bytes as usize);
        let copied = if len == 0 { Ok(()) } else { self.copy(place, from.address, &to, len) };
        match copied {
            Ok(()) => request::finish(requests, receive, key, from.bytes as usize),
            Err(CopyError::Refused) => {
                request::expect(requests, receive, key, len, from.bytes as usize);
                let numbers = [usize::from(from.request) as u64, usize::from(receive) as u64, len as u64];
                return self.post(requests, place, Outgoing::control(Kind::Wanted, *key, &numbers));
            }
            Err(CopyError::Failed(error)) => {
                let text = format!("the memory of process {} cannot be read: {error}", self.processes[place]);
                request::fail(requests, receive, Error::new(MPI_ERR_OTHER, text));
            }
        }
        self.post(requests, place, Outgoing::control(Kind::Done, *key, &[usize::from(from.request) as u64]));
    }

    fn fetch_own(&mut self, requests: &mut Requests, receive: MPI_Request, key: &Key, send: MPI_Request) {
        if let Some(from) = request::send_buffer(requests, send) {
            self.deliver_from(requests, receive, key, &from);
        }
        request::complete(requests, send, MPI_Status::EMPTY);
    }

    /// Copies `len` bytes at an address in another process.
    fn copy(&mut self, place: usize, address: u64, to: &Buffer, len: usize) -> Result<(), CopyError> {
        let segment = self.segment.as_ref().expect("there is a ring");
        let pid = if self.may_copy && address != 0 { segment.pid(place) } else { None };
        let copied = match pid {
            Some(pid) => to.read_from_process(pid, address, len),
            None => Err(CopyError::Refused),
        };
        if matches!(copied, Err(CopyError::Refused)) {
            self.may_copy = false;
        }
        copied
    }

    /// Takes in what has come, and sends what waited; true if there was anything.
    #[inline]
    pub fn poll(&mut self, requests: &mut Requests) -> bool {
        let Some(segment) = &self.segment else { return false };
        for word in 0..self.known.len() {
            if segment.incoming(word) != self.known[word] {
                self.meet(word);
                break;
            }
        }
        let mut any = false;
        for index in 0..self.sources.len() {
            for _ in 0..TURN {
                let Some(head) = self.sources[index].ring.peek() else { break };
                any = true;
                self.take_in(requests, index, &head);
                self.sources[index].ring.consume(&head);
            }
        }
        if self.queued > 0 {
            any |= self.flush_all(requests);
        }
        any
    }

    /// True if there is something to take in, or room for what waits.
    pub fn has_work(&self) -> bool {
        let Some(segment) = &self.segment else { return false };
        let strangers = (0..self.known.len()).any(|word| segment.incoming(word) != self.known[word]);
        strangers || self.queued > 0 || self.sources.iter().any(|source| source.ring.peek().is_some())
    }

    #[cold]
    fn meet(&mut self, word: usize) {
        let segment = self.segment.as_ref().expect("asked by poll");
        let mut fresh = segment.incoming(word) & !self.known[word];
        self.known[word] |= fresh;
        while fresh != 0 {
            let place = word * 64 + fresh.trailing_zeros() as usize;
            fresh &= fresh - 1;
            self.source_at[place] = Some(self.sources.len() as u32);
            self.sources.push(Source::new(place, self.processes[place], segment.consumer(place)));
        }
    }

    #[cold]
    fn flush_all(&mut self, requests: &mut Requests) -> bool {
        let before = self.queued;
        for place in 0..self.links.len() {
            if self.links[place].as_ref().is_some_and(|link| !link.queue.is_empty()) {
                self.flush(requests, place);
            }
        }
        self.queued != before
    }

    /// Takes in one message of a source.
    #[inline]
    fn take_in(&mut self, requests: &mut Requests, index: usize, head: &Head) {
        let source = &mut self.sources[index];
        let key = Key { context: head.context, source: source.process as i32, tag: head.word.tag };
        if head.word.kind == Kind::Eager as u8 {
            let (first, second) = source.ring.payload(head);
            if let Some(receive) = self.posted.take(&key) {
                return request::deliver(requests, receive, &key, first, second);
            }
            let body = Body::Data([first, second].concat().into());
            let sender = Sender::Place(source.place);
            source.hold(head.word.payload.into());
            return self.unexpected.add(key, Message { sender, body, synchronous: None });
        }
        self.take_in_other(requests, index, key, head);
    }

    fn take_in_other(&mut self, requests: &mut Requests, index: usize, key: Key, head: &Head) {
        let source = &mut self.sources[index];
        let numbers = [0, 1, 2].map(|index| source.ring.prefix(index));
        let request = |index: usize| MPI_Request(numbers[index] as usize);
        let (place, sender) = (source.place, Sender::Place(source.place));
        match Kind::of(head.word.kind) {
            Some(Kind::Synchronous) => {
                let (first, second) = source.ring.payload(head);
                let body = Body::Data([first, second].concat().into());
                source.hold(head.word.payload.into());
                self.arrive(requests, key, Message { sender, body, synchronous: Some(numbers[0]) });
            }
            Some(Kind::Announced) => {
                let announced = Announced { bytes: numbers[0], address: numbers[1], request: request(2) };
                let message = Message { sender, body: Body::Announced(announced), synchronous: None };
                self.arrive(requests, key, message);
            }
            Some(Kind::Done) => request::complete(requests, request(0), MPI_Status::EMPTY),
            Some(Kind::Wanted) => {
                let (request, receive, len) = (request(0), numbers[1], numbers[2] as usize);
                if let Some(buffer) = request::send_buffer(requests, request) {
                    self.post(requests, place, Outgoing::Stream { key, buffer, position: 0, len, receive, request });
                }
            }
            Some(Kind::Data) => {
                let (first, second) = source.ring.payload(head);
                request::append(requests, request(0), first);
                request::append(requests, request(0), second);
            }
            Some(Kind::Eager) | None => unreachable!("kind {} in a ring", head.word.kind),
        }
    }

    /// A message is here: to the receive that waits for it, or into the queue.
    fn arrive(&mut self, requests: &mut Requests, key: Key, message: Message) {
        match self.posted.take(&key) {
            Some(receive) => self.accept(requests, receive, &key, message),
            None => self.unexpected.add(key, message),
        }
    }
}

/// The cores of this node, whichever of them this process may use: the others have the rest.
fn cores() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(last.parse::<usize>().ok()? + 1 - first.parse::<usize>().ok()?)
    };
    let count = text.trim().split(',').filter_map(range).sum();
    if count == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { count }
}

/// How much of something went into a ring.
pub(super) enum Pushed {
    /// All.
    All,
    /// Some; this is left.
    Some(Outgoing),
    /// Nothing: there is no room.
    None,
}
