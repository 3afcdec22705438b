//! Which hosts a job runs on, and how many ranks on each.

use super::AGENT_LANE;
use std::fmt::Display;
use std::path::Path as FilePath;
use twowire_fabric::id::UniqueId;
use twowire_fabric::map::{FabricMap, routes_text};
use twowire_fabric::protocol::{LanePath, Path};
use twowire_fabric::raw::Mac;
use twowire_fabric::topology::read_file;

/// Where other programs too look for the names of Ethernet cards: ethers(5).
const ETHERS: &str = "/etc/ethers";

/// A host of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it is called.
    pub name: String,
    /// Its card.
    pub card: UniqueId,
    /// The most ranks.
    pub slots: u32,
    /// The ways to its agent; none where it is found by its card.
    pub ways: Vec<Path>,
}

/// Finds the ways from the front end, on the lane `from`, to the agents of hosts of a map.
pub fn find_ways(hosts: &mut [Host], map: &FilePath, routes: &FilePath, from: u16) -> Result<(), String> {
    let topology = read_file(map).map_err(|error| error.to_string())?;
    let at = |error: &dyn Display| format!("{}: {error}", routes.display());
    let text = std::fs::read_to_string(routes).map_err(|error| at(&error))?;
    let known = routes_text::parse(&text, &topology).map_err(|error| at(&error))?;
    let map = FabricMap::from_topology(topology).map_err(|error| format!("{}: {error}", map.display()))?;
    for host in hosts {
        let place = map.topology().host_ids().find(|&id| map.topology().host(id).id == host.card);
        let to_agent = |route| Path::Lane(LanePath { route, to: AGENT_LANE, from });
        host.ways = place.map(|place| known.routes(map.front_end(), place).map(to_agent).collect()).unwrap_or_default();
        if host.ways.is_empty() {
            return Err(at(&format!("there is no route to {}", host.name)));
        }
    }
    Ok(())
}

/// Reads `a,b:4,02:00:00:00:00:01:2`: names or addresses of cards, each with how many ranks it may have. Names stand in a fabric map, or
/// in `/etc/ethers`. Without a list it is all hosts of the map but the front end.
pub fn hosts(list: Option<&str>, map: Option<&FilePath>) -> Result<Vec<Host>, String> {
    let known = match map {
        Some(path) => in_map(path)?,
        None => ethers(&std::fs::read_to_string(ETHERS).unwrap_or_default()),
    };
    let Some(list) = list else {
        let others = known.into_iter().filter(|(name, _)| name != "master");
        return Ok(others.map(|(name, card)| Host { name, card, slots: 1, ways: Vec::new() }).collect());
    };
    let hosts: Vec<Host> = list.split(',').map(|word| host(word, &known, map)).collect::<Result<_, _>>()?;
    for (index, host) in hosts.iter().enumerate() {
        if let Some(other) = hosts[..index].iter().find(|other| other.card == host.card) {
            return Err(format!(
                "--hosts {list}: {} and {} are one host; say `{}:N`",
                other.name, host.name, host.name
            ));
        }
    }
    Ok(hosts)
}

fn host(word: &str, known: &[(String, UniqueId)], map: Option<&FilePath>) -> Result<Host, String> {
    let (name, slots) = split(word)?;
    let listed = known.iter().find(|(other, _)| other == name).map(|&(_, card)| card);
    let card = listed.or_else(|| mac(name)).ok_or_else(|| {
        let place = map.map_or(ETHERS.to_owned(), |path| path.display().to_string());
        format!("host `{name}` is not in {place}, and it is no card's address as 02:00:00:00:00:01")
    })?;
    Ok(Host { name: name.to_owned(), card, slots, ways: Vec::new() })
}

/// A name or an address, and behind another colon a number.
fn split(word: &str) -> Result<(&str, u32), String> {
    if mac(word).is_some() {
        return Ok((word, 1));
    }
    let Some((name, number)) = word.rsplit_once(':') else { return Ok((word, 1)) };
    let slots = number.parse().ok().filter(|&slots| slots > 0);
    slots.map(|slots| (name, slots)).ok_or_else(|| format!("`{word}`: expected HOST or HOST:RANKS"))
}

fn mac(text: &str) -> Option<UniqueId> {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() <= 2))
        .collect::<Option<_>>()?;
    Some(Mac(bytes.try_into().ok()?)).filter(|mac| !mac.is_multicast()).map(Mac::unique_id)
}

fn in_map(path: &FilePath) -> Result<Vec<(String, UniqueId)>, String> {
    let map = read_file(path).map_err(|error| error.to_string())?;
    Ok(map.hosts().iter().map(|host| (host.name.clone(), host.id)).collect())
}

/// The lines of ethers(5): an address and a name. Others' mistakes in that file are not ours to judge.
fn ethers(text: &str) -> Vec<(String, UniqueId)> {
    let line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let card = mac(words.next()?)?;
        Some((words.next()?.to_owned(), card))
    };
    text.lines().filter_map(line).collect()
}

/// How many ranks each host gets: as many as it may have, in turn, until all have a place; all places if the number is not said.
pub fn deal(hosts: &[Host], ranks: Option<u32>) -> Result<Vec<u32>, String> {
    let room: u32 = hosts.iter().map(|host| host.slots).sum();
    let mut left = ranks.unwrap_or(room);
    if left > room {
        return Err(format!("{left} ranks, and the hosts have room for {room}: `HOST:RANKS` gives a host more"));
    }
    let take = |host: &Host| {
        let count = left.min(host.slots);
        left -= count;
        count
    };
    Ok(hosts.iter().map(take).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_numbers() {
        let known = ethers("# cards\n2:0:0:0:0:a1 a # first\n02:00:00:00:00:b2\tb\nnonsense\n");
        let host = |word| host(word, &known, None).map(|host| (host.name, host.card.0, host.slots));
        assert_eq!(host("a"), Ok(("a".into(), 0x0200_0000_00a1, 1)));
        assert_eq!(host("b:4"), Ok(("b".into(), 0x0200_0000_00b2, 4)));
        assert_eq!(host("02:00:00:00:00:01"), Ok(("02:00:00:00:00:01".into(), 0x0200_0000_0001, 1)));
        assert_eq!(host("02:00:00:00:00:01:12"), Ok(("02:00:00:00:00:01".into(), 0x0200_0000_0001, 12)));
        for (word, said) in [("c", "not in /etc/ethers"), ("a:0", "expected HOST"), ("a:x", "expected HOST")] {
            assert!(host(word).unwrap_err().contains(said), "{word}");
        }
        let twice = hosts(Some("02:00:00:00:00:01,02:00:00:00:00:01:2"), None).unwrap_err();
        assert!(twice.contains("one host"), "{twice}");
    }

    #[test]
    fn ranks_fill_the_hosts_in_their_order() {
        let host = |slots| Host { name: "h".into(), card: UniqueId(1), slots, ways: Vec::new() };
        let hosts = [host(1), host(4), host(2)];
        assert_eq!(deal(&hosts, None), Ok(vec![1, 4, 2]));
        assert_eq!(deal(&hosts, Some(3)), Ok(vec![1, 2, 0]));
        assert!(deal(&hosts, Some(8)).unwrap_err().contains("room for 7"));
    }
}
