//! Subnet managers that are there already: two that write the same tables undo each other's work.

use super::error::InfinibandError;
use super::exchange::{Batch, Exchange};
use super::install::Readings;
use super::smp::{Attribute, ManagerState, Smp};
use super::subnet::Subnet;
use twowire_fabric::topology::NodeId;

/// An error that names a subnet manager which is at work. Ports say whether they have one; those are asked what it is doing.
/// One that does not answer is no more there.
pub fn refuse_if_managed(exchange: &mut Exchange, subnet: &Subnet, readings: &Readings) -> Result<(), InfinibandError> {
    let asks = readings.managed().map(|node| (node, Smp::get(route(subnet, node), Attribute::SubnetManagerInfo, 0)));
    let mut busiest = None;
    exchange.run(&mut Batch::new(asks, |node, answer| {
        let state = answer.ok().and_then(|data| ManagerState::from_data(&data)).unwrap_or(ManagerState::Resting);
        if busiest.is_none_or(|(known, _)| state > known) {
            busiest = Some((state, node));
        }
        Ok(())
    }))?;
    match busiest {
        None | Some((ManagerState::Resting, _)) => Ok(()),
        Some((state, node)) => {
            Err(InfinibandError::Managed { place: subnet.topology().node_name(node).to_owned(), state })
        }
    }
}

fn route(subnet: &Subnet, node: NodeId) -> &[u8] {
    match node {
        NodeId::Crossbar(x) => &subnet.switch(x).route,
        NodeId::Host(host) => &subnet.end_port(host).0.route,
    }
}
