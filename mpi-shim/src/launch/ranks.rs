//! Ranks in sentences.

use std::fmt::Write;

/// "rank 3", "ranks 0-3, 7": numbers that rise, those that follow one another as a range.
pub fn in_words(ranks: &[u32]) -> String {
    let mut text = if ranks.len() == 1 { "rank ".to_owned() } else { "ranks ".to_owned() };
    let mut rest = ranks;
    while let Some(&first) = rest.first() {
        let len = rest.iter().zip(0..).take_while(|&(&rank, index)| rank.checked_sub(first) == Some(index)).count();
        let comma = if rest.len() == ranks.len() { "" } else { ", " };
        // Two in a row are no shorter as a range.
        let len = if len == 2 { 1 } else { len };
        let _ = match len {
            1 => write!(text, "{comma}{first}"),
            _ => write!(text, "{comma}{first}-{}", rest[len - 1]),
        };
        rest = &rest[len..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_short() {
        for (ranks, text) in [
            (&[3][..], "rank 3"),
            (&[0, 1], "ranks 0, 1"),
            (&[0, 1, 2, 3, 7], "ranks 0-3, 7"),
            (&[1, 3, 4, 5], "ranks 1, 3-5"),
            (&[4_294_967_294, 4_294_967_295], "ranks 4294967294, 4294967295"),
        ] {
            assert_eq!(in_words(ranks), text);
        }
    }
}
