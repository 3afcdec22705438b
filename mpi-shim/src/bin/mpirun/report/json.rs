//! The report as JSON, in numbers of bytes and seconds.

use super::record::{Call, Rank, Ranks, Sent, Sum};

/// The whole report, with a newline.
pub(super) fn write(ranks: &Ranks) -> String {
    let spoke = (0..).zip(ranks).filter_map(|(number, rank): (u32, _)| Some((number, rank.as_ref()?)));
    let each: Vec<String> = spoke.map(|(number, rank)| of_rank(number, rank)).collect();
    format!("{{\"size\":{},\"ranks\":[{}]}}\n", ranks.len(), each.join(","))
}

fn of_rank(number: u32, rank: &Rank) -> String {
    // Names of calls are letters, digits and underscores, so nothing has to be quoted.
    let calls: Vec<String> = rank.calls.iter().map(|(name, call)| of_call(name, call)).collect();
    let sent: Vec<String> = rank.sent.iter().map(|(to, sent)| of_sent(*to, sent)).collect();
    format!(
        "{{\"rank\":{number},\"elapsed_s\":{},\"mpi_s\":{},\"calls\":[{}],\"sent\":[{}]}}",
        seconds(rank.elapsed_ns),
        seconds(rank.mpi_ns()),
        calls.join(","),
        sent.join(",")
    )
}

fn of_call(name: &str, call: &Call) -> String {
    format!("{{\"name\":\"{name}\",\"count\":{},\"time_s\":{}}}", call.count, seconds(call.ns))
}

fn of_sent(to: u32, sent: &Sent) -> String {
    let sum = |sum: Sum| format!("{{\"messages\":{},\"bytes\":{}}}", sum.messages, sum.bytes);
    format!(
        "{{\"to\":{to},\"eager\":{},\"rendezvous\":{},\"library\":{}}}",
        sum(sent.eager),
        sum(sent.rendezvous),
        sum(sent.library)
    )
}

fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::record::parse;
    use super::*;

    #[test]
    fn a_report_with_all_its_fields() {
        let ranks = parse("1 elapsed 1500000000\n1 call MPI_Send 1 20 10\n1 sent 0 user eager 2 16\n", 2);
        let expected = "{\"size\":2,\"ranks\":[{\"rank\":1,\"elapsed_s\":1.500000000,\"mpi_s\":0.000000010,\
            \"calls\":[{\"name\":\"MPI_Send\",\"count\":1,\"time_s\":0.000000020}],\"sent\":[{\"to\":0,\
            \"eager\":{\"messages\":2,\"bytes\":16},\"rendezvous\":{\"messages\":0,\"bytes\":0},\
            \"library\":{\"messages\":0,\"bytes\":0}}]}]}\n";
        assert_eq!(write(&ranks), expected);
    }
}
