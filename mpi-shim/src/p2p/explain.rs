//! `TWOWIRE_DEBUG=transport`: by which ways this process reaches which others, and why.

use super::ways::{EAGER, EAGER_REMOTE, Ways};
use crate::launch::Job;
use crate::launch::ranks::in_words;
use crate::launch::seats;
use crate::launch::waits::now_ms;
use crate::transport::shm::Segment;
use std::collections::BTreeMap;

/// How long the processes of this node are awaited, for their memory to be tried.
const PATIENCE_MS: u64 = 10_000;

impl Ways {
    /// A line for each kind of way: the processes that it leads to, and why it is taken.
    pub(super) fn explain(&self, job: &Job) -> Vec<String> {
        if job.size == 1 {
            return vec!["rank 0 is the only rank: messages to itself are copied".to_owned()];
        }
        let deadline = now_ms() + PATIENCE_MS;
        let mut kinds: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for rank in (0..job.size).filter(|&rank| rank != job.rank) {
            kinds.entry(self.explain_one(job, rank, deadline)).or_default().push(rank);
        }
        let line = |(how, ranks): (String, Vec<u32>)| format!("rank {} to {}: {how}", job.rank, in_words(&ranks));
        kinds.into_iter().map(line).collect()
    }

    fn explain_one(&self, job: &Job, to: u32, deadline_ms: u64) -> String {
        match (self.place(to), &self.segment, &job.seat) {
            (Some(place), Some(segment), _) => {
                let eager = EAGER.min(segment.longest_payload());
                let longer = long_messages(segment, place, deadline_ms);
                let cells = segment.longest_in_cells();
                let but = if cells > eager { format!("that find no cell (up to {cells}) ") } else { String::new() };
                format!("shared memory, as they are on one host; messages of more than {eager} bytes {but}{longer}")
            }
            (_, _, Some(seat)) => {
                let file = std::env::var(seats::VARIABLE).unwrap_or_default();
                let fabric = &seat.fabric;
                let why = format!("as {}={file} gives each rank a seat there", seats::VARIABLE);
                format!("{fabric}, {why}; messages of more than {EAGER_REMOTE} bytes when a receive asks for them")
            }
            _ => "no way: they share no memory with this rank, and the job has no fabric".to_owned(),
        }
    }
}

/// How messages that are not sent at once get to a process of this node.
fn long_messages(segment: &Segment, place: usize, deadline_ms: u64) -> String {
    while !segment.has_come(place) && now_ms() < deadline_ms {
        std::thread::yield_now();
    }
    let why = match segment.pid(place) {
        _ if !segment.has_come(place) => "it has not come to MPI_Init to be tried".to_owned(),
        None => "process_vm_readv cannot be used between namespaces of process ids".to_owned(),
        Some(pid) => match crate::transport::shm::probe(pid) {
            Ok(()) => return "are read from the sender's memory (process_vm_readv works)".to_owned(),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                return "would be read from the sender's memory, but it has ended before that was tried".to_owned();
            }
            Err(error) => format!("process_vm_readv fails: {error}"),
        },
    };
    format!("pass through it in pieces ({why})")
}
