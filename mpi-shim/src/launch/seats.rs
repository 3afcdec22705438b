//! Where on a fabric the processes of a job sit, where they do not share memory: the file that `TWOWIRE_SEATS` names.
//!
//! ```text
//! seats 1 xbar:/run/xbar             the fabric, as FABRIC everywhere; with `raw:DEVICE` and `wire:DEVICE` each rank opens its own host's device
//! rank 0 n0 0x0002c903000000a1       a rank, the fabric's name of its host (`-` where a host has one port only), its card's unique id
//! rank 1 n9 0x0002c903000000b2       with `raw:` and `wire:` a lane's unique id; ranks on lanes of one card share memory
//! route 0 1 88f887 89f887            the ways from one rank to another, in hop bytes; none are needed where a card is an address
//! ```
//! `#` starts a comment.

use std::fmt::Display;
use std::str::FromStr;
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{LanePath, Path};
use twowire_fabric::route::Route;
use twowire_fabric::spec::FabricSpec;

/// The name of the environment variable.
pub const VARIABLE: &str = "TWOWIRE_SEATS";

/// A process's seat on a fabric, and the ways to the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Seat {
    /// The fabric.
    pub fabric: FabricSpec,
    /// Which of its hosts this process is.
    pub host: Option<String>,
    /// Each rank's card, and the paths to it.
    pub peers: Vec<Peer>,
}

/// Another process, as the fabric finds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peer {
    /// Its card.
    pub card: UniqueId,
    /// The paths to it.
    pub paths: Vec<Path>,
}

impl Seat {
    /// The lane of this process's port: the upper bits of its unique id on a network device.
    pub fn lane(&self, rank: u32) -> u16 {
        match self.fabric {
            FabricSpec::Raw(_) | FabricSpec::Wire(_) => lane_of(self.peers[rank as usize].card),
            _ => 0,
        }
    }

    /// The ranks that sit on the same card as `rank`, which is among them: lanes of one device. They are on one host and share memory.
    pub fn neighbours(&self, rank: u32) -> Vec<u32> {
        let lane = self.lane(rank);
        let card = |rank: u32| self.peers[rank as usize].card.0 & ((1 << CARD_BITS) - 1);
        let all = 0..self.peers.len() as u32;
        all.filter(|&other| other == rank || (lane != 0 && card(other) == card(rank))).collect()
    }
}

fn lane_of(card: UniqueId) -> u16 {
    (card.0 >> CARD_BITS) as u16
}

/// Bits of a unique id that are a network card's address; above them stands the number of the lane.
const CARD_BITS: u32 = 48;

/// The seat of `rank` among `size`, as a file has it.
pub fn parse(text: &str, rank: u32, size: u32) -> Result<Seat, String> {
    let mut fabric = None;
    let mut hosts: Vec<Option<(Option<String>, Peer)>> = vec![None; size as usize];
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let at = |what: &dyn Display| format!("line {}: {what}", number + 1);
        match words[..] {
            [] => {}
            ["seats", "1", name] => fabric = Some(FabricSpec::from_str(name).map_err(|error| at(&error))?),
            ["rank", rank, host, card] => {
                let place = place(rank, size).map_err(|error| at(&error))?;
                let host = (host != "-").then(|| host.to_owned());
                let card = card_of(card).map_err(|error| at(&error))?;
                hosts[place] = Some((host, Peer { card, paths: Vec::new() }));
            }
            ["route", from, to, ref hops @ ..] => {
                let (from, to) = (place(from, size), place(to, size));
                let (from, to) = (from.map_err(|error| at(&error))?, to.map_err(|error| at(&error))?);
                let paths: Result<Vec<Path>, _> =
                    hops.iter().map(|hops| Route::from_str(hops).map(Path::Hops)).collect();
                let paths = paths.map_err(|error| at(&error))?;
                let Some(Some((_, peer))) = hosts.get_mut(to) else {
                    return Err(at(&format!("rank {to} has no line yet")));
                };
                if from == rank as usize {
                    peer.paths = paths;
                }
            }
            _ => return Err(at(&"expected `seats 1 FABRIC`, `rank R HOST CARD` or `route FROM TO HOPS...`")),
        }
    }
    let fabric = fabric.ok_or("there is no line `seats 1 FABRIC`")?;
    let absent = hosts.iter().position(Option::is_none);
    if let Some(absent) = absent {
        return Err(format!("rank {absent} of a job of {size} has no line"));
    }
    let (names, peers): (Vec<_>, Vec<_>) = hosts.into_iter().flatten().unzip();
    let host = names.into_iter().nth(rank as usize).flatten();
    let mut seat = Seat { fabric, host, peers: peers.into_iter().map(by_card).collect() };
    if matches!(seat.fabric, FabricSpec::Wire(_)) {
        let own = seat.lane(rank);
        seat.peers.iter_mut().for_each(|peer| go_by_lanes(peer, own));
    }
    Ok(seat)
}

/// On a cable to crossbars the routes lead to hosts, and from there on the lanes of both sides.
fn go_by_lanes(peer: &mut Peer, from: u16) {
    let to = lane_of(peer.card);
    for path in &mut peer.paths {
        if let Path::Hops(route) = *path {
            *path = Path::Lane(LanePath { route, to, from });
        }
    }
}

/// Without routes the card is the address.
fn by_card(peer: Peer) -> Peer {
    let paths = if peer.paths.is_empty() { vec![Path::Card(peer.card)] } else { peer.paths };
    Peer { paths, ..peer }
}

fn place(text: &str, size: u32) -> Result<usize, String> {
    let rank: u32 = text.parse().map_err(|_| format!("`{text}` is no rank"))?;
    if rank < size { Ok(rank as usize) } else { Err(format!("rank {rank} in a job of {size}")) }
}

fn card_of(text: &str) -> Result<UniqueId, String> {
    let digits = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    digits.map(UniqueId).ok_or_else(|| format!("`{text}` is no card's unique id: expected 0x and hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str =
        "seats 1 xbar:/x # the crossbars\nrank 0 n0 0xa1\nrank 1 n9 0xb2\nroute 0 1 88f887 89f887\nroute 1 0 88f887\n";

    #[test]
    fn a_rank_finds_its_host_and_the_ways_to_the_others() {
        let seat = parse(TWO, 0, 2).expect("a seat");
        assert_eq!(seat.host.as_deref(), Some("n0"));
        assert_eq!(seat.peers[1].card, UniqueId(0xb2));
        assert_eq!(seat.peers[1].paths.len(), 2);
        let other = parse(TWO, 1, 2).expect("a seat");
        assert_eq!(other.peers[0].paths.len(), 1);
    }

    #[test]
    fn without_routes_a_card_is_the_address() {
        let seat = parse("seats 1 raw:eth0\nrank 0 - 0xa1\nrank 1 - 0xb2\n", 1, 2).expect("a seat");
        assert_eq!((seat.host, seat.peers[0].paths.clone()), (None, vec![Path::Card(UniqueId(0xa1))]));
    }

    #[test]
    fn lanes_of_one_card_are_neighbours() {
        let text = "seats 1 raw:e0\nrank 0 - 0x10000000000a1\nrank 1 - 0x10000000000b2\nrank 2 - 0x20000000000a1\n";
        let seat = parse(text, 2, 3).expect("a seat");
        assert_eq!((seat.lane(2), seat.neighbours(2), seat.neighbours(1)), (2, vec![0, 2], vec![1]));
        let without = text.replace("0x1", "0x").replace("0x2", "0x");
        assert_eq!(parse(&without, 2, 3).expect("a seat").neighbours(2), [2], "a card without lanes is one rank's");
    }

    #[test]
    fn routes_to_hosts_lead_on_to_lanes() {
        let text = "seats 1 wire:e0\nrank 0 n0 0x10000000000a1\nrank 1 n1 0x20000000000b2\nroute 0 1 88 89\n";
        let seat = parse(text, 0, 2).expect("a seat");
        let path = |hops: &str| Path::Lane(LanePath { route: hops.parse().expect("hops"), to: 2, from: 1 });
        assert_eq!((seat.lane(0), &seat.peers[1].paths), (1, &vec![path("88"), path("89")]));
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        for (text, said) in [
            ("seats 2 raw:eth0", "line 1"),
            ("seats 1 raw:eth0\nrank 0 - a1", "line 2"),
            ("seats 1 raw:eth0\nrank 7 - 0xa1", "line 2: rank 7 in a job of 2"),
            ("seats 1 raw:eth0\nroute 0 1 88", "line 2: rank 1 has no line yet"),
            ("seats 1 raw:eth0\nrank 0 - 0xa1", "rank 1 of a job of 2 has no line"),
            ("rank 0 - 0xa1\nrank 1 - 0xa2", "no line `seats 1 FABRIC`"),
        ] {
            let error = parse(text, 0, 2).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "((seats|rank|route|#|0x|[0-9a-f]| |-|:|\n){0,40})", rank in 0..3u32) {
            let _ = parse(&text, rank, 3);
        }
    }
}
