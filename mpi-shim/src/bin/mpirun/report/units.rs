//! Numbers for people.

/// Bytes in the largest unit of which there is at least one: "1.5 MiB".
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let exponent = (bytes.ilog2() / 10) as usize;
    let value = bytes as f64 / 1024_f64.powi(exponent as i32);
    let digits = usize::from(value < 99.95);
    format!("{value:.digits$} {}", UNITS[exponent - 1])
}

/// A time: "1.234 s", "12.3 ms".
pub(super) fn time(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}

/// A part of a whole, in per cent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits() {
        let shown = [0, 1023, 1024, 1536, 102_400, 1 << 20, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "100 KiB", "1.0 MiB", "16.0 EiB"]);
        assert_eq!([9, 1_500, 12_340_000, 1_234_000_000].map(time), ["9 ns", "1.5 µs", "12.3 ms", "1.23 s"]);
        assert_eq!((percent(1, 8), percent(1, 0)), ("12.5 %".to_owned(), "-".to_owned()));
    }
}
