//! What an InfiniBand subnet answers, from nodes that nobody can trust.

use twowire_mapper::engine::{Request, TopologyKind, compute};
use twowire_mapper::infiniband::discovery::{Ask, Discovery};
use twowire_mapper::infiniband::exchange::{Answer, Arrival, Conversation, TIMED_OUT};
use twowire_mapper::infiniband::forwarding::ForwardingTables;
use twowire_mapper::infiniband::lids::Lids;
use twowire_mapper::infiniband::smp::{DATA, NodeInfo, PortInfo, SMP_SIZE, Smp, SwitchInfo, node_description};
use twowire_mapper::infiniband::subnet::Subnet;
use twowire_mapper::infiniband::text::{forwarding_tables, ibsim_network};
use twowire_mapper::verify::verify;

/// Answers that an input may give; then the subnet is silent.
const ANSWERS: usize = 600;

/// Bytes of an input that make an answer.
const ANSWER: usize = 5;

/// Reads the bytes as a packet, and as the answers of a subnet, in the order in which they are asked for.
pub(crate) fn run(data: &[u8]) {
    packet(data);
    let Some(subnet) = discover(data) else { return };
    let topology = subnet.topology();
    if topology.hosts().len() < 2 {
        return;
    }
    let routes = compute(topology, TopologyKind::Any, Request::default()).expect("updown takes any graph");
    let routes = routes.by_destination().expect("engines make tables");
    let Ok(routes) = verify(topology, routes, None) else { return };
    // What nodes say that their identifiers are may be anything.
    let lid = |i: usize| u16::from_be_bytes([0, 1].map(|byte| data[(7 * i + byte) % data.len()]));
    let hosts: Vec<u16> = (0..topology.hosts().len()).map(lid).collect();
    let switches: Vec<u16> = (0..topology.crossbars().len()).map(lid).collect();
    let lids = Lids::assign(topology, &hosts, &switches).expect("there are few");
    let owners = lids.owners().into_iter().flatten().count();
    assert_eq!(owners, hosts.len() + switches.len(), "each has an identifier of its own");
    let tables = ForwardingTables::new(&subnet, &lids, &routes);
    assert!(forwarding_tables(&subnet, &lids, &tables).lines().count() >= switches.len());
    // A name that would end early is refused.
    if let Ok(network) = ibsim_network(topology, subnet.front_end().into()) {
        let names = hosts.len() + switches.len() + 2 * topology.cables().len();
        assert_eq!(network.matches('"').count(), 2 * names, "{network}");
    }
}

/// A packet is taken as an answer or refused; what is taken says what its bytes say.
fn packet(data: &[u8]) {
    let mut bytes = [0; SMP_SIZE];
    let len = data.len().min(SMP_SIZE);
    bytes[..len].copy_from_slice(&data[..len]);
    for bytes in [&bytes[..], data] {
        let header = bytes.len() >= 16;
        assert_eq!(matches!(Arrival::read(TIMED_OUT, bytes), Some(Arrival::Undeliverable(_))), header);
        if let Some(smp) = Smp::parse_answer(bytes) {
            assert!(smp.route().len() <= 63 && !smp.writes(), "an answer writes nothing");
            if let Ok(info) = NodeInfo::parse(&smp.data) {
                assert!(info.local_port <= info.ports && info.ports > 0);
            }
            assert!(node_description(&smp.data).len() <= 3 * DATA);
            assert_eq!(PortInfo::from_data(smp.data).to_data(), smp.data);
            assert_eq!(SwitchInfo::from_data(smp.data).to_data(), smp.data);
        }
    }
}

/// Lets a discovery ask until it is done or fails.
pub(crate) fn discover(data: &[u8]) -> Option<Subnet> {
    // In each of its two orders.
    let mut discovery = Discovery::new(data.len() % ANSWER == 1);
    let mut answers = data.chunks_exact(ANSWER).take(ANSWERS);
    while let Some((ask, request)) = discovery.next() {
        assert!(request.smp.route().len() <= 63, "no longer than a directed route may be");
        let answer = answers.next().map_or(Answer::Silent, |bytes| answer(&ask, bytes));
        discovery.answered(ask, answer).ok()?;
    }
    Subnet::new(discovery.finish().ok()?).ok()
}

/// Of few different nodes with few ports, so that they meet again.
fn answer(ask: &Ask, bytes: &[u8]) -> Answer {
    let mut data = [0; DATA];
    match (bytes[0], ask) {
        (0xff, _) => return Answer::Silent,
        (0xfe, _) => return Answer::Refused(u16::from(bytes[1])),
        (_, Ask::Description(_)) => data[..ANSWER].copy_from_slice(bytes),
        (_, Ask::Link(..)) => data[32] = bytes[1],
        (kind, _) => {
            data[2] = kind % 4;
            data[3] = bytes[1];
            data[19] = bytes[2];
            data[27] = bytes[3];
            data[36] = bytes[4];
        }
    }
    Answer::Data(data)
}
