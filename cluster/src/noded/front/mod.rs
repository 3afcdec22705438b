//! The front end of a job on several hosts: what `mpirun --hosts` becomes.
//!
//! | module | what it does |
//! |---|---|
//! | `muster` | says hello to the hosts, sends them the programs, and starts the parts |
//! | `input` | standard input, to rank 0 |
//! | `ending` | signals, failures, and the end |

mod ending;
mod input;
mod muster;

use super::agent::nonce;
use super::channel::{Ends, Greeting, NONCE, Secret, Side};
use super::hosts::Host;
use super::link::Link;
use super::part::{Part, REPORT, Said, beside_us};
use super::programs::{Programs, Upload};
use super::wire::Message;
use mpi_abi::launch::signals;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use twowire_fabric::endpoint::{Endpoint, Event, PortEndpoint};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::Port;
use twowire_fabric::raw::Device;

/// How long to wait for frames at a time, and for a while after something came.
const BUSY: Duration = Duration::from_millis(10);
const EAGER: Duration = Duration::from_millis(1);
/// How long that while is.
const EAGER_FOR: Duration = Duration::from_millis(50);

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
        let signals = signals::open(&signals::SignalSet::new(&ending::heard()))?;
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
        let wanted =
            self.job.arguments.iter().any(|argument| argument.starts_with(b"--report") || argument == b"--json");
        if wanted && (!self.report.is_empty() || self.code != 0) {
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
}

/// Writes what a rank wrote. A reader that is gone is the ranks' affair.
fn print(stream: u8, bytes: &[u8]) {
    let _ = match stream {
        1 => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        _ => io::stderr().write_all(bytes),
    };
}
