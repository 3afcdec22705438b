//! Where the state of the nodes is shown: a live table on a terminal, lines of JSON otherwise.

use crate::board::groups::{groups, table};
use crate::board::{Board, Change, Refusal};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stdout};
use twowire_fabric::program::{Failure, print_json};

/// One of the two.
pub(super) enum Show {
    /// A table that is drawn again and again, in the same place.
    Table(ProgressBar),
    /// A line of JSON for each change, and for each one that was refused.
    Lines,
}

impl Show {
    pub(super) fn new(json: bool) -> Show {
        if json || !stdout().is_terminal() {
            return Show::Lines;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.set_style(ProgressStyle::with_template("{msg}").expect("a valid template"));
        Show::Table(bar)
    }

    /// Shows what is new. `headline` stands above the table.
    pub(super) fn update(
        &self,
        board: &Board,
        changes: &[Change],
        refusals: &[Refusal],
        headline: &str,
    ) -> Result<(), Failure> {
        match self {
            Show::Table(bar) => {
                let refused = board.refused().map_or(String::new(), |line| format!("\n{line}"));
                bar.set_message(format!("{headline}\n{}{refused}", table(&groups(board))));
            }
            Show::Lines => {
                changes.iter().try_for_each(print_json)?;
                refusals.iter().try_for_each(print_json)?;
            }
        }
        Ok(())
    }

    /// The last state stays on the terminal.
    pub(super) fn finish(&self) {
        if let Show::Table(bar) = self {
            bar.abandon();
        }
    }
}
