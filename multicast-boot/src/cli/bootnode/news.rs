//! What a node prints of itself.

use crate::session::NodeState;
use serde::Serialize;
use std::time::Instant;
use twowire_fabric::program::{Failure, print, print_json};

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    at_ms: u64,
    state: &'a str,
}

/// Prints each state once. Of the image, each tenth that has come.
pub(super) struct News {
    json: bool,
    began: Instant,
    last: Option<String>,
    said: Vec<&'static str>,
}

impl News {
    #[expect(clippy::disallowed_methods, reason = "people are told by the clock on the wall")]
    pub(super) fn new(json: bool) -> News {
        News { json, began: Instant::now(), last: None, said: Vec::new() }
    }

    /// Prints a state, unless it was the last.
    pub(super) fn tell(&mut self, state: &str) -> Result<(), Failure> {
        if self.last.as_deref() == Some(state) {
            return Ok(());
        }
        self.last = Some(state.to_owned());
        let at_ms = self.began.elapsed().as_millis() as u64;
        if self.json {
            return print_json(&Line { at_ms, state });
        }
        print(|out| writeln!(out, "[{:>9.3}] {state}", at_ms as f64 / 1000.0))
    }

    /// Prints something the first time only.
    pub(super) fn tell_once(&mut self, what: &'static str) -> Result<(), Failure> {
        if self.said.contains(&what) {
            return Ok(());
        }
        self.said.push(what);
        self.tell(what)
    }

    /// Prints how far the node is.
    pub(super) fn tell_state(&mut self, state: NodeState) -> Result<(), Failure> {
        match state {
            NodeState::Receiving { percent } => {
                self.tell(&NodeState::Receiving { percent: percent / 10 * 10 }.to_string())
            }
            NodeState::Ready => Ok(()),
            other => self.tell(&other.to_string()),
        }
    }
}
