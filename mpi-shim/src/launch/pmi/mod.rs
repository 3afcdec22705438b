//! PMI, as Hydra and Slurm speak it with the processes that they start, on a socket that `PMI_FD` names.
//!
//! A process says which version it speaks; whoever speaks version 2 alone refuses version 1 and is asked again.

mod mapping;
mod v1;
mod v2;

use super::{Manager, sys};
use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use v1::Pmi1;
use v2::Pmi2;

/// The environment variable that names the one version to be spoken: `1` or `2`.
const VERSION: &str = "TWOWIRE_PMI";

/// The socket, and what was read from it but not yet looked at.
type Socket = BufReader<UnixStream>;

/// What this process is to the process manager.
#[derive(Debug)]
pub(super) struct Connection {
    /// This process's number.
    pub(super) rank: u32,
    /// Processes of the job.
    pub(super) size: u32,
    /// Whom to ask for the rest.
    pub(super) manager: Box<dyn Manager>,
}

/// Begins to speak on the descriptor that the launcher left open.
pub(super) fn connect() -> io::Result<Connection> {
    let socket = UnixStream::from(sys::adopt(number("PMI_FD")?)?);
    let wanted = std::env::var(VERSION).ok();
    match wanted.as_deref() {
        None => start(socket, 1, true),
        Some("1") => start(socket, 1, false),
        Some("2") => start(socket, 2, false),
        Some(other) => Err(io::Error::other(format!("{VERSION}={other}: 1 or 2 is expected"))),
    }
}

/// Agrees on a version, and begins to speak it; version 2 if 1 is refused and `again`.
fn start(socket: UnixStream, version: u32, again: bool) -> io::Result<Connection> {
    let mut socket = BufReader::new(socket);
    if !agree(&mut socket, version)? {
        let refused = || io::Error::other(format!("the launcher does not speak PMI-{version}"));
        return if again { start(socket.into_inner(), 2, false) } else { Err(refused()) };
    }
    match version {
        1 => {
            let (rank, size) = (number("PMI_RANK")?, number("PMI_SIZE")?);
            Ok(Connection { rank, size, manager: Box::new(Pmi1::start(socket)?) })
        }
        _ => {
            let (manager, rank, size) = Pmi2::start(socket)?;
            Ok(Connection { rank, size, manager: Box::new(manager) })
        }
    }
}

/// Says which version is to be spoken, by a line as in version 1; whether the other side will.
fn agree(socket: &mut Socket, version: u32) -> io::Result<bool> {
    // The second numbers of PMI-1.1 and PMI-2.0.
    let minor = if version == 1 { 1 } else { 0 };
    let line = format!("cmd=init pmi_version={version} pmi_subversion={minor}\n");
    socket.get_mut().write_all(line.as_bytes())?;
    let answer = v1::read(socket)?;
    if answer.get("cmd").is_none_or(|command| command != "response_to_init") {
        return Err(io::Error::other(format!("`{}` was answered by {answer:?}", line.trim_end())));
    }
    let spoken = answer.get("pmi_version").is_none_or(|spoken| *spoken == version.to_string());
    Ok(spoken && answer.get("rc").is_none_or(|code| code == "0"))
}

fn number<T: std::str::FromStr>(name: &str) -> io::Result<T> {
    let text = std::env::var(name).unwrap_or_default();
    let wrong = |_| io::Error::other(format!("{name}={text}: the launcher should have set a number"));
    text.parse().map_err(wrong)
}

/// The ranks on the node of `rank`, in rising order, by the text of `PMI_process_mapping`.
fn neighbours(text: &str, rank: u32, size: u32) -> io::Result<Vec<u32>> {
    let unclear = || io::Error::other(format!("PMI_process_mapping={text} is not a mapping of {size} ranks"));
    let nodes = mapping::nodes(text, size).ok_or_else(unclear)?;
    let mine = nodes.get(rank as usize).ok_or_else(unclear)?;
    Ok((0..size).filter(|&other| nodes[other as usize] == *mine).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;

    #[test]
    fn who_speaks_version_2_alone_is_asked_again() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let manager = std::thread::spawn(move || {
            let mut theirs = BufReader::new(theirs);
            for (asked, answer) in [("1 pmi_subversion=1", "2 pmi_subversion=0 rc=1"), ("2 pmi_subversion=0", "2 rc=0")]
            {
                let mut line = String::new();
                theirs.read_line(&mut line).unwrap();
                assert_eq!(line, format!("cmd=init pmi_version={asked}\n"));
                let answer = format!("cmd=response_to_init pmi_version={answer}\n");
                theirs.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            v2::tests::answer(&mut theirs, "cmd=fullinit-response;rc=0;rank=1;size=2;appnum=-1;");
        });
        let connection = start(ours, 1, true).unwrap();
        assert_eq!((connection.rank, connection.size), (1, 2));
        manager.join().unwrap();
    }

    #[test]
    fn a_version_that_is_refused_is_an_error() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"cmd=response_to_init pmi_version=1 rc=0\n").unwrap();
        let error = start(ours, 2, false).unwrap_err().to_string();
        assert_eq!(error, "the launcher does not speak PMI-2");
    }
}
