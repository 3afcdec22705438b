//! The examples of `docs/route-loading.md`, byte for byte.

use bytes::Bytes;
use std::path::Path;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::route::Route;
use twowire_fabric::routes::decode::{TableError, decode};
use twowire_fabric::routes::encode::TableEncoder;
use twowire_fabric::routes::{Message, RouteTable};
use twowire_fabric::topology::{NodeId, Topology};

/// The blocks of the document with this mark.
fn blocks(mark: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/route-loading.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let fence = format!("```{mark}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The bytes of a block of hexadecimal, whose lines may end with a remark after `#`.
fn hex(block: &str) -> Vec<u8> {
    let digits: String =
        block.lines().map(|line| line.split('#').next().unwrap_or_default().replace(' ', "")).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn table(topology: &Topology) -> RouteTable {
    let routes = blocks("routes").remove(0);
    let lines: Vec<Vec<&str>> = routes.lines().map(|line| line.split_whitespace().collect()).collect();
    let mut table = RouteTable::new(3, lines[0][0].parse().unwrap());
    for host in topology.hosts() {
        let to_host = lines.iter().filter(|words| words[1] == host.name);
        table.push(to_host.map(|words| words[2].parse::<Route>().unwrap()));
    }
    table
}

#[test]
fn the_table_of_the_document_is_what_the_code_writes_and_reads() {
    let topology = Topology::parse(&blocks("topo")[0]).unwrap();
    let table = table(&topology);
    let nodes = topology.hosts().iter().map(|host| {
        let Some(NodeId::Host(id)) = topology.find(&host.name) else { panic!("{} is a host", host.name) };
        (host.name.parse::<NodeNumber>().unwrap(), id)
    });
    let documented = hex(&blocks("table-example")[0]);
    let encoded = TableEncoder::new(&topology, nodes).encode(&table).unwrap();
    let as_hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x} ")).collect::<String>();
    assert_eq!(as_hex(&encoded), as_hex(&documented));
    assert_eq!(decode(3, &documented), Ok(table));
}

#[test]
fn every_message_of_the_document_is_what_the_code_writes_and_reads() {
    let examples = blocks("message-example");
    let mut kinds = Vec::new();
    for example in &examples {
        let (bytes, reads) = example.split_once("reads").expect("an example says what it reads as");
        let bytes = Bytes::from(hex(bytes));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(format!("{message:?}"), reads.trim(), "in docs/route-loading.md");
        assert_eq!(message.encode(), bytes);
        kinds.push(bytes[0]);
    }
    assert_eq!(kinds, [1, 2, 3, 4, 5, 6], "one example of each kind, in their order");
}

/// The example with the last edge of the routes to n1 exchanged for the one to n2.
#[test]
fn a_route_that_leads_elsewhere_is_an_error() {
    let mut bytes = hex(&blocks("table-example")[0]);
    let last_edges = bytes.len() - 7;
    assert_eq!(bytes[last_edges], 0x00);
    bytes[last_edges] = 0x11;
    assert_eq!(decode(3, &bytes), Err(TableError::Astray { to: 2 }));
}
