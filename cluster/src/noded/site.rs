//! What an agent knows of its host: the device, the node's routes, and whether programs come over the fabric.

use super::store::Store;
use super::wire::Start;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::raw::Device;
use twowire_fabric::routes::RouteTable;

/// An agent's host.
pub struct Site {
    /// The network device, on which agent and ranks have lanes.
    pub device: Device,
    /// Where programs are kept that come over the fabric. `None` where jobs find them at their paths.
    pub store: Option<Store>,
    /// The file of the node's routes to the others, where the fabric needs such. It may change.
    pub routes: Option<PathBuf>,
}

impl Site {
    /// The file that tells the ranks of a part where everybody sits: the front end's, behind the fabric as this host names it, and with this
    /// host's own routes.
    pub(super) fn seats(&self, start: &Start) -> io::Result<String> {
        let listed = String::from_utf8(start.seats.clone()).map_err(io::Error::other)?;
        let routes = match &self.routes {
            Some(file) => routes(&listed, start, &std::fs::read_to_string(file)?.parse().map_err(io::Error::other)?)?,
            None => String::new(),
        };
        Ok(format!("seats 1 {}\n{listed}{routes}", self.device))
    }

    /// Makes the part's files and folder, where programs come over the fabric.
    pub(super) fn prepare(&self, start: &Start) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let Some(store) = &self.store else { return Ok(()) };
        start.files.iter().try_for_each(|placed| store.place(placed))?;
        std::fs::create_dir_all(std::ffi::OsStr::from_bytes(&start.directory))
    }
}

/// The lines of the routes from the ranks here to those of other nodes, by the lines of the ranks.
fn routes(seats: &str, start: &Start, table: &RouteTable) -> io::Result<String> {
    let mut text = String::new();
    let here = start.first..start.first.saturating_add(start.count);
    for line in seats.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["rank", to, node, _] = words[..] else { continue };
        let node: NodeNumber = node.parse().map_err(io::Error::other)?;
        if node == table.own() {
            continue;
        }
        let ways: Vec<String> = table.routes_to(node).map(|route| route.to_string()).collect();
        if ways.is_empty() {
            return Err(io::Error::other(format!("{} has no route to {node}", table.own())));
        }
        for from in here.clone() {
            let _ = writeln!(text, "route {from} {to} {}", ways.join(" "));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::protocol::Addressing;

    #[test]
    fn a_node_adds_its_own_routes_to_the_seats() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("routes");
        std::fs::write(&file, "table 1 epoch=1 own=n0\nmaster 81\nn0\nn1 82 83\nn2\n").unwrap();
        let device = Device { name: "eth0".into(), addressing: Addressing::Hops };
        let site = Site { device, store: None, routes: Some(file) };
        let ranks = "rank 0 n0 0x1\nrank 1 n0 0x2\nrank 2 n1 0x3\n";
        let start = Start { first: 0, count: 2, size: 3, seats: ranks.into(), ..Start::default() };
        let expected = format!("seats 1 wire:eth0\n{ranks}route 0 2 82 83\nroute 1 2 82 83\n");
        assert_eq!(site.seats(&start).unwrap(), expected);
        let lost = Start { seats: format!("{ranks}rank 3 n2 0x4\n").into(), ..start.clone() };
        assert!(site.seats(&lost).unwrap_err().to_string().contains("n0 has no route to n2"));
        let stranger = Start { seats: "rank 0 a 0x1\n".into(), ..start };
        assert!(site.seats(&stranger).is_err());
    }
}
