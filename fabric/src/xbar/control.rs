//! A client that looks at a running server, and breaks and mends its fabric.

use super::message::Message;
use super::switches::{DropCause, PortCounters};
use super::{AttachError, Attachment, socket};
use crate::id::UniqueId;
use rustix::net::RecvFlags;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no server, or it does not want to, or does not answer.
    #[error(transparent)]
    Server(#[from] AttachError),
    /// Its answer cannot be read.
    #[error("the answer of the xbar at {path} cannot be read: {reason}; is it of another version?", path = .path.display())]
    Answer {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A port of the fabric and what it has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortLine {
    /// The port's name, as `x1.0:8`, or that of the host.
    pub port: String,
    /// What it has counted.
    pub counters: PortCounters,
}

/// A host of the fabric, and whether it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostState {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub id: UniqueId,
    /// How it is attached, and by which process.
    pub attached: Option<(Attachment, i32)>,
}

/// A connection to a server for commands.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    socket: OwnedFd,
}

impl Control {
    /// Connects to the server at `path`.
    pub fn connect(path: &Path) -> Result<Control, ControlError> {
        let socket =
            socket::connect_to(path).map_err(|reason| AttachError::Connect { path: path.to_owned(), reason })?;
        Ok(Control { path: path.to_owned(), socket })
    }

    /// Cuts or mends a cable, kills or revives a crossbar: `cut:x1.0:8`, `mend:n17`, `kill:x2.5`, `revive:x2.5`.
    pub fn strike(&mut self, fault: &str) -> Result<(), ControlError> {
        self.ask(fault).map(|_| ())
    }

    /// What every port has counted.
    pub fn counters(&mut self) -> Result<Vec<PortLine>, ControlError> {
        let text = self.ask("counters")?;
        text.lines().map(|line| read_counters(line).ok_or_else(|| self.unreadable(line))).collect()
    }

    /// Every host, in the topology's order.
    pub fn hosts(&mut self) -> Result<Vec<HostState>, ControlError> {
        let text = self.ask("hosts")?;
        text.lines().map(|line| read_host(line).ok_or_else(|| self.unreadable(line))).collect()
    }

    fn unreadable(&self, line: &str) -> ControlError {
        ControlError::Answer { path: self.path.clone(), reason: format!("`{line}` is not understood") }
    }

    fn ask(&mut self, command: &str) -> Result<String, ControlError> {
        let path = self.path.clone();
        let no_answer = |reason: String| AttachError::Protocol { path: path.clone(), reason };
        socket::send(&self.socket, &Message::Command(command.to_owned()), None)
            .map_err(|error| no_answer(error.to_string()))?;
        match socket::receive(&self.socket, RecvFlags::empty()) {
            Ok((Message::Done, None)) => Ok(String::new()),
            Ok((Message::Done, Some(fd))) => {
                let mut text = String::new();
                std::fs::File::from(fd)
                    .read_to_string(&mut text)
                    .map_err(|error| ControlError::Answer { path: path.clone(), reason: error.to_string() })?;
                Ok(text)
            }
            Ok((Message::Refused(reason), _)) => Err(AttachError::Refused { path, reason }.into()),
            Ok((other, _)) => Err(no_answer(format!("an answer that makes no sense: {other:?}")).into()),
            Err(error) => Err(no_answer(error.to_string()).into()),
        }
    }
}

fn read_counters(line: &str) -> Option<PortLine> {
    let mut words = line.split(' ');
    let port = words.next()?.to_owned();
    let mut number = || words.next()?.parse::<u64>().ok();
    let mut counters = PortCounters { frames: number()?, bytes: number()?, ..PortCounters::default() };
    for cause in DropCause::ALL {
        counters.drops[cause as usize] = number()?;
    }
    words.next().is_none().then_some(PortLine { port, counters })
}

fn read_host(line: &str) -> Option<HostState> {
    let mut words = line.split(' ');
    let name = words.next()?.to_owned();
    let id = UniqueId(u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?);
    let attached = match words.next() {
        None => None,
        Some(how) => Some((how.parse().ok()?, words.next()?.parse().ok()?)),
    };
    words.next().is_none().then_some(HostState { name, id, attached })
}
