//! What the ranks said of themselves: the lines of `mpi_abi::report`, put together.

use std::collections::BTreeMap;

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Sum {
    pub(super) fn and(self, other: Sum) -> Sum {
        let (messages, bytes) = (self.messages.saturating_add(other.messages), self.bytes.saturating_add(other.bytes));
        Sum { messages, bytes }
    }
}

/// What was sent to one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The program's own messages, sent at once,
    pub(super) eager: Sum,
    /// and when a receive wanted them.
    pub(super) rendezvous: Sum,
    /// The library's, for collectives and for itself.
    pub(super) library: Sum,
}

impl Sent {
    /// All of it.
    pub(super) fn all(&self) -> Sum {
        self.eager.and(self.rendezvous).and(self.library)
    }
}

/// How often and how long a rank was in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) count: u64,
    pub(super) ns: u64,
    /// Outside of other calls.
    pub(super) outermost_ns: u64,
}

/// A rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rank {
    /// From the initialisation of MPI to its end.
    pub(super) elapsed_ns: u64,
    pub(super) calls: BTreeMap<String, Call>,
    pub(super) sent: BTreeMap<u32, Sent>,
}

impl Rank {
    /// The time in MPI.
    pub(super) fn mpi_ns(&self) -> u64 {
        self.calls.values().map(|call| call.outermost_ns).fold(0, u64::saturating_add)
    }

    /// How many calls.
    pub(super) fn count(&self) -> u64 {
        self.calls.values().map(|call| call.count).fold(0, u64::saturating_add)
    }

    /// Everything that was sent.
    pub(super) fn sent(&self) -> Sent {
        self.sent.values().fold(Sent::default(), |all, one| Sent {
            eager: all.eager.and(one.eager),
            rendezvous: all.rendezvous.and(one.rendezvous),
            library: all.library.and(one.library),
        })
    }
}

/// The ranks of a job; none for one that has said nothing.
pub(super) type Ranks = Vec<Option<Rank>>;

/// Reads the lines of all ranks of a job of `size`. Lines that are not understood are left out: a rank may have been killed while it wrote.
pub(super) fn parse(text: &str, size: u32) -> Ranks {
    let mut ranks: Ranks = vec![None; size as usize];
    for line in text.lines() {
        let _ = take(&mut ranks, line);
    }
    ranks
}

fn take(ranks: &mut Ranks, line: &str) -> Option<()> {
    let size = ranks.len();
    let words: Vec<&str> = line.split(' ').collect();
    let (rank, words) = words.split_first()?;
    let rank = ranks.get_mut(rank.parse::<usize>().ok()?)?;
    match *words {
        // A rank says everything again when it says something again.
        ["elapsed", ns] => *rank = Some(Rank { elapsed_ns: ns.parse().ok()?, ..Rank::default() }),
        ["call", name, count, ns, outermost] => {
            let call = Call { count: count.parse().ok()?, ns: ns.parse().ok()?, outermost_ns: outermost.parse().ok()? };
            let plain =
                name.starts_with("MPI_") && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            rank.as_mut().filter(|_| plain)?.calls.insert(name.to_owned(), call);
        }
        ["sent", peer, plane, way, messages, bytes] => {
            let peer = peer.parse().ok().filter(|&peer: &u32| (peer as usize) < size)?;
            let sum = Sum { messages: messages.parse().ok()?, bytes: bytes.parse().ok()? };
            let sent = rank.as_mut()?.sent.entry(peer).or_default();
            match (plane, way) {
                ("user", "eager") => sent.eager = sum,
                ("user", "rendezvous") => sent.rendezvous = sum,
                ("library", _) => sent.library = sent.library.and(sum),
                _ => {}
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_become_ranks() {
        let text = "1 elapsed 50\n1 call MPI_Send 2 30 20\n1 sent 0 user eager 1 8\n1 sent 0 library eager 1 1\n\
                    1 sent 0 library rendezvous 1 2\n1 sent 9 user eager 1 1\n7 elapsed 1\nnonsense\n1 call <x> 1 1 1\n";
        let ranks = parse(text, 2);
        let rank = ranks[1].as_ref().expect("it spoke");
        assert_eq!(ranks[0], None);
        assert_eq!((rank.elapsed_ns, rank.mpi_ns(), rank.count(), rank.sent.len()), (50, 20, 2, 1));
        let all = rank.sent[&0].all();
        assert_eq!((all.messages, all.bytes, rank.sent().library.bytes), (3, 11, 3));
        let again = parse(&format!("{text}1 elapsed 60\n"), 2);
        assert_eq!(again[1], Some(Rank { elapsed_ns: 60, ..Rank::default() }));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([0-3]|elapsed|call|sent|user|library|eager|MPI_X| |-|9{30}|\n){0,60}") {
            for rank in parse(&text, 3).into_iter().flatten() {
                let _ = (rank.mpi_ns(), rank.count(), rank.sent().all());
            }
        }
    }
}
