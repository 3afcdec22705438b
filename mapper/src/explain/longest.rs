//! How long the routes are.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::{HostId, Topology};

/// How many pairs are listed.
const LISTED: usize = 10;

/// The lengths of a set's routes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lengths {
    /// For each number of hops that occurs, in ascending order.
    pub lengths: Vec<Length>,
    /// The first pairs whose routes are the longest.
    pub longest: Vec<LongRoute>,
}

/// How many routes are of one length.
#[derive(Clone, Debug, Serialize)]
pub struct Length {
    /// The hops.
    pub hops: usize,
    /// Preferred routes of so many.
    pub preferred: u64,
    /// All routes of so many.
    pub all: u64,
}

/// One of the longest routes.
#[derive(Clone, Debug, Serialize)]
pub struct LongRoute {
    /// Where it starts.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// 0 for the preferred route of the pair.
    pub alternate: usize,
    /// Its hop bytes, in hexadecimal.
    pub hops: String,
}

/// Counts a set's routes by length.
pub fn lengths(topology: &Topology, routes: &RouteSet) -> Lengths {
    let mut counts: Vec<[u64; 2]> = Vec::new();
    let mut longest: BTreeMap<(HostId, HostId, usize), Vec<u8>> = BTreeMap::new();
    routes.for_each(|from, route| {
        let hops = route.hops.len();
        if hops >= counts.len() {
            counts.resize(hops + 1, [0, 0]);
            longest.clear();
        }
        counts[hops][0] += u64::from(route.alternate == 0);
        counts[hops][1] += 1;
        let which = (from, route.to, route.alternate);
        let is_early = longest.len() < LISTED || longest.last_key_value().is_some_and(|(last, _)| which < *last);
        if hops + 1 == counts.len() && is_early {
            longest.insert(which, route.hops.to_vec());
            if longest.len() > LISTED {
                longest.pop_last();
            }
        }
    });
    let name = |host: HostId| topology.host(host).name.clone();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let longest = longest.into_iter().map(|((from, to, alternate), hops)| LongRoute {
        from: name(from),
        to: name(to),
        alternate,
        hops: hex(&hops),
    });
    let lengths = counts.into_iter().enumerate().filter(|(_, [_, all])| *all > 0);
    let lengths = lengths.map(|(hops, [preferred, all])| Length { hops, preferred, all }).collect();
    Lengths { lengths, longest: longest.collect() }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>4} {:>16} {:>16}", "hops", "preferred routes", "all routes")?;
        for Length { hops, preferred, all } in &self.lengths {
            writeln!(f, "{hops:>4} {preferred:>16} {all:>16}")?;
        }
        writeln!(f, "\nthe longest (at most {LISTED} of them):")?;
        for LongRoute { from, to, alternate, hops } in &self.longest {
            let which = if *alternate == 0 { "preferred".to_owned() } else { format!("alternate {alternate}") };
            writeln!(f, "  {:<20} {which:<14} {hops}", format!("{from} to {to}"))?;
        }
        Ok(())
    }
}
