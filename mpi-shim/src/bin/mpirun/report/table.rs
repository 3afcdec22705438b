//! The report as tables on a terminal.

use super::record::{Rank, Ranks, Sum};
use super::units::{bytes, percent, time};
use mpi_abi::launch::ranks::in_words;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

/// Of a job with more ranks than this, those with the most time in MPI are shown.
const MOST_RANKS: usize = 32;
/// So many calls, and pairs of ranks.
const MOST_LINES: usize = 24;
const MOST_PAIRS: usize = 10;

/// All tables. Of the ranks that were started here those are named that have said nothing.
pub(super) fn write(ranks: &Ranks, here: &Range<u32>) -> String {
    let mut text = "mpirun: report, from MPI_Init to MPI_Finalize\n".to_owned();
    text += &of_ranks(ranks);
    text += &of_calls(ranks);
    text += &of_pairs(ranks);
    let silent: Vec<u32> = (0..).zip(ranks).filter(|(_, rank)| rank.is_none()).map(|(rank, _)| rank).collect();
    let silent: Vec<u32> = silent.into_iter().filter(|rank| here.contains(rank)).collect();
    if !silent.is_empty() {
        let _ = writeln!(text, "not in the report, for want of MPI_Finalize: {}", in_words(&silent));
    }
    text
}

/// What each rank received, by rank.
fn received(ranks: &Ranks) -> Vec<Sum> {
    let mut sums = vec![Sum::default(); ranks.len()];
    for (&to, sent) in ranks.iter().flatten().flat_map(|rank| &rank.sent) {
        sums[to as usize] = sums[to as usize].and(sent.all());
    }
    sums
}

fn of_ranks(ranks: &Ranks) -> String {
    let received = received(ranks);
    let mut spoke: Vec<(usize, &Rank)> =
        ranks.iter().enumerate().filter_map(|(index, rank)| Some((index, rank.as_ref()?))).collect();
    let left_out = spoke.len().saturating_sub(MOST_RANKS);
    if left_out > 0 {
        spoke.sort_by_key(|(index, rank)| (u64::MAX - rank.mpi_ns(), *index));
        spoke.truncate(MOST_RANKS);
    }
    let head = ["rank", "time", "in MPI", "", "calls", "eager", "rendezvous", "library", "sent", "received"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (index, rank) in spoke {
        let sent = rank.sent();
        rows.push(vec![
            index.to_string(),
            time(rank.elapsed_ns),
            time(rank.mpi_ns()),
            percent(rank.mpi_ns(), rank.elapsed_ns),
            rank.count().to_string(),
            sent.eager.messages.to_string(),
            sent.rendezvous.messages.to_string(),
            sent.library.messages.to_string(),
            bytes(sent.all().bytes),
            bytes(received[index].bytes),
        ]);
    }
    let more = if left_out > 0 { format!("and {left_out} ranks with less time in MPI\n") } else { String::new() };
    format!("{}{more}", aligned(&rows))
}

fn of_calls(ranks: &Ranks) -> String {
    /// Count, time of all ranks, the longest time of one rank, and which.
    type Row = (u64, u64, u64, usize);
    let mut calls: BTreeMap<&str, Row> = BTreeMap::new();
    for (index, rank) in ranks.iter().enumerate() {
        for (name, call) in rank.iter().flat_map(|rank| &rank.calls) {
            let (count, ns, longest, who) = calls.entry(name).or_default();
            (*count, *ns) = (count.saturating_add(call.count), ns.saturating_add(call.ns));
            if call.ns > *longest {
                (*longest, *who) = (call.ns, index);
            }
        }
    }
    let mut calls: Vec<(&str, Row)> = calls.into_iter().collect();
    calls.sort_by_key(|&(name, (_, ns, ..))| (u64::MAX - ns, name));
    let left_out = calls.len().saturating_sub(MOST_LINES);
    let mut rows =
        vec![["call", "count", "time, all ranks", "mean", "longest, one rank", "rank"].map(str::to_owned).to_vec()];
    for (name, (count, ns, longest, who)) in calls.into_iter().take(MOST_LINES) {
        let mean = ns / count.max(1);
        rows.push(vec![name.to_owned(), count.to_string(), time(ns), time(mean), time(longest), who.to_string()]);
    }
    let more = if left_out > 0 { format!("and {left_out} calls with less time\n") } else { String::new() };
    format!("\n{}{more}", aligned(&rows))
}

fn of_pairs(ranks: &Ranks) -> String {
    let pairs = ranks.iter().enumerate().flat_map(|(from, rank)| {
        rank.iter().flat_map(|rank| &rank.sent).map(move |(&to, sent)| (from, to, sent.all()))
    });
    let mut pairs: Vec<(usize, u32, Sum)> = pairs.filter(|(.., sum)| sum.messages > 0).collect();
    if pairs.is_empty() {
        return "\nno messages\n".to_owned();
    }
    pairs.sort_by_key(|&(from, to, sum)| (u64::MAX - sum.bytes, from, to));
    let left_out = pairs.len().saturating_sub(MOST_PAIRS);
    let mut rows = vec![["from", "to", "messages", "bytes"].map(str::to_owned).to_vec()];
    for (from, to, sum) in pairs.into_iter().take(MOST_PAIRS) {
        rows.push(vec![from.to_string(), to.to_string(), sum.messages.to_string(), bytes(sum.bytes)]);
    }
    let more = if left_out > 0 { format!("and {left_out} pairs with fewer bytes\n") } else { String::new() };
    format!("\n{}{more}", aligned(&rows))
}

/// Rows whose columns are as wide as they must be: the first to the left if it holds words, all others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let left = rows.iter().skip(1).any(|row| row[0].starts_with("MPI_"));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 if left => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::parse;
    use super::*;

    #[test]
    fn a_small_job() {
        let text = "0 elapsed 2000000000\n0 call MPI_Send 3 1500000 1500000\n0 call MPI_Barrier 1 500000 500000\n\
                    0 sent 1 user eager 2 200\n0 sent 1 user rendezvous 1 1048576\n1 elapsed 2000000000\n\
                    1 call MPI_Recv 3 400000000 400000000\n1 sent 1 library eager 1 4\n";
        let expected = "\
mpirun: report, from MPI_Init to MPI_Finalize
rank    time    in MPI          calls  eager  rendezvous  library     sent  received
   0  2.00 s    2.0 ms   0.1 %      4      2           1        0  1.0 MiB       0 B
   1  2.00 s  400.0 ms  20.0 %      3      0           0        1      4 B   1.0 MiB

call         count  time, all ranks      mean  longest, one rank  rank
MPI_Recv         3         400.0 ms  133.3 ms           400.0 ms     1
MPI_Send         3           1.5 ms  500.0 µs             1.5 ms     0
MPI_Barrier      1         500.0 µs  500.0 µs           500.0 µs     0

from  to  messages    bytes
   0   1         3  1.0 MiB
   1   1         1      4 B
not in the report, for want of MPI_Finalize: rank 2
";
        assert_eq!(write(&parse(text, 3), &(0..3)), expected);
    }

    #[test]
    fn a_large_job_is_cut() {
        let lines = (0..300).map(|rank| {
            format!("{rank} elapsed 9\n{rank} call MPI_Send 1 {rank} {rank}\n{rank} sent 0 user eager 1 1\n")
        });
        let text = write(&parse(&lines.collect::<String>(), 300), &(0..300));
        assert!(text.contains("and 268 ranks with less time in MPI") && text.contains("and 290 pairs"), "{text}");
        assert!(text.lines().count() < 60, "{text}");
    }
}
