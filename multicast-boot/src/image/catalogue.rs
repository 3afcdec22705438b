//! Which image each node boots: a text file beside the images.
//!
//! ```text
//! images 1
//! n0-n511          compute.img      the nodes, the image's file (relative to this one)
//! n512,n600-n1022  gpu.img
//! fallback all     rescue.img       booted by nodes whose own image does not become ready
//! ```
//!
//! `#` starts a comment. No node has two images, or two fallbacks. A line that is not understood is an error with its number.

use crate::node_ranges::NodeRanges;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FIRST_LINE: &str = "images 1";

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be booted.
    Normal,
    /// To be booted if the normal image does not become ready.
    Fallback,
}

/// One line of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the image is for.
    pub purpose: Purpose,
    /// For which nodes.
    pub nodes: NodeRanges,
    /// The image's file.
    pub file: PathBuf,
    line: usize,
}

/// Which image each node boots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    entries: Vec<Entry>,
}

/// Why a file is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not understood.
    #[error("{}:{line}: {what}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl Catalogue {
    /// Reads a catalogue's file.
    pub fn open(path: &Path) -> Result<Catalogue, CatalogueError> {
        let text = fs::read_to_string(path).map_err(|source| CatalogueError::Read { path: path.to_owned(), source })?;
        Catalogue::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(|(line, what)| CatalogueError::Line {
            path: path.to_owned(),
            line,
            what,
        })
    }

    /// Reads a catalogue whose images are named relative to a directory; an error has its line's number.
    pub fn parse(text: &str, directory: &Path) -> Result<Catalogue, (usize, String)> {
        let words = |line: &str| line.split('#').next().unwrap_or("").split_whitespace().map(str::to_owned).collect();
        let lines = text.lines().zip(1..).map(|(line, number)| (number, words(line)));
        let mut lines = lines.filter(|(_, words): &(usize, Vec<String>)| !words.is_empty());
        match lines.next() {
            Some((_, words)) if words.join(" ") == FIRST_LINE => {}
            first => return Err((first.map_or(1, |(line, _)| line), format!("expected `{FIRST_LINE}` first"))),
        }
        let mut catalogue = Catalogue::default();
        for (line, words) in lines {
            let entry = entry(line, &words, directory).map_err(|what| (line, what))?;
            catalogue.check_overlap(&entry).map_err(|what| (line, what))?;
            catalogue.entries.push(entry);
        }
        Ok(catalogue)
    }

    fn check_overlap(&self, entry: &Entry) -> Result<(), String> {
        let of_the_same = self.entries.iter().filter(|other| other.purpose == entry.purpose);
        match of_the_same.filter_map(|other| Some((other.line, other.nodes.first_in_common(&entry.nodes)?))).next() {
            Some((line, node)) => Err(format!("{node} has an image already, by line {line}")),
            None => Ok(()),
        }
    }

    /// The lines.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

fn entry(line: usize, words: &[String], directory: &Path) -> Result<Entry, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (purpose, nodes, file) = match words[..] {
        ["fallback", nodes, file] => (Purpose::Fallback, nodes, file),
        ["fallback", ..] => return Err("expected `fallback NODES FILE`".into()),
        [nodes, file] => (Purpose::Normal, nodes, file),
        _ => return Err("expected `NODES FILE` or `fallback NODES FILE`".into()),
    };
    let nodes =
        if nodes == "all" { NodeRanges::all() } else { nodes.parse().map_err(|error| format!("{error}, or `all`"))? };
    Ok(Entry { purpose, nodes, file: directory.join(file), line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::id::NodeNumber;

    const EXAMPLE: &str = "\
# of the test cluster
images 1
n0-n511          compute.img  # most of them
n512,n600-n1022  /images/gpu.img

fallback all     rescue.img
";

    fn parse(text: &str) -> Result<Catalogue, (usize, String)> {
        Catalogue::parse(text, Path::new("dir"))
    }

    #[test]
    fn every_node_has_its_image_and_its_fallback() {
        let catalogue = parse(EXAMPLE).unwrap();
        let of = |n, purpose| {
            let is_it = |entry: &&Entry| entry.purpose == purpose && entry.nodes.contains(NodeNumber(n));
            catalogue.entries().iter().find(is_it).and_then(|entry| entry.file.to_str())
        };
        let image = |n| of(n, Purpose::Normal);
        assert_eq!(image(0), Some("dir/compute.img"));
        assert_eq!((image(511), image(512)), (image(0), Some("/images/gpu.img")));
        assert_eq!((image(513), image(1022), image(1023)), (None, image(512), None));
        assert_eq!(image(-1), None, "the front end boots nothing");
        assert_eq!(of(513, Purpose::Fallback), Some("dir/rescue.img"));
        let shown: Vec<String> = catalogue.entries().iter().map(|entry| entry.nodes.to_string()).collect();
        assert_eq!(shown, ["n0-n511", "n512 n600-n1022", "n0-n2147483647"]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for (text, line, what) in [
            ("", 1, "expected `images 1` first"),
            ("\n# x\nimages 2\n", 3, "expected `images 1` first"),
            ("images 1\nn0\n", 2, "expected `NODES FILE` or `fallback NODES FILE`"),
            ("images 1\n\nn0 a b\n", 3, "expected `NODES FILE` or `fallback NODES FILE`"),
            ("images 1\nfallback a.img\n", 2, "expected `fallback NODES FILE`"),
            ("images 1\nn0-n5 a\nn9,n5-n7 b\n", 3, "n5 has an image already, by line 2"),
            ("images 1\nall a\nn3 b\n", 3, "n3 has an image already, by line 2"),
        ] {
            assert_eq!(parse(text), Err((line, what.into())), "{text:?}");
        }
        for nodes in ["5", "n", "n5-n3", "n1-n2-n3", "n+1", "n99999999999", "master"] {
            let (line, what) = parse(&format!("images 1\n{nodes} a\n")).unwrap_err();
            assert_eq!((line, what.starts_with(&format!("`{nodes}` is not a range of nodes"))), (2, true), "{what}");
        }
    }

    #[test]
    fn the_file_is_named() {
        let missing = Catalogue::open(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no/such/file: "), "{missing}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("images.txt");
        fs::write(&path, "images 1\nn0 a b c\n").unwrap();
        let error = Catalogue::open(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:2: expected", path.display())), "{error}");
    }
}
