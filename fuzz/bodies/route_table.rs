//! Messages of route loading and the tables in them, from bytes that nobody can trust.

use bytes::Bytes;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::routes::decode::decode;
use twowire_fabric::routes::{Message, RouteAgent};

/// Reads the bytes as a table and as a message, and hands the message to a node's agent.
pub(crate) fn run(data: &[u8]) {
    if let Ok(table) = decode(1, data) {
        let to = (0..table.destinations()).map(NodeNumber::from_index);
        let routes: usize = to.map(|to| table.routes_to(to).count()).sum();
        assert!(routes <= table.destinations() * 255);
        assert_eq!(table.routes_to(table.own()).count(), 0);
    }
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(message) = Message::parse(&bytes) {
        assert_eq!(message.encode(), bytes);
        let mut agent = RouteAgent::new();
        let (answer, _) = agent.handle_message(&message);
        assert_eq!(agent.handle_message(&message).0, answer, "the same question has the same answer");
    }
}
