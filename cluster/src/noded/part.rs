//! The part of a job that runs on one host: an `mpirun` that starts the host's ranks and watches over them.

use super::wire::Start;
use mpi_abi::launch::ticket::Holder;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Pieces of output that may wait; then whoever writes more has to.
const WAITING: usize = 64;
/// Bytes of a piece.
const PIECE: usize = 16 << 10;
/// From the first to the second word that a part shall end, and to the last.
const PATIENCE: Duration = Duration::from_millis(500);

/// The stream of what the ranks have to say for the report.
pub const REPORT: u8 = 3;

/// What a part has to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Bytes on descriptor 1 or 2, or for the [`REPORT`].
    Output(u8, Vec<u8>),
    /// The input was written.
    InputTaken,
    /// The exit code. Nothing follows.
    Ended(i32),
}

/// Something that a thread saw.
enum Seen {
    Said(Said),
    /// An output is at its end.
    Closed,
}

/// A part that runs. Dropped, it is killed.
pub struct Part {
    child: Child,
    input: Option<Sender<Vec<u8>>>,
    seen: Receiver<Seen>,
    open: u32,
    /// How often it was told to end, and when it is told again.
    told: u32,
    again: Option<Instant>,
    /// When its process ended; what it left behind may hold its outputs open for a while.
    exited: Option<Instant>,
    ended: bool,
    /// What is left to say when it has ended.
    last: VecDeque<Said>,
    _seats: OwnedFd,
    /// To which the ranks append what they report.
    report: OwnedFd,
}

impl Part {
    /// Starts a part, whose ranks sit where this file says.
    pub fn start(start: &Start, file: &str) -> io::Result<Part> {
        let seats = rustix::fs::memfd_create("twowire-seats", rustix::fs::MemfdFlags::CLOEXEC)?;
        std::fs::File::from(seats.try_clone()?).write_all(file.as_bytes())?;
        let report = rustix::fs::memfd_create("twowire-report", rustix::fs::MemfdFlags::CLOEXEC)?;
        let (me, inode) = (std::process::id(), rustix::fs::fstat(&report)?.st_ino);
        let holder = Holder { process: me, descriptor: report.as_raw_fd(), inode };
        let mut command = Command::new(beside_us("mpirun")?);
        command.arg("--part").arg(format!("{},{},{},{holder}", start.first, start.count, start.size));
        command.args(start.arguments.iter().map(|argument| OsStr::from_bytes(argument)));
        command.env_clear().envs(start.environment.iter().filter_map(|pair| variable(pair)));
        command.env("TWOWIRE_SEATS", format!("/proc/{me}/fd/{}", seats.as_raw_fd()));
        command.current_dir(OsStr::from_bytes(&start.directory)).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (say, seen) = sync_channel(WAITING);
        if let Some(out) = child.stdout.take() {
            read(1, out, say.clone());
        }
        if let Some(err) = child.stderr.take() {
            read(2, err, say.clone());
        }
        let input = child.stdin.take().map(|stdin| write(stdin, say));
        let last = VecDeque::new();
        let part = Part {
            child,
            input,
            seen,
            open: 2,
            told: 0,
            again: None,
            exited: None,
            ended: false,
            last,
            _seats: seats,
            report,
        };
        Ok(part)
    }

    /// Hands input on; its end if empty. [`Said::InputTaken`] answers.
    pub fn input(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.input = None;
        } else if let Some(input) = &self.input {
            // The thread is gone when the program no longer reads: what it did not read is nobody's.
            let _ = input.send(bytes);
        }
    }

    /// Passes a signal on.
    pub fn signal(&self, number: i32) {
        let pid = rustix::process::Pid::from_child(&self.child);
        if let (false, Some(signal)) = (self.ended, rustix::process::Signal::from_named_raw(number)) {
            // An error says that it has ended.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Ends the part: it is told, told again, and killed.
    pub fn end(&mut self, now: Instant) {
        if self.told == 0 {
            self.tell(now);
        }
    }

    fn tell(&mut self, now: Instant) {
        self.told += 1;
        self.signal(
            if self.told <= 2 { rustix::process::Signal::TERM } else { rustix::process::Signal::KILL }.as_raw(),
        );
        self.again = Some(now + PATIENCE);
    }

    /// The next thing that the part says, if there is one.
    pub fn poll(&mut self, now: Instant) -> io::Result<Option<Said>> {
        if self.again.is_some_and(|again| again <= now) {
            self.tell(now);
        }
        while let Ok(seen) = self.seen.try_recv() {
            match seen {
                Seen::Said(said) => return Ok(Some(said)),
                Seen::Closed => self.open -= 1,
            }
        }
        if self.ended {
            return Ok(self.last.pop_front());
        }
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let exited = *self.exited.get_or_insert(now);
        if self.open > 0 && now < exited + PATIENCE {
            return Ok(None);
        }
        self.ended = true;
        self.again = None;
        let mut report = Vec::new();
        let mut file = std::fs::File::from(self.report.try_clone()?);
        file.rewind()?;
        file.read_to_end(&mut report)?;
        self.last.extend(report.chunks(PIECE).map(|piece| Said::Output(REPORT, piece.to_vec())));
        self.last.push_back(Said::Ended(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))));
        Ok(self.last.pop_front())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.ended {
            // Its ranks die with it.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The program of this name in the folder of ours, or the one that the search path finds.
pub fn beside_us(name: &str) -> io::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name(name);
    Ok(if beside.exists() { beside } else { name.into() })
}

fn variable(pair: &[u8]) -> Option<(OsString, OsString)> {
    let at = pair.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    Some((OsString::from_vec(pair[..at].to_vec()), OsString::from_vec(pair[at + 1..].to_vec())))
}

/// Reads an output to its end.
fn read(stream: u8, mut from: impl Read + Send + 'static, say: SyncSender<Seen>) {
    thread::spawn(move || {
        let mut buffer = vec![0; PIECE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => {
                    if say.send(Seen::Said(Said::Output(stream, buffer[..len].to_vec()))).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody listens any more: the part is gone.
        let _ = say.send(Seen::Closed);
    });
}

/// Writes what is handed in, and says so of each piece.
fn write(mut to: impl Write + Send + 'static, say: SyncSender<Seen>) -> Sender<Vec<u8>> {
    let (hand, pieces) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for piece in pieces {
            // A program that no longer reads is told nothing more, and what feeds it goes on.
            let _ = to.write_all(&piece);
            if say.send(Seen::Said(Said::InputTaken)).is_err() {
                return;
            }
        }
    });
    hand
}
