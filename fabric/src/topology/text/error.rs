//! Why text or a file is not a topology.

use crate::topology::TopologyError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why text is not a topology: the line, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct TopoParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: TopoFault,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopoFault {
    /// The first line is not the header.
    #[error("a topology starts with the line `topo 1`, got {0}")]
    Header(Shown),
    /// A version that this program does not know.
    #[error("version {0} of the topology format: this program reads version 1")]
    Version(Shown),
    /// A line that starts with an unknown word.
    #[error("{0} is not understood: expected `name`, `crossbar`, `host` or `cable`")]
    Keyword(Shown),
    /// A line that ends too early.
    #[error("`{keyword}` needs {expected}: `{form}`")]
    Missing {
        /// The line's first word.
        keyword: &'static str,
        /// What is missing.
        expected: &'static str,
        /// What the whole line looks like.
        form: &'static str,
    },
    /// A word too many, or an unknown attribute.
    #[error("{word} is not understood: expected {expected}")]
    Extra {
        /// The word.
        word: Shown,
        /// What could stand there.
        expected: &'static str,
    },
    /// An attribute or line that may stand only once.
    #[error("`{0}` is given twice")]
    Twice(&'static str),
    /// A value that is not of the form that it must have.
    #[error("{what} {word}: expected {expected}")]
    Value {
        /// What it should be.
        what: &'static str,
        /// What it is.
        word: Shown,
        /// The form.
        expected: &'static str,
    },
    /// A cable's end that no earlier line names.
    #[error("no crossbar or host is named {0} above this line")]
    NoSuchName(Shown),
    /// A crossbar without a port number.
    #[error("{0} is a crossbar: expected the port too, as in `{0:#}:0`")]
    NeedsPort(Shown),
    /// Names, numbers of ports and cables that contradict each other.
    #[error(transparent)]
    Graph(#[from] TopologyError),
    /// Bytes that are not UTF-8.
    #[error("not UTF-8 text")]
    NotUtf8,
}

/// A word of a file as an error shows it: quoted, without control characters, and cut when it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    const MAX_CHARS: usize = 40;

    pub(super) fn new(word: &str) -> Shown {
        let mut chars = word.chars();
        let mut text: String = chars.by_ref().take(Shown::MAX_CHARS).flat_map(char::escape_debug).collect();
        if chars.next().is_some() {
            text.push('…');
        }
        Shown(text)
    }
}

impl fmt::Display for Shown {
    /// In backquotes; with `{:#}` without.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { f.write_str(&self.0) } else { write!(f, "`{}`", self.0) }
    }
}

/// Why a `.topo` file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopoFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a topology.
    #[error("{}, {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: TopoParseError,
    },
}
