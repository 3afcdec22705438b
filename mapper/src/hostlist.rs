//! Names in short: `n[0-7,12],master`, the form that Slurm and clush read.

use std::collections::BTreeMap;

/// Names that differ in the number at their end only; or one name that ends in none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Family<'a> {
    stem: &'a str,
    /// The digits of a number that starts with a zero, 0 for other numbers; `None` for a name without a number.
    width: Option<usize>,
}

/// Splits a name before the number at its end.
fn split(name: &str) -> (Family<'_>, Option<u64>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &name[stem.len()..];
    // Brackets and commas mean something in a list, so such names stand for themselves.
    match digits.parse() {
        Ok(number) if !stem.contains(['[', ']', ',']) => {
            let width = if digits.len() > 1 && digits.starts_with('0') { digits.len() } else { 0 };
            (Family { stem, width: Some(width) }, Some(number))
        }
        _ => (Family { stem: name, width: None }, None),
    }
}

/// The names as one list, without those that occur twice.
pub fn compress<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut families: BTreeMap<Family<'_>, Vec<u64>> = BTreeMap::new();
    for name in names {
        let (family, number) = split(name);
        families.entry(family).or_default().extend(number);
    }
    let words: Vec<String> = families.into_iter().map(|(family, numbers)| word(&family, numbers)).collect();
    words.join(",")
}

fn word(Family { stem, width }: &Family<'_>, mut numbers: Vec<u64>) -> String {
    let Some(width) = *width else { return (*stem).to_owned() };
    numbers.sort_unstable();
    numbers.dedup();
    let ranges: Vec<String> = numbers
        .chunk_by(|a, b| b - a == 1)
        .map(|run| match *run {
            [one] => format!("{one:0width$}"),
            [first, .., last] => format!("{first:0width$}-{last:0width$}"),
            [] => unreachable!("a chunk is not empty"),
        })
        .collect();
    match &ranges[..] {
        [one] if !one.contains('-') => format!("{stem}{one}"),
        _ => format!("{stem}[{}]", ranges.join(",")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes a list apart, as its readers do.
    pub(crate) fn expand(list: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let end = rest.find([',', '[']).unwrap_or(rest.len());
            let stem = &rest[..end];
            if !rest[end..].starts_with('[') {
                names.push(stem.to_owned());
                rest = rest[end..].trim_start_matches(',');
                continue;
            }
            let (inside, after) = rest[end + 1..].split_once(']').unwrap();
            for range in inside.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let width = first.len();
                let numbers = first.parse::<u64>().unwrap()..=last.parse().unwrap();
                names.extend(numbers.map(|n| format!("{stem}{n:0width$}")));
            }
            rest = after.trim_start_matches(',');
        }
        names
    }

    #[test]
    fn runs_become_ranges_and_other_names_stand_alone() {
        assert_eq!(compress(["n3", "master", "n0", "n1", "n2", "n9"]), "master,n[0-3,9]");
        assert_eq!(compress(["x1.7", "x1.8", "x2.8"]), "x1.[7-8],x2.8");
        assert_eq!(compress(["r07", "r08", "r9", "r10"]), "r[9-10],r[07-08]");
        assert_eq!(compress(["a[1]", "n1", "n1"]), "a[1],n1");
        assert_eq!(compress([]), "");
    }

    proptest! {
        #[test]
        fn a_list_holds_the_names_that_were_put_in(names in prop::collection::btree_set("[a-c]{1,2}-?[0-9]{0,3}", 0..40)) {
            let mut expanded = expand(&compress(names.iter().map(String::as_str)));
            expanded.sort_unstable();
            prop_assert_eq!(expanded, names.into_iter().collect::<Vec<_>>());
        }
    }
}
