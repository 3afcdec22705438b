//! The front end of a job on several hosts: what `mpirun --hosts` becomes.

use super::agent::{free_lanes, nonce};
use super::channel::{Ends, Greeting, NONCE, Secret, Side};
use super::hosts::Host;
use super::link::Link;
use super::part::{Part, REPORT, Said, beside_us};
use super::programs::{Programs, Upload};
use super::wire::{Message, Start};
use super::{AGENT_LANE, lane_of};
use mpi_abi::launch::signals;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use twowire_fabric::endpoint::{Endpoint, Event, PortEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Port};
use twowire_fabric::raw::Device;

/// Lanes of ranks on the front end's own host, beside those that an agent there gives.
const OWN_LANES: std::ops::Range<u16> = 0x4000..0x7fff;
/// Bytes of a piece of input.
const PIECE: usize = 32 << 10;
/// How long to wait for frames at a time, and for a while after something came.
const BUSY: Duration = Duration::from_millis(10);
const EAGER: Duration = Duration::from_millis(1);
/// How long that while is.
const EAGER_FOR: Duration = Duration::from_millis(50);
/// From the first to the second word that the others shall end, and until they are given up.
const PATIENCE: Duration = Duration::from_millis(600);
const GIVEN_UP: Duration = Duration::from_secs(7);
/// The exit code after the limit of time.
const TIMED_OUT: i32 = 124;

/// Signals that are passed on; the first of them end the job.
const ENDING: [i32; 4] = [1, 2, 3, 15];
const PASSED_ON: [i32; 4] = [10, 12, 18, 28];
/// Ctrl-Z: who stops cannot say that it is still there, so it is ignored.
const IGNORED: i32 = 20;

/// A job as it was asked for.
#[derive(Clone, Debug)]
pub struct Job {
    /// The hosts, and how many ranks each has.
    pub hosts: Vec<(Host, u32)>,
    /// The network device of this host, where it may have ranks as well.
    pub here: Option<Device>,
    /// The programs, for hosts to which they have to be sent.
    pub programs: Vec<PathBuf>,
    /// The arguments of each host's `mpirun`.
    pub arguments: Vec<Vec<u8>>,
    /// Where the ranks start, and their environment.
    pub directory: Vec<u8>,
    /// `NAME=VALUE`.
    pub environment: Vec<Vec<u8>>,
    /// The job is ended after so long.
    pub timeout: Option<Duration>,
}

/// How far a host is.
enum State {
    /// The hello is sent.
    Greeted([u8; NONCE]),
    /// Its programs are on their way: `None` until the agent has said what it lacks.
    Equipped(Option<Upload>),
    /// A part can be started once it has lanes: by the agent, or here.
    Reserved,
    Running,
    Ended,
}

struct Member {
    name: String,
    /// How the seats name it.
    place: String,
    agent: UniqueId,
    card: UniqueId,
    first: u32,
    count: u32,
    state: State,
    link: Option<Link>,
    /// The part, where this is our own host.
    here: Option<Part>,
    lanes: Vec<u16>,
}

/// A job that runs.
pub struct FrontEnd<P> {
    endpoint: PortEndpoint<P>,
    job: Job,
    secret: Secret,
    members: Vec<Member>,
    /// What the job's programs are made of, once a host has asked for it.
    programs: Option<Programs>,
    signals: OwnedFd,
    input: Option<Receiver<Vec<u8>>>,
    /// A piece of input is on its way.
    fed: bool,
    code: i32,
    ended_at: Option<Instant>,
    told_again: bool,
    deadline: Option<Instant>,
    stirred: Instant,
    /// What the ranks have to say for the report.
    report: Vec<u8>,
}

impl<P: Port> FrontEnd<P> {
    /// Sets a job up, behind a port of the same device.
    #[expect(clippy::disallowed_methods, reason = "a job runs in real time")]
    pub fn new(port: P, job: Job, secret: Secret) -> io::Result<FrontEnd<P>> {
        let heard: Vec<i32> = ENDING.into_iter().chain(PASSED_ON).chain([IGNORED]).collect();
        let signals = signals::open(&signals::SignalSet::new(&heard))?;
        let incarnation = u64::from_le_bytes(nonce()[..8].try_into().unwrap_or_default());
        let endpoint = PortEndpoint::new(port, super::config(), incarnation);
        let mut front = FrontEnd {
            endpoint,
            secret,
            members: Vec::new(),
            programs: None,
            signals,
            input: None,
            fed: false,
            code: 0,
            ended_at: None,
            told_again: false,
            deadline: job.timeout.map(|timeout| Instant::now() + timeout),
            stirred: Instant::now(),
            report: Vec::new(),
            job,
        };
        front.call();
        Ok(front)
    }

    /// Says hello to every host.
    fn call(&mut self) {
        let mine = lane_of(self.endpoint.unique_id(), 0);
        let mut first = 0;
        for (host, count) in self.job.hosts.clone().into_iter().filter(|(_, count)| *count > 0) {
            let agent = lane_of(host.card, AGENT_LANE);
            let has_ways = !host.ways.is_empty();
            let ways = if has_ways { host.ways } else { vec![Path::Card(agent)] };
            let mut member = Member {
                place: if has_ways { host.name.clone() } else { "-".to_owned() },
                name: host.name,
                agent,
                card: host.card,
                first,
                count,
                state: State::Reserved,
                link: None,
                here: None,
                lanes: Vec::new(),
            };
            if let Some(device) = self.job.here.as_ref().filter(|_| host.card == mine) {
                member.lanes = free_lanes(device, OWN_LANES, count, &BTreeSet::new());
            } else {
                let nonce = nonce();
                self.endpoint.connect(agent, ways);
                // A peer that was just asked for takes a first message.
                let _ = self.endpoint.send(agent, self.secret.hello(&nonce).into());
                member.state = State::Greeted(nonce);
            }
            first += count;
            self.members.push(member);
        }
    }

    /// Runs the job to its end; its exit code.
    #[expect(clippy::disallowed_methods, reason = "a job runs in real time")]
    pub fn run(mut self) -> io::Result<i32> {
        let failed = io::Error::other;
        while self.members.iter().any(|member| !matches!(member.state, State::Ended)) {
            let now = Instant::now();
            while let Some(event) = self.endpoint.poll().map_err(failed)? {
                self.stirred = now;
                self.happened(event);
            }
            self.begin();
            self.listen_here(now)?;
            self.feed();
            while let Some(signal) = signals::next(&self.signals) {
                self.signal(signal);
            }
            self.check_time(now);
            let busy = self.send_on();
            let limit = if busy || self.stirred.elapsed() < EAGER_FOR { EAGER } else { BUSY };
            let until = self.endpoint.now() + limit;
            self.endpoint.wait(until).map_err(failed)?;
        }
        for member in &self.members {
            self.endpoint.disconnect(member.agent);
        }
        let now = self.endpoint.now();
        self.endpoint.wait(now).map_err(failed)?;
        // A job that failed may have ranks that had no time to report, which is said.
        if !self.report.is_empty() || self.code != 0 {
            self.show_report()?;
        }
        Ok(self.code)
    }

    /// Sends what waits, and programs, as far as there is room; true if programs are on their way.
    fn send_on(&mut self) -> bool {
        let mut busy = false;
        for member in &mut self.members {
            let Some(link) = &mut member.link else { continue };
            let mut room = link.flush(&mut self.endpoint);
            let State::Equipped(Some(upload)) = &mut member.state else { continue };
            busy = true;
            while room {
                let Some(piece) = upload.next() else {
                    member.state = State::Reserved;
                    break;
                };
                link.send(&mut self.endpoint, &Message::Piece(piece));
                room = link.flush(&mut self.endpoint);
            }
        }
        busy
    }

    fn output(&mut self, stream: u8, bytes: &[u8]) {
        if stream == REPORT { self.report.extend_from_slice(bytes) } else { print(stream, bytes) }
    }

    /// Lets `mpirun` show what the ranks of all hosts have reported, as the job's arguments want it.
    fn show_report(&self) -> io::Result<()> {
        let size: u32 = self.members.iter().map(|member| member.count).sum();
        let mut mpirun = Command::new(beside_us("mpirun")?);
        mpirun.arg("--over").arg(size.to_string());
        mpirun.args(self.job.arguments.iter().map(|argument| OsStr::from_bytes(argument)));
        let mut child = mpirun.stdin(Stdio::piped()).spawn()?;
        let given = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(&self.report));
        child.wait()?;
        given
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Message { peer, message } => {
                let Some(index) = self.members.iter().position(|member| member.agent == peer) else { return };
                self.message(index, &message);
            }
            Event::PeerUnreachable { peer, reason } => self.lost(peer, &reason.to_string()),
            Event::PeerRestarted { peer } => self.lost(peer, "its agent started anew"),
            Event::Disconnected { peer } => self.lost(peer, "its agent closed the connection"),
            _ => {}
        }
    }

    fn message(&mut self, index: usize, bytes: &[u8]) {
        let member = &mut self.members[index];
        if let State::Greeted(nonce) = member.state {
            match self.secret.greeting(bytes, Some(&nonce)) {
                Some(Greeting::Challenge(agent)) => {
                    let ends = Ends { front: self.endpoint.unique_id(), agent: member.agent };
                    let channel = self.secret.channel(Side::FrontEnd, ends, &nonce, &agent);
                    let link = member.link.insert(Link::new(member.agent, channel));
                    link.send(&mut self.endpoint, &Message::Reserve(member.count));
                    member.state = State::Reserved;
                }
                Some(Greeting::Refusal(why)) => self.fail(index, &format!("its agent refuses: {why}")),
                _ => self.fail(index, "its agent does not know the cluster's secret"),
            }
            return;
        }
        let Some(message) = member.link.as_mut().and_then(|link| link.open(bytes)) else {
            return self.fail(index, "a message that its agent cannot have sent");
        };
        match message {
            Message::Reserved { lanes, takes_files } if lanes.len() == member.count as usize => {
                member.lanes = lanes;
                if takes_files {
                    self.equip(index);
                }
            }
            Message::Lacking(blobs) if matches!(member.state, State::Equipped(None)) => {
                let upload = self.programs.as_ref().map(|programs| programs.upload(&blobs));
                member.state = State::Equipped(upload);
            }
            Message::Output(stream, bytes) => self.output(stream, &bytes),
            Message::InputTaken => self.fed = false,
            Message::Ended(code) => self.ended(index, code),
            Message::Refused(why) => self.fail(index, &why),
            _ => self.fail(index, "an answer to what was not asked"),
        }
    }

    /// A host has no programs of its own: it hears what the job needs.
    fn equip(&mut self, index: usize) {
        if self.programs.is_none() {
            match Programs::read(&self.job.programs) {
                Ok(programs) => self.programs = Some(programs),
                Err(error) => return self.fail(index, &format!("the program cannot be sent: {error}")),
            }
        }
        let Some(programs) = &self.programs else { return };
        let member = &mut self.members[index];
        if let Some(link) = &mut member.link {
            member.state = State::Equipped(None);
            link.send(&mut self.endpoint, &Message::Need(programs.blobs()));
        }
    }

    /// Starts the parts once every rank has a seat.
    fn begin(&mut self) {
        let ready =
            |member: &Member| matches!(member.state, State::Reserved) && member.lanes.len() == member.count as usize;
        if self.ended_at.is_some() || !self.members.iter().all(ready) {
            return;
        }
        let size = self.members.iter().map(|member| member.count).sum();
        let seats = self.seats();
        let files = self.programs.as_ref().map(Programs::placed).unwrap_or_default();
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            let (first, count) = (member.first, member.count);
            let (directory, arguments) = (self.job.directory.clone(), self.job.arguments.clone());
            let (seats_text, environment) = (seats.clone().into_bytes(), self.job.environment.clone());
            let files = if member.link.is_some() { files.clone() } else { Vec::new() };
            let start = Start { first, count, size, seats: seats_text, directory, arguments, environment, files };
            member.state = State::Running;
            match &mut member.link {
                Some(link) => link.send(&mut self.endpoint, &Message::Start(Box::new(start))),
                None => match Part::start(&start, &self.seats_here(&seats)) {
                    Ok(part) => self.members[index].here = Some(part),
                    Err(error) => self.fail(index, &format!("mpirun cannot be started: {error}")),
                },
            }
        }
        self.input = Some(read_input());
    }

    /// Where the ranks here find one another and the others.
    fn seats_here(&self, seats: &str) -> String {
        self.job.here.as_ref().map_or_else(String::new, |device| format!("seats 1 {device}\n{seats}"))
    }

    /// The lines that say where each rank sits; every host adds what the fabric is called there, and its routes.
    fn seats(&self) -> String {
        let mut text = String::new();
        for member in &self.members {
            for (rank, &lane) in (member.first..).zip(&member.lanes) {
                let _ = writeln!(text, "rank {rank} {} 0x{:016x}", member.place, lane_of(member.card, lane).0);
            }
        }
        text
    }

    /// What the part on this host says.
    fn listen_here(&mut self, now: Instant) -> io::Result<()> {
        for index in 0..self.members.len() {
            while let Some(part) = &mut self.members[index].here {
                let Some(said) = part.poll(now)? else { break };
                self.stirred = now;
                match said {
                    Said::Output(stream, bytes) => self.output(stream, &bytes),
                    Said::InputTaken => self.fed = false,
                    Said::Ended(code) => {
                        self.members[index].here = None;
                        self.ended(index, code);
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands input to the host of rank 0, a piece at a time.
    fn feed(&mut self) {
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

    fn signal(&mut self, signal: i32) {
        if ENDING.contains(&signal) {
            self.code = if self.code == 0 { 128 + signal } else { self.code };
            self.tell_all(signal);
            // Nothing runs yet: nobody will say that it has ended.
            let waiting = self.members.iter_mut().filter(|member| !matches!(member.state, State::Running));
            waiting.for_each(|member| member.state = State::Ended);
        } else if PASSED_ON.contains(&signal) {
            self.tell_all(signal);
        }
    }

    fn tell_all(&mut self, signal: i32) {
        for member in self.members.iter_mut().filter(|member| matches!(member.state, State::Running)) {
            match (&mut member.link, &mut member.here) {
                (Some(link), _) => link.send(&mut self.endpoint, &Message::Signal(signal)),
                (None, Some(part)) => part.signal(signal),
                (None, None) => {}
            }
        }
    }

    /// A host's part has ended; the first that failed ends the others.
    fn ended(&mut self, index: usize, code: i32) {
        self.members[index].state = State::Ended;
        if code != 0 {
            self.end_all(code);
        }
    }

    fn lost(&mut self, peer: UniqueId, why: &str) {
        let Some(index) = self.members.iter().position(|member| member.agent == peer) else { return };
        let text = match self.members[index].state {
            State::Ended => return,
            State::Greeted(_) => match &self.job.here {
                Some(device) => format!(
                    "its agent cannot be reached ({why}): is `noded serve raw:DEVICE` running there, on the network of {device}?"
                ),
                None => format!("its agent cannot be reached ({why}): has the node booted an image with `noded`?"),
            },
            _ => format!("it is lost: {why}"),
        };
        self.fail(index, &text);
    }

    /// A host cannot take part, or not any longer.
    fn fail(&mut self, index: usize, why: &str) {
        let member = &mut self.members[index];
        member.state = State::Ended;
        if self.ended_at.is_none() {
            eprintln!("mpirun: host {}: {why}; the job is ended", member.name);
        }
        self.end_all(1);
    }

    #[expect(clippy::disallowed_methods, reason = "a job runs in real time")]
    fn end_all(&mut self, code: i32) {
        if self.code == 0 {
            self.code = code;
        }
        if self.ended_at.is_none() {
            self.ended_at = Some(Instant::now());
            self.tell_all(15);
            let waiting = self.members.iter_mut().filter(|member| !matches!(member.state, State::Running));
            waiting.for_each(|member| member.state = State::Ended);
        }
    }

    fn check_time(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            eprintln!("mpirun: the time limit is over; the job is ended");
            self.end_all(TIMED_OUT);
        }
        let Some(since) = self.ended_at.map(|at| now - at) else { return };
        if since > PATIENCE && !self.told_again {
            self.told_again = true;
            self.tell_all(15);
        }
        if since > GIVEN_UP {
            self.members.iter_mut().for_each(|member| member.state = State::Ended);
        }
    }
}

/// Writes what a rank wrote. A reader that is gone is the ranks' affair.
fn print(stream: u8, bytes: &[u8]) {
    let _ = match stream {
        1 => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        _ => io::stderr().write_all(bytes),
    };
}

/// Reads standard input, a piece ahead. The thread ends with the process: it may wait for a line that nobody types.
fn read_input() -> Receiver<Vec<u8>> {
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
