//! How communicators compare and what they answer without a message.
use super::{Comm, own};
use crate::abi::{MPI_ERR_COMM, MPI_ERR_RANK, MPI_ERR_TOPOLOGY};
use crate::group::{Comparison, Group};
use crate::topology::{Cart, Topology};
use std::sync::Arc;

fn group(members: &[u32]) -> Arc<Group> {
    Arc::new(Group::new(members))
}

#[test]
fn inter_communicators_compare_by_both_groups() {
    let inter = |local: &[u32], remote: &[u32]| Comm::inter(7, 0, group(local), group(remote));
    let base = inter(&[0, 1], &[2, 3]);
    assert_eq!(base.compare(&inter(&[0, 1], &[2, 3])), Comparison::Identical);
    assert_eq!(base.compare(&inter(&[1, 0], &[2, 3])), Comparison::Similar);
    assert_eq!(base.compare(&inter(&[0, 1], &[3, 2])), Comparison::Similar);
    assert_eq!(base.compare(&inter(&[0, 1], &[2, 4])), Comparison::Unequal);
    assert_eq!(base.compare(&Comm::intra(own(0), 0, group(&[0, 1]))), Comparison::Unequal);
}

#[test]
fn the_two_sides_of_an_inter_communicator_have_own_contexts() {
    let ours = Comm::inter(7, 0, group(&[0, 1]), group(&[2, 3]));
    let theirs = Comm::inter(7, 0, group(&[2, 3]), group(&[0, 1]));
    let contexts = [&ours, &theirs].map(|comm| comm.local.as_ref().unwrap().context);
    assert!(contexts[0] != contexts[1] && !contexts.contains(&7));
    assert_eq!(ours.process(1), Ok(3));
    assert_eq!(ours.process(2).unwrap_err().code, MPI_ERR_RANK);
    assert_eq!(ours.require_intra().unwrap_err().code, MPI_ERR_COMM);
    assert!(ours.require_inter().is_ok());
}

#[test]
fn neighbours_need_a_topology() {
    let mut comm = Comm::intra(7, 1, group(&[4, 5, 6]));
    assert_eq!(comm.neighbours().unwrap_err().code, MPI_ERR_TOPOLOGY);
    comm.topology = Some(Topology::Cart(Cart::new(&[3], &[true]).unwrap()));
    assert_eq!(comm.neighbours().unwrap().sources, [0, 2]);
}
