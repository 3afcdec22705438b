//! Printing texts and JSON.

use serde::Serialize;
use std::io::{Write, stdout};
use twowire_fabric::program::Failure;

/// Prints one JSON object and a newline.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    text.push('\n');
    print_text(&text)
}

/// Prints a text. A reader that has gone away is no failure.
pub(super) fn print_text(text: &str) -> Result<(), Failure> {
    match stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
