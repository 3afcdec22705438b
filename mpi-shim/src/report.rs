//! What `mpirun --report` is told by each rank when it finalises MPI: the calls that it made, and the messages that it sent.
//!
//! `TWOWIRE_REPORT=PID,DESCRIPTOR,INODE` says where a file is to which all ranks of the job append lines, each at once:
//!
//! ```text
//! RANK elapsed NANOSECONDS                                since MPI was initialised
//! RANK call NAME COUNT NANOSECONDS NANOSECONDS            in all, and outside of other calls
//! RANK sent PEER PLANE WAY MESSAGES BYTES                 PLANE: user, library; WAY: eager, rendezvous
//! ```

use crate::calls;
use crate::launch::ticket::Holder;
use crate::launch::{self, Job};
use crate::p2p::{Plane, Traffic, Way};
use crate::state::State;
use rustix::fs::OFlags;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::OnceLock;

/// The name of the environment variable.
pub const VARIABLE: &str = "TWOWIRE_REPORT";

/// A report that is asked for.
#[derive(Debug)]
struct Asked {
    file: File,
    since_ns: u64,
}

static ASKED: OnceLock<Option<Asked>> = OnceLock::new();

/// Begins to count, if a report of this job is asked for. A file that cannot be opened leaves the rank out of the report.
pub fn begin(job: &Job) {
    ASKED.get_or_init(|| {
        let holder: Holder = std::env::var(VARIABLE).ok().filter(|_| job.has_board())?.parse().ok()?;
        let file = open(&holder).ok()?;
        calls::watch();
        Some(Asked { file, since_ns: now_ns() })
    });
}

fn open(holder: &Holder) -> io::Result<File> {
    let file = launch::open(holder)?;
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file.into())
}

/// Appends what this rank has done so far; a later report takes the place of an earlier one.
pub fn end(state: &State, job: &Job) {
    let Some(asked) = ASKED.get().and_then(Option::as_ref) else { return };
    let traffic = state.engine.as_ref().map(|engine| engine.traffic()).unwrap_or_default();
    let elapsed = now_ns().saturating_sub(asked.since_ns);
    // Nobody is there to be told of a failure: mpirun says whose lines are missing.
    let _ = (&asked.file).write_all(lines(job.rank, elapsed, &calls::tallies(), &traffic).as_bytes());
}

fn lines(rank: u32, elapsed_ns: u64, tallies: &[calls::Tally], traffic: &[(u32, Traffic)]) -> String {
    let mut text = format!("{rank} elapsed {elapsed_ns}\n");
    for tally in tallies {
        let (name, count) = (tally.name.to_string_lossy(), tally.count);
        let _ = writeln!(text, "{rank} call {name} {count} {} {}", tally.time.as_nanos(), tally.outermost.as_nanos());
    }
    for (peer, traffic) in traffic {
        for (plane, plane_name) in [(Plane::User, "user"), (Plane::Collective, "library")] {
            for (way, way_name) in [(Way::Eager, "eager"), (Way::Rendezvous, "rendezvous")] {
                let (messages, bytes) = traffic.of(plane, way);
                if messages > 0 {
                    let _ = writeln!(text, "{rank} sent {peer} {plane_name} {way_name} {messages} {bytes}");
                }
            }
        }
    }
    text
}

fn now_ns() -> u64 {
    crate::clock::now().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_ranks_lines() {
        let mut traffic = Traffic::default();
        traffic.add(Plane::User, Way::Eager, 8);
        traffic.add(Plane::User, Way::Eager, 4);
        traffic.add(Plane::Collective, Way::Rendezvous, 100);
        let time = Duration::from_nanos(30);
        let tally = calls::Tally { name: c"MPI_Send", count: 2, time, outermost: time / 2 };
        let expected = "3 elapsed 99\n3 call MPI_Send 2 30 15\n3 sent 1 user eager 2 12\n\
                        3 sent 1 library rendezvous 1 100\n";
        assert_eq!(lines(3, 99, &[tally], &[(1, traffic), (2, Traffic::default())]), expected);
    }
}
