//! What every program does alike: how it fails, how it prints, and how it takes Ctrl-C.
//!
//! Exit status: 0 if all is well, 1 if it failed, 2 for a wrong command line, 130 after Ctrl-C.

pub mod interrupt;

use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// The exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why the program does not end with exit status 0.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for what cannot be: exit status 2.
    Usage(String),
    /// It did not work out: exit status 1.
    Failed(String),
    /// What was printed says it all: exit status 1.
    Reported,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads the output any more: no error, as in `PROGRAM … | head`.
    OutputClosed,
}

impl Failure {
    /// It did not work out.
    pub fn failed(error: impl Display) -> Failure {
        Failure::Failed(error.to_string())
    }

    /// The command line asks for what cannot be.
    pub fn usage(error: impl Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// A file that cannot be read.
    pub fn read(path: &Path, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot read {}: {error}", path.display()))
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, error: &io::Error) -> Failure {
        let path = path.display();
        Failure::Failed(format!("cannot write {path}: {error}; choose a directory that exists and is writable"))
    }

    /// Prints the reason on standard error, after the program's name, and says how the process ends.
    pub fn report(self, program: &str) -> ExitCode {
        let (message, code) = match self {
            Failure::Usage(message) => (message, 2),
            Failure::Failed(message) => (message, 1),
            Failure::Reported => return ExitCode::FAILURE,
            Failure::Interrupted => ("interrupted".to_owned(), INTERRUPTED),
            Failure::OutputClosed => return ExitCode::SUCCESS,
        };
        eprintln!("{program}: {message}");
        ExitCode::from(code)
    }
}

/// Writes to standard output.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Failed(format!("cannot write to standard output: {error}")),
    })
}

/// Writes a value to standard output as JSON, in one line.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(Failure::failed)?;
    print(|out| writeln!(out, "{text}"))
}
