//! The agent of a host: starts what front ends send, and ends it when they are gone.

use super::channel::{Ends, Greeting, NONCE, Secret, Side, refusal};
use super::link::Link;
use super::part::{Part, Said};
use super::sessions::{Admission, Session, Sessions};
use super::site::Site;
use super::wire::{Blob, Message, Start};
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};
use twowire_fabric::endpoint::{Endpoint, Event, PortEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Port, PortError};
use twowire_fabric::raw::{self, Device};

/// Lanes for ranks.
const LANES: std::ops::Range<u16> = 1..0x4000;
/// How long to wait for frames while nothing runs, and while programs do, whose output is looked for as often.
const IDLE: Duration = Duration::from_millis(500);
const BUSY: Duration = Duration::from_millis(10);
/// The same for a while after something came or was said.
const EAGER: Duration = Duration::from_millis(1);
/// How long that while is.
const EAGER_FOR: Duration = Duration::from_millis(50);
/// The agent of a host.
pub struct Agent<P> {
    endpoint: PortEndpoint<P>,
    site: Site,
    secret: Secret,
    sessions: Sessions,
    /// Parts whose front end is gone, until they have ended.
    ending: Vec<Part>,
    stirred: Instant,
}

/// Says what happens, for a log.
type Log<'a> = &'a mut dyn FnMut(&str);

impl<P: Port> Agent<P> {
    /// The agent of a host behind this port, a lane of its device.
    #[expect(clippy::disallowed_methods, reason = "an agent runs in real time")]
    pub fn new(port: P, site: Site, secret: Secret) -> Agent<P> {
        let incarnation = u64::from_le_bytes(nonce()[..8].try_into().unwrap_or_default());
        let endpoint = PortEndpoint::new(port, super::config(), incarnation);
        let (sessions, ending) = (Sessions::default(), Vec::new());
        Agent { endpoint, site, secret, sessions, ending, stirred: Instant::now() }
    }

    /// Serves until `stop` says so, which is told whether a front end is there; then what runs is ended.
    #[expect(clippy::disallowed_methods, reason = "an agent runs in real time")]
    pub fn run(&mut self, mut stop: impl FnMut(bool) -> bool, log: Log<'_>) -> Result<(), PortError> {
        while !stop(self.sessions.iter().any(Session::is_proven)) {
            while let Some(event) = self.endpoint.poll()? {
                self.stirred = Instant::now();
                self.happened(event, log);
            }
            self.listen(Instant::now())?;
            let limit = match () {
                () if self.stirred.elapsed() < EAGER_FOR => EAGER,
                () if self.ending.is_empty() && self.sessions.iter().all(|session| session.part.is_none()) => IDLE,
                () => BUSY,
            };
            let until = self.endpoint.now() + limit;
            self.endpoint.wait(until)?;
        }
        self.close()
    }

    /// Takes leave of all front ends; their parts die.
    fn close(&mut self) -> Result<(), PortError> {
        for peer in self.sessions.clear() {
            self.endpoint.disconnect(peer);
        }
        let now = self.endpoint.now();
        self.endpoint.wait(now)
    }

    fn happened(&mut self, event: Event, log: Log<'_>) {
        match event {
            Event::Message { peer, message } => self.message(peer, &message, log),
            Event::PeerRestarted { peer } | Event::Disconnected { peer } | Event::PeerUnreachable { peer, .. } => {
                self.lost(peer, log);
            }
            _ => {}
        }
    }

    /// A front end is gone, and what it started goes too.
    #[expect(clippy::disallowed_methods, reason = "an agent runs in real time")]
    fn lost(&mut self, peer: UniqueId, log: Log<'_>) {
        let Some(session) = self.sessions.remove(peer) else { return };
        if let Some(mut part) = session.part {
            log(&format!("the front end {peer} is gone; its programs are ended"));
            part.end(Instant::now());
            self.ending.push(part);
        }
    }

    fn message(&mut self, peer: UniqueId, bytes: &[u8], log: Log<'_>) {
        if let Some(message) = self.sessions.open(peer, bytes) {
            return self.asked(peer, message, log);
        }
        match self.secret.greeting(bytes, None) {
            Some(Greeting::Hello(front)) if !self.sessions.contains(peer) => self.admit(peer, &front, log),
            _ => {
                log(&format!("{peer}: a message of somebody who does not know the secret, or in the wrong place"));
                self.refuse(peer, "it has another secret");
            }
        }
    }

    fn refuse(&mut self, peer: UniqueId, why: &str) {
        // Nothing is lost if the stranger is not told.
        let _ = self.endpoint.send(peer, refusal(why).into());
    }

    /// Somebody says hello.
    fn admit(&mut self, peer: UniqueId, front: &[u8; NONCE], log: Log<'_>) {
        match self.sessions.make_room() {
            Admission::Free => {}
            Admission::InPlaceOf(other) => {
                log(&format!("{other}: a hello, and nothing after it that proves to know the secret"));
                self.endpoint.disconnect(other);
            }
            Admission::Full => {
                log(&format!("{peer}: a front end too many"));
                return self.refuse(peer, "it serves too many front ends");
            }
        }
        self.greet(peer, front);
    }

    fn greet(&mut self, peer: UniqueId, front: &[u8; NONCE]) {
        let mine = nonce();
        let _ = self.endpoint.send(peer, self.secret.challenge(front, &mine).into());
        let ends = Ends { front: peer, agent: self.endpoint.unique_id() };
        let link = Link::new(peer, self.secret.channel(Side::Agent, ends, front, &mine));
        self.sessions.greet(peer, link);
    }

    /// A front end that knows the secret asks for something.
    fn asked(&mut self, peer: UniqueId, message: Message, log: Log<'_>) {
        let answer = match message {
            Message::Reserve(count) => Some(self.reserve(peer, count)),
            Message::Start(start) => {
                log(&format!("{peer}: ranks {} to {}", start.first, start.first + start.count.saturating_sub(1)));
                self.start(peer, &start).err().map(Message::Refused)
            }
            Message::Need(blobs) => self.need(peer, &blobs, log),
            Message::Piece(bytes) => self.take_piece(peer, &bytes).err().map(Message::Refused),
            other => {
                self.pass_on(peer, other);
                None
            }
        };
        if let (Some(answer), Some(session)) = (answer, self.sessions.get_mut(peer)) {
            session.link.send(&mut self.endpoint, &answer);
        }
    }

    fn start(&mut self, peer: UniqueId, start: &Start) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(peer) else { return Ok(()) };
        if session.incoming.as_ref().is_some_and(|incoming| !incoming.is_done()) {
            return Err("the job is to start before its programs have come".to_owned());
        }
        let directory = String::from_utf8_lossy(&start.directory);
        let failed = |error| format!("mpirun cannot be started in {directory}: {error}");
        let seats = self.site.prepare(start).and_then(|()| self.site.seats(start)).map_err(failed)?;
        session.part = Some(Part::start(start, &seats).map_err(failed)?);
        Ok(())
    }

    /// A front end has these files to send.
    fn need(&mut self, peer: UniqueId, blobs: &[Blob], log: Log<'_>) -> Option<Message> {
        let session = self.sessions.get_mut(peer)?;
        let Some(store) = &mut self.site.store else {
            return Some(Message::Refused("programs are not sent to this host: it has its own".to_owned()));
        };
        let lacking = store.lacking(blobs);
        let bytes: u64 = lacking.iter().map(|blob| blob.len).sum();
        log(&format!("{peer}: a job, {} of its files are lacking, {bytes} bytes", lacking.len()));
        session.incoming = Some(store.receive(lacking.clone()));
        Some(Message::Lacking(lacking))
    }

    fn take_piece(&mut self, peer: UniqueId, bytes: &[u8]) -> Result<(), String> {
        let incoming = self.sessions.get_mut(peer).and_then(|session| session.incoming.as_mut());
        let (Some(incoming), Some(store)) = (incoming, &self.site.store) else {
            return Err("a piece of a file that nobody asked for".to_owned());
        };
        store.take(incoming, bytes).map_err(|error| format!("a program cannot be kept: {error}"))
    }

    fn pass_on(&mut self, peer: UniqueId, message: Message) {
        let Some(part) = self.sessions.get_mut(peer).and_then(|session| session.part.as_mut()) else { return };
        match message {
            Message::Input(bytes) => part.input(bytes),
            Message::Signal(number) => part.signal(number),
            _ => {}
        }
    }

    /// Lanes that nobody has.
    fn reserve(&mut self, peer: UniqueId, count: u32) -> Message {
        let taken: BTreeSet<u16> = self.sessions.iter().flat_map(|session| session.lanes.iter().copied()).collect();
        let lanes = free_lanes(&self.site.device, LANES, count, &taken);
        if lanes.len() < count as usize {
            return Message::Refused(format!("{count} ranks, and room for {} on {}", lanes.len(), self.site.device));
        }
        if let Some(session) = self.sessions.get_mut(peer) {
            session.lanes.clone_from(&lanes);
        }
        Message::Reserved { lanes, takes_files: self.site.store.is_some() }
    }

    /// Passes on what the parts say, as fast as the front ends take it.
    fn listen(&mut self, now: Instant) -> io::Result<()> {
        for session in self.sessions.iter_mut() {
            let Some(part) = &mut session.part else { continue };
            while session.link.flush(&mut self.endpoint) {
                let Some(said) = part.poll(now)? else { break };
                self.stirred = now;
                let ended = matches!(said, Said::Ended(_));
                session.link.send(&mut self.endpoint, &message_of(said));
                if ended {
                    session.part = None;
                    break;
                }
            }
        }
        let mut ended = Vec::new();
        for (index, part) in self.ending.iter_mut().enumerate() {
            while let Some(said) = part.poll(now)? {
                if matches!(said, Said::Ended(_)) {
                    ended.push(index);
                }
            }
        }
        ended.into_iter().rev().for_each(|index| drop(self.ending.swap_remove(index)));
        Ok(())
    }
}

fn message_of(said: Said) -> Message {
    match said {
        Said::Output(stream, bytes) => Message::Output(stream, bytes),
        Said::InputTaken => Message::InputTaken,
        Said::Ended(code) => Message::Ended(code),
    }
}

/// Up to `count` lanes of a device that nobody has and that are not among `taken`.
pub(super) fn free_lanes(device: &Device, all: std::ops::Range<u16>, count: u32, taken: &BTreeSet<u16>) -> Vec<u16> {
    let free = all.filter(|lane| !taken.contains(lane) && raw::lane_is_free(device, *lane));
    free.take(count as usize).collect()
}

/// Bytes that nobody can guess.
pub(super) fn nonce() -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the kernel has random bytes");
    nonce
}
