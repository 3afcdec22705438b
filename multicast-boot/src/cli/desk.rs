//! Looks at a transfer now and then, and tells everybody who wants to know.

use super::bootd::ImageCheck;
use super::show::Show;
use crate::board::Board;
use crate::board::journal::Journal;
use crate::board::metrics::{self, Exporter};
use crate::session::BootService;
use serde::Serialize;
use std::time::{Duration, Instant};
use twowire_fabric::program::{Failure, print_json};

/// How often somebody is told.
const INTERVAL: Duration = Duration::from_millis(100);

/// Polls of the transfer between two looks at the clock.
const POLLS: u32 = 64;

/// How it went, as the last line of JSON.
#[derive(Serialize)]
struct Summary {
    image: String,
    seconds: f64,
    nodes_ready: usize,
    nodes_failed: usize,
    nodes_on_fallback: usize,
    nodes_without_image: usize,
    frames_sent: u64,
    repeats_sent: u64,
    bytes_sent: u64,
    joins_refused: u64,
}

/// Where the news of a transfer go.
pub(super) struct Desk {
    pub(super) image: String,
    checks: Vec<ImageCheck>,
    pub(super) board: Board,
    pub(super) show: Show,
    pub(super) journal: Option<Journal>,
    pub(super) exporter: Option<Exporter>,
    began: Instant,
    next: Instant,
    polls: u32,
}

#[expect(clippy::disallowed_methods, reason = "people are told by the clock on the wall")]
fn now() -> Instant {
    Instant::now()
}

impl Desk {
    pub(super) fn new(
        image: String,
        checks: Vec<ImageCheck>,
        show: Show,
        journal: Option<Journal>,
        exporter: Option<Exporter>,
    ) -> Desk {
        Desk { image, checks, board: Board::default(), show, journal, exporter, began: now(), next: now(), polls: 0 }
    }

    /// Called for every packet; looks at the transfer if it is time to.
    pub(super) fn poll(&mut self, service: &BootService) -> Result<(), Failure> {
        self.polls = self.polls.wrapping_add(1);
        if self.polls.is_multiple_of(POLLS) && self.next <= now() { self.look(service) } else { Ok(()) }
    }

    /// Looks at the transfer, and tells what is new.
    pub(super) fn look(&mut self, service: &BootService) -> Result<(), Failure> {
        self.next = now() + INTERVAL;
        let progress = service.progress();
        self.checks.iter_mut().try_for_each(|check| check.look(&progress))?;
        let elapsed = self.began.elapsed();
        let at_ms = elapsed.as_millis() as u64;
        let changes = self.board.update(at_ms, service.nodes());
        let strangers = self.board.update_strangers(at_ms, service.strangers()).to_vec();
        if let Some(journal) = &self.journal {
            let nodes = changes.iter().try_for_each(|change| journal.write(change));
            nodes.and_then(|()| strangers.iter().try_for_each(|refusal| journal.write_refusal(refusal))).map_err(
                |error| Failure::Failed(format!("cannot write the log of a node: {error}; give another --log-dir")),
            )?;
        }
        if let Some(exporter) = &self.exporter {
            exporter.update(metrics::text(&self.board, &progress)).map_err(Failure::failed)?;
        }
        let headline = format!("{}  {:.1} s", self.image, elapsed.as_secs_f64());
        self.show.update(&self.board, &changes, &strangers, &headline)
    }

    /// The transfer is over. An error if a node has failed.
    pub(super) fn finish(&mut self, service: &BootService) -> Result<(), Failure> {
        self.look(service)?;
        self.show.finish();
        let (progress, ready) = (service.progress(), self.board.ready());
        let failed = progress.failed;
        if let Show::Lines = self.show {
            print_json(&Summary {
                image: self.image.clone(),
                seconds: self.began.elapsed().as_secs_f64(),
                nodes_ready: ready,
                nodes_failed: failed,
                nodes_on_fallback: self.board.on_fallback(),
                nodes_without_image: self.board.without_image(),
                frames_sent: progress.frames_sent,
                repeats_sent: progress.repeats_sent,
                bytes_sent: progress.bytes_sent,
                joins_refused: progress.refused_joins,
            })?;
        }
        if failed == 0 { Ok(()) } else { Err(Failure::Reported) }
    }
}
