//! Which ranks wait for one another for ever.
//!
//! A rank that waits is stuck if what it waits for can only come from ranks that are stuck themselves, or that have ended: from one such rank
//! where all that are named have to act, from all of them where one is enough. The ranks that are left when all others have been taken
//! away are stuck for certain, whatever the rest does.

use mpi_abi::launch::waits::{Form, Reason, Wait};
use std::fmt;

/// What is known of a rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may do anything.
    Active,
    /// It has been asleep for a while, waiting for this.
    Waits(Wait),
    /// It has finalised MPI or ended.
    Ended,
}

/// Ranks that wait for one another, each for the next: the last one for the first of the circle, or for a rank that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadlock {
    /// Each rank, and what the next one would have to do.
    pub(crate) chain: Vec<(u32, Reason)>,
    /// For whom the last one waits.
    pub(crate) end: u32,
    /// That one has ended.
    pub(crate) ended: bool,
}

/// More ranks of a chain than this are not all named.
const NAMED: usize = 8;

/// The first deadlock among the ranks.
pub(crate) fn find(ranks: &[Standing]) -> Option<Deadlock> {
    let mut stuck: Vec<bool> = ranks.iter().map(|standing| *standing != Standing::Active).collect();
    loop {
        let kept: Vec<bool> = ranks.iter().zip(0..).map(|(standing, rank)| stays(standing, rank, &stuck)).collect();
        if kept == stuck {
            break;
        }
        stuck = kept;
    }
    let first = ranks.iter().zip(&stuck).position(|(standing, &stuck)| stuck && *standing != Standing::Ended)?;
    Some(follow(ranks, &stuck, first as u32))
}

/// Whether a rank is still stuck if only these are.
fn stays(standing: &Standing, rank: u32, stuck: &[bool]) -> bool {
    let Standing::Waits(wait) = standing else { return *standing == Standing::Ended };
    let is_stuck = |peer: &u32| stuck.get(*peer as usize).copied().unwrap_or(false);
    match wait.form {
        Form::All => wait.peers.iter().any(is_stuck),
        Form::Any => !wait.peers.is_empty() && wait.peers.iter().all(is_stuck),
        Form::Anybody => stuck.len() > 1 && (0..stuck.len() as u32).all(|peer| peer == rank || is_stuck(&peer)),
        Form::Unknown => false,
    }
}

/// The way from one rank that is stuck to the next, until one comes again or has ended.
fn follow(ranks: &[Standing], stuck: &[bool], first: u32) -> Deadlock {
    let mut chain: Vec<(u32, Reason)> = Vec::new();
    let mut at = first;
    while let Standing::Waits(wait) = &ranks[at as usize] {
        if let Some(begin) = chain.iter().position(|&(rank, _)| rank == at) {
            chain.drain(..begin);
            return Deadlock { chain, end: at, ended: false };
        }
        chain.push((at, wait.reason));
        let named = wait.peers.iter().copied().find(|&peer| stuck.get(peer as usize) == Some(&true));
        let others = (0..ranks.len() as u32).find(|&peer| peer != at);
        let next = if wait.form == Form::Anybody { others } else { named };
        at = next.unwrap_or(first);
    }
    Deadlock { chain, end: at, ended: true }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = self.chain.iter().skip(1).map(|&(rank, _)| rank).chain([self.end]);
        let left_out = self.chain.len().saturating_sub(NAMED);
        for (index, (&(rank, reason), next)) in self.chain.iter().zip(next).enumerate() {
            let place = if left_out > 0 { index.checked_sub(NAMED / 2) } else { None };
            match place {
                Some(0) => write!(f, ", … ({left_out} more)")?,
                Some(inside) if inside < left_out => {}
                _ => {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}rank {rank} waits {reason} rank {next}")?;
                }
            }
        }
        if self.ended { f.write_str(", which has finalised MPI") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waits(form: Form, peers: &[u32]) -> Standing {
        Standing::Waits(Wait { form, peers: peers.to_vec(), ..Wait::default() })
    }

    fn said(ranks: &[Standing]) -> String {
        find(ranks).map_or_else(String::new, |deadlock| deadlock.to_string())
    }

    #[test]
    fn a_circle_of_receives_is_named() {
        let ranks = [1, 2, 0].map(|peer| waits(Form::All, &[peer]));
        let circle = "rank 0 waits for a message from rank 1, rank 1 waits for a message from rank 2, \
                      rank 2 waits for a message from rank 0";
        assert_eq!(said(&ranks), circle);
        // Whoever waits for the circle is not part of it.
        let ranks = [&[waits(Form::All, &[2])][..], &[Standing::Active], &[3, 2].map(|peer| waits(Form::All, &[peer]))];
        let expected = "rank 2 waits for a message from rank 3, rank 3 waits for a message from rank 2";
        assert_eq!(said(&ranks.concat()), expected);
    }

    #[test]
    fn what_somebody_may_still_do_is_no_deadlock() {
        let active = Standing::Active;
        for ranks in [
            vec![waits(Form::All, &[1]), active.clone()],
            vec![waits(Form::Any, &[1, 2]), waits(Form::All, &[0]), active.clone()],
            vec![waits(Form::Anybody, &[]), waits(Form::All, &[0]), active],
            vec![waits(Form::Unknown, &[1]), waits(Form::All, &[0])],
            vec![waits(Form::All, &[]), waits(Form::All, &[9])],
            vec![],
        ] {
            assert_eq!(find(&ranks), None, "{ranks:?}");
        }
    }

    #[test]
    fn one_of_many_is_stuck_when_all_are() {
        let ranks = [waits(Form::Any, &[1, 2]), waits(Form::All, &[0]), waits(Form::Anybody, &[])];
        assert_eq!(said(&ranks), "rank 0 waits for a message from rank 1, rank 1 waits for a message from rank 0");
        assert_eq!(said(&[waits(Form::All, &[0])]), "rank 0 waits for a message from rank 0");
    }

    #[test]
    fn who_has_ended_does_nothing_any_more() {
        let collective = Standing::Waits(Wait { reason: Reason::Collective, peers: vec![1], ..Wait::default() });
        let ranks = [waits(Form::All, &[2]), Standing::Ended, collective];
        let expected =
            "rank 0 waits for a message from rank 2, rank 2 waits in a collective for rank 1, which has finalised MPI";
        assert_eq!(said(&ranks), expected);
    }

    #[test]
    fn a_long_circle_is_cut() {
        let ranks: Vec<Standing> = (0..100).map(|rank| waits(Form::All, &[(rank + 1) % 100])).collect();
        let text = said(&ranks);
        assert!(text.contains("rank 3 waits for a message from rank 4, … (92 more), rank 96 waits"), "{text}");
        assert!(text.ends_with("rank 99 waits for a message from rank 0"), "{text}");
    }

    fn standing() -> impl Strategy<Value = Standing> {
        let form = prop::sample::select(vec![Form::All, Form::Any, Form::Anybody, Form::Unknown]);
        let wait = (form, prop::collection::vec(0..8_u32, 0..4)).prop_map(|(form, peers)| waits(form, &peers));
        prop_oneof![1 => Just(Standing::Active), 1 => Just(Standing::Ended), 6 => wait]
    }

    proptest! {
        // Whatever the active ranks do, nobody of a deadlock can be the first to go on.
        #[test]
        fn nobody_of_a_deadlock_can_go_on(ranks in prop::collection::vec(standing(), 0..8)) {
            if let Some(deadlock) = find(&ranks) {
                let _ = deadlock.to_string();
                let mut free: Vec<bool> = ranks.iter().map(|standing| *standing == Standing::Active).collect();
                for _ in &ranks {
                    for (rank, standing) in ranks.iter().enumerate() {
                        let Standing::Waits(wait) = standing else { continue };
                        let may = |peer: &u32| free.get(*peer as usize).copied().unwrap_or(true);
                        free[rank] |= match wait.form {
                            Form::All => wait.peers.iter().all(may),
                            Form::Any => wait.peers.is_empty() || wait.peers.iter().any(may),
                            Form::Anybody => ranks.len() < 2 || (0..ranks.len()).any(|peer| peer != rank && free[peer]),
                            Form::Unknown => true,
                        };
                    }
                }
                for (rank, _) in deadlock.chain {
                    prop_assert!(!free[rank as usize]);
                }
            }
        }
    }
}
