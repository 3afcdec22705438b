//! The engine: messages to and from every process, by rings, by copies between processes, and within this one.

use super::buffer::Buffer;
use super::link::Outgoing;
use super::matching::{ANY, Key, Posted, Unexpected};
use super::message::{Announced, Body, Kind, Message, Sender};
use super::request::{self, Request};
use super::source::Sources;
use super::traffic::{Traffic, Way};
use super::ways::{Ways, number};
use super::{Mode, Plane};
use crate::abi::{MPI_ERR_OTHER, MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::{Error, Result};
use crate::handles::Table;
use crate::launch::Job;
use crate::transport::shm::{Consumer, CopyError, Head, Parcel, Segment};
use std::hint::spin_loop;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::spec::FabricSpec;

/// The requests of the process.
pub type Requests = Table<Request>;

/// Up to this many bytes a message to this process itself is copied, so that its send is complete.
const OWN_EAGER: usize = 16 << 10;
/// Looks for a message before a receive waits for it as others do: answers of an exchange come within them.
const LOOKS: u32 = 100;

/// Messages of this process.
#[derive(Debug)]
pub struct Engine {
    me: u32,
    /// What was sent to this process itself.
    own: Traffic,
    pub(super) ways: Ways,
    pub(super) sources: Sources,
    pub(super) posted: Posted<MPI_Request>,
    pub(super) unexpected: Unexpected<Message>,
}

impl Engine {
    /// The engine of a process of `job`.
    pub fn new(job: &Job) -> Result<Engine> {
        // The crossbars of another process of this machine need a core as well.
        let software_crossbars = matches!(&job.seat, Some(seat) if matches!(seat.fabric, FabricSpec::Xbar(_)));
        super::progress::set_crowded(job.local.len() > cores() || software_crossbars);
        Ok(Engine {
            me: job.rank,
            own: Traffic::default(),
            ways: Ways::new(job)?,
            sources: Sources::new(&job.local, job.size),
            posted: Posted::default(),
            unexpected: Unexpected::default(),
        })
    }

    /// Whether some processes are reached over a fabric.
    pub fn uses_fabric(&self) -> bool {
        self.ways.remote.is_some()
    }

    /// By which ways this process reaches which others, and why; a line each.
    pub fn explain_ways(&self, job: &Job) -> Vec<String> {
        self.ways.explain(job)
    }

    /// What was sent to each process that anything was sent to, this one included.
    pub fn traffic(&self) -> Vec<(u32, Traffic)> {
        let mut all = self.ways.traffic();
        all.push((self.me, self.own.clone()));
        all
    }

    /// This process's number.
    pub fn me(&self) -> u32 {
        self.me
    }

    /// The memory shared with the node's other processes; none where there are no others.
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        self.ways.segment.as_ref()
    }

    /// A process's place among the node's; none if it is on another.
    pub fn place(&self, process: u32) -> Option<usize> {
        self.ways.place(process)
    }

    /// True if nothing waits to be sent.
    pub fn is_flushed(&self) -> bool {
        self.ways.is_flushed()
    }

    /// This process leaves once what it sent has arrived: that others have left before is no failure then.
    pub fn prepare_to_leave(&mut self) {
        if let Some(remote) = &mut self.ways.remote {
            remote.prepare_to_leave();
        }
    }

    /// Takes leave of the processes of other nodes.
    pub fn leave(&mut self) -> Result<()> {
        self.ways.remote.as_mut().map_or(Ok(()), |remote| remote.leave())
    }

    /// Waits for something to come over the fabric, at most for `limit`; false if there is no fabric.
    pub fn wait_remote(&mut self, limit: Duration) -> bool {
        self.ways.wait_remote(limit)
    }

    /// The key of a message from `source`, a process's number.
    #[inline]
    pub fn key(comm: &Comm, plane: Plane, source: i32, tag: i32) -> Key {
        Key { context: comm.context << 1 | plane as u64, source, tag }
    }

    /// Sends; the request to wait for, or none if that is done.
    #[inline(always)]
    pub fn send(
        &mut self,
        requests: &mut Requests,
        to: u32,
        key: &Key,
        buffer: &Buffer,
        mode: Mode,
    ) -> Result<Option<MPI_Request>> {
        if to == self.me {
            return Ok(self.send_to_self(requests, *key, buffer, mode));
        }
        if mode != Mode::Synchronous && self.ways.send_now(to, key, buffer)? {
            return Ok(None);
        }
        self.send_later(requests, to, *key, buffer, mode).map(Some)
    }

    /// Sends what waits for the receiver, or for room.
    #[inline(never)]
    fn send_later(
        &mut self,
        requests: &mut Requests,
        to: u32,
        key: Key,
        buffer: &Buffer,
        mode: Mode,
    ) -> Result<MPI_Request> {
        let announce = self.ways.must_announce(to, buffer.len())?;
        self.ways.count(to, &key, if announce { Way::Rendezvous } else { Way::Eager }, buffer.len())?;
        // What does not lie in one piece is packed, so that the other process can read it.
        let packed = (announce && buffer.run().is_none()).then(|| buffer.to_bytes());
        let address = packed.as_deref().map(<[u8]>::as_ptr).or(buffer.run().map(<*mut u8>::cast_const));
        let len = buffer.len();
        let request: MPI_Request =
            requests.insert(Request::new(request::Kind::Send { to, key, buffer: buffer.clone(), packed }));
        let outgoing = if announce {
            // It may calculate before it waits for the receiver.
            self.ways.set_waits(false);
            let numbers = [len as u64, address.map_or(0, |address| address as u64), number(request)];
            Outgoing::control(Kind::Announced, key, &numbers)
        } else {
            Outgoing::Eager { key, buffer: buffer.clone(), request, synchronous: mode == Mode::Synchronous }
        };
        self.ways.post(requests, to, outgoing)?;
        Ok(request)
    }

    #[inline(never)]
    fn send_to_self(&mut self, requests: &mut Requests, key: Key, buffer: &Buffer, mode: Mode) -> Option<MPI_Request> {
        self.own.add(key.plane(), Way::Eager, buffer.len());
        if let Some(receive) = self.posted.take(&key) {
            self.deliver_from(requests, receive, &key, buffer);
            return None;
        }
        if buffer.len() <= OWN_EAGER && mode != Mode::Synchronous {
            let body = Body::Data(buffer.to_bytes());
            self.unexpected.add(key, Message { sender: Sender::Oneself, body, synchronous: None });
            return None;
        }
        let bytes = buffer.len() as u64;
        let request: MPI_Request = requests.insert(Request::new(request::Kind::Send {
            to: self.me,
            key,
            buffer: buffer.clone(),
            packed: None,
        }));
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

    /// Receives at once, if the next message of the source that is asked for is the right one and comes within moments, and no other
    /// receive waits; what came.
    #[inline]
    pub fn receive_now(&mut self, asked: &Key, buffer: &Buffer) -> Option<(Key, usize)> {
        if asked.source == ANY || !self.posted.is_empty() || !self.unexpected.is_empty() {
            return None;
        }
        let looks = if self.is_undisturbed() { LOOKS } else { 0 };
        let source = self.sources.of(asked.source)?;
        let head = look(&source.ring, looks)?;
        let key = Key { context: head.context, source: asked.source, tag: head.word.tag };
        if !asked.takes(&key) {
            return None;
        }
        if head.word.kind == Kind::Parcel as u8 {
            let cells = self.ways.cells(source.process).ok()??;
            let parcel = cells.parcel(head.prefix(0)).filter(|parcel| parcel.bytes() <= buffer.len())?;
            let len = parcel.bytes();
            cells.read(&parcel, |position, piece| {
                buffer.write(position, piece);
            });
            cells.give(parcel);
            source.ring.consume(&head);
            return Some((key, len));
        }
        let len = usize::from(head.word.payload);
        if head.word.kind != Kind::Eager as u8 || len > buffer.len() {
            return None;
        }
        let (first, second) = head.payload();
        buffer.write(0, first);
        if !second.is_empty() {
            buffer.write(first.len(), second);
        }
        source.ring.consume(&head);
        Some((key, len))
    }

    /// True if nothing else may want this core or this process's attention for a moment.
    #[inline]
    fn is_undisturbed(&self) -> bool {
        !super::progress::is_crowded() && !self.ways.is_waiting() && self.ways.remote.is_none()
    }

    /// Receives; done at once if the message is here.
    #[inline(always)]
    pub fn receive(
        &mut self,
        requests: &mut Requests,
        asked: Key,
        buffer: Buffer,
        naming: request::Naming,
    ) -> Result<MPI_Request> {
        let request = match requests.reuse() {
            Some((request, left)) => {
                left.renew(buffer, asked, naming);
                request
            }
            None => insert_receive(requests, buffer, asked, naming),
        };
        if !self.unexpected.is_empty() && self.accept_unexpected(requests, request, asked)? {
            return Ok(request);
        }
        self.posted.post(asked, request);
        Ok(request)
    }

    /// A new receive takes a message that nobody had asked for; false if there is none for it.
    #[inline(never)]
    fn accept_unexpected(&mut self, requests: &mut Requests, receive: MPI_Request, asked: Key) -> Result<bool> {
        let Some((key, message)) = self.unexpected.take(&asked) else { return Ok(false) };
        self.accept(requests, receive, &key, message)?;
        Ok(true)
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
    ) -> Result<MPI_Request> {
        let request = requests.insert(Request::receive(buffer, key, naming));
        self.accept(requests, request, &key, message)?;
        Ok(request)
    }

    /// Takes a receive back; false if it has a message.
    pub fn cancel(&mut self, asked: &Key, request: MPI_Request) -> bool {
        self.posted.cancel(asked, request)
    }

    /// A receive takes a message.
    pub(super) fn accept(
        &mut self,
        requests: &mut Requests,
        receive: MPI_Request,
        key: &Key,
        message: Message,
    ) -> Result<()> {
        match message.body {
            Body::Data(bytes) => {
                self.release(requests, message.sender, bytes.len())?;
                request::deliver(requests, receive, key, &bytes, &[]);
            }
            Body::Parcel(parcel) => self.deliver_parcel(requests, receive, key, message.sender, parcel)?,
            Body::Announced(announced) => self.fetch(requests, receive, key, message.sender, announced)?,
        }
        if let (Some(request), Sender::Process(from)) = (message.synchronous, message.sender) {
            self.ways.post(requests, from, Outgoing::control(Kind::Done, *key, &[request]))?;
        }
        Ok(())
    }

    /// A receive takes a message out of a cell.
    pub(super) fn deliver_parcel(
        &mut self,
        requests: &mut Requests,
        receive: MPI_Request,
        key: &Key,
        sender: Sender,
        parcel: Parcel,
    ) -> Result<()> {
        let Sender::Process(from) = sender else { return Ok(()) };
        let Some(cells) = self.ways.cells(from)? else { return Ok(()) };
        request::receive_with(requests, receive, key, parcel.bytes(), |buffer| {
            cells.read(&parcel, |position, piece| {
                buffer.write(position, piece);
            });
        });
        cells.give(parcel);
        Ok(())
    }

    /// The data of an unexpected message is no longer held.
    fn release(&mut self, requests: &mut Requests, sender: Sender, len: usize) -> Result<()> {
        match sender {
            Sender::Process(from) if self.sources.release(from, len) => self.throttle(requests, from, false),
            _ => Ok(()),
        }
    }

    /// Tells a process of another node whether to announce its messages.
    #[cold]
    pub(super) fn throttle(&mut self, requests: &mut Requests, process: u32, on: bool) -> Result<()> {
        let key = Key { context: 0, source: 0, tag: 0 };
        self.ways.post(requests, process, Outgoing::control(Kind::Throttle, key, &[on.into()]))
    }

    /// Gets the data of an announced message.
    fn fetch(
        &mut self,
        requests: &mut Requests,
        receive: MPI_Request,
        key: &Key,
        sender: Sender,
        announced: Announced,
    ) -> Result<()> {
        let Sender::Process(from) = sender else {
            self.fetch_own(requests, receive, key, announced.request);
            return Ok(());
        };
        let Some(to) = request::receive_buffer(requests, receive) else { return Ok(()) };
        let len = to.len().min(announced.bytes as usize);
        let copied = if len == 0 { Ok(()) } else { self.ways.copy(from, announced.address, &to, len) };
        let answer = match copied {
            Ok(()) => {
                request::finish(requests, receive, key, announced.bytes as usize);
                Outgoing::control(Kind::Done, *key, &[number(announced.request)])
            }
            Err(CopyError::Refused) => {
                request::expect(requests, receive, key, announced.bytes as usize);
                Outgoing::control(Kind::Wanted, *key, &[number(announced.request), number(receive), len as u64])
            }
            Err(CopyError::Failed(error)) => {
                let text = format!("the memory of process {from} cannot be read: {error}");
                request::fail(requests, receive, Error::new(MPI_ERR_OTHER, text));
                Outgoing::control(Kind::Done, *key, &[number(announced.request)])
            }
        };
        self.ways.post(requests, from, answer)
    }

    fn fetch_own(&mut self, requests: &mut Requests, receive: MPI_Request, key: &Key, send: MPI_Request) {
        if let Some(from) = request::send_buffer(requests, send) {
            self.deliver_from(requests, receive, key, &from);
        }
        request::complete(requests, send, MPI_Status::EMPTY);
    }
}

#[inline(never)]
fn insert_receive(requests: &mut Requests, buffer: Buffer, asked: Key, naming: request::Naming) -> MPI_Request {
    requests.insert(Request::receive(buffer, asked, naming))
}

/// The next message of a ring, if it comes within so many looks.
#[inline]
fn look(ring: &Consumer, looks: u32) -> Option<Head> {
    for _ in 0..looks {
        let head = ring.peek();
        if head.is_some() {
            return head;
        }
        spin_loop();
    }
    ring.peek()
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
