//! The bodies of fuzz targets as ordinary tests: on their corpus, and on random changes of it.
//!
//! The changes are those of a simple fuzzer: bytes replaced, inserted, taken away and repeated, pieces of other inputs put in.
//! `FUZZ_SEED` replays a run, and `FUZZ_ROUNDS` makes it longer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The folder of a target's corpus.
pub(crate) fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

/// The files of a target's corpus, in the order of their names.
pub(crate) fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = folder(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no inputs", dir.display());
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("readable"))).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Runs a body on its corpus, and on so many changes of it.
pub(crate) fn fuzz(target: &str, rounds: u64, body: fn(&[u8])) {
    let corpus = corpus(target);
    corpus.iter().for_each(|(path, input)| check(&path.display().to_string(), body, input));
    let seed = setting("FUZZ_SEED", 1);
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..setting("FUZZ_ROUNDS", rounds) {
        let mut input = corpus[rng.usize(0..corpus.len())].1.clone();
        for _ in 0..rng.u32(1..=4) {
            change(&mut rng, &mut input, &corpus);
        }
        check(&format!("FUZZ_SEED={seed}, round {round}"), body, &input);
    }
}

/// A failure shows the input, to be put into the corpus.
fn check(origin: &str, body: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| body(input))).is_err() {
        let hex: String = input.iter().map(|b| format!("{b:02x}")).collect();
        panic!("{origin} fails on these bytes: {hex}");
    }
}

fn change(rng: &mut fastrand::Rng, input: &mut Vec<u8>, corpus: &[(PathBuf, Vec<u8>)]) {
    let at = rng.usize(0..=input.len());
    let end = rng.usize(at..=input.len().min(at + 8));
    match rng.u32(0..6) {
        0 if at < input.len() => input[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][rng.usize(0..5)],
        1 if at < input.len() => input[at] ^= 1 << rng.u32(0..8),
        2 => input.insert(at, rng.u8(..)),
        3 => drop(input.drain(at..end)),
        4 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        _ => {
            let other = &corpus[rng.usize(0..corpus.len())].1;
            let from = rng.usize(0..=other.len());
            let to = rng.usize(from..=other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
    }
}
