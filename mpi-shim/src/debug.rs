//! `TWOWIRE_DEBUG`: what the library says of itself on the standard error output.

use crate::errhandler::say;

/// The name of the environment variable: words between commas.
pub const VARIABLE: &str = "TWOWIRE_DEBUG";
/// The ways to the other ranks, and why those.
pub const TRANSPORT: &str = "transport";
/// The way of each communicator's collectives, and why that.
pub const COLLECTIVES: &str = "collectives";

/// All words, and what they stand for.
const WORDS: [(&str, &str); 2] = [
    (TRANSPORT, "by which way each rank reaches which others, and why"),
    (COLLECTIVES, "by which way the blocking collectives of each communicator go, and why"),
];

/// Whether a word is asked for.
pub fn asks_for(word: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|text| words(&text).any(|asked| asked == word))
}

/// Says which words are unknown, if there are any. One rank of a job is enough to say so.
pub fn warn_of_unknown_words() {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    if let Some(warning) = warning(&text) {
        say(&warning);
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn warning(text: &str) -> Option<String> {
    let known = |word: &&str| WORDS.iter().any(|(known, _)| known == word);
    let unknown: Vec<String> = words(text).filter(|word| !known(word)).map(|word| format!("`{word}`")).collect();
    let there_are: Vec<String> = WORDS.iter().map(|(word, meaning)| format!("`{word}` ({meaning})")).collect();
    (!unknown.is_empty())
        .then(|| format!("{VARIABLE}: unknown: {}; there are: {}", unknown.join(", "), there_are.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_named_with_those_that_there_are() {
        assert_eq!(warning(""), None);
        assert_eq!(warning(" transport,,transport "), None);
        let warning = warning("transport, transprot,x").expect("a warning");
        assert!(warning.starts_with("TWOWIRE_DEBUG: unknown: `transprot`, `x`; there are: `transport` ("), "{warning}");
    }
}
