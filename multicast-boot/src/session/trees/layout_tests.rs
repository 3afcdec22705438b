use super::super::super::testing::plan;
use super::super::cabling::Plan;
use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use twowire_fabric::topology::{HostId, Topology, generate};

/// What the busiest cable carries, how many nodes changed places, and how often strangers share a cable.
type Figures = (f64, usize, usize);

/// Lays the trees over those nodes of a topology that `joined` names.
fn lay(topology: Topology, front_end: u32, routes_per_pair: usize, joined: impl Fn(usize) -> bool) -> Figures {
    lay_on(plan(&Arc::new(topology), HostId(front_end), routes_per_pair), joined)
}

/// Lays the trees over those nodes of a plan that `joined` names; checks what must hold of any layout.
fn lay_on(plan: Plan, joined: impl Fn(usize) -> bool) -> Figures {
    let hosts = plan.hosts.len();
    let mut cabling = Cabling::new(plan);
    let nodes: Vec<NodeNumber> = (1..hosts).filter(|&index| joined(index)).map(NodeNumber::from_index).collect();
    let layout = Layout::new(&mut cabling, &nodes);
    let mut row = layout.row[1..].to_vec();
    row.sort_unstable();
    assert_eq!(row, nodes, "the row has every node once");
    let mut edges = 0;
    for tree in 0..TREES {
        assert!(layout.edges[tree][0].is_none());
        edges += layout.edges[tree].iter().flatten().count();
    }
    assert_eq!(edges, 2 * nodes.len(), "every node has a parent in each tree");
    (cabling.busiest(), layout.swaps, layout.count_strangers(&cabling))
}

#[test]
fn no_cable_of_pink_carries_more_than_the_image() {
    assert_eq!(lay(generate::pink(), 0, 8, |_| true), (1.0, 0, 0));
}

#[test]
fn the_front_end_may_be_anywhere_and_nodes_may_be_absent() {
    for front_end in [77, 500, 1023] {
        let mut rng = fastrand::Rng::with_seed(u64::from(front_end));
        let absent: Vec<bool> = (0..1024).map(|_| rng.u8(..100) < 5 + 25 * (front_end % 2) as u8).collect();
        let (load, swaps, strangers) = lay(generate::pink(), front_end, 8, |index| !absent[index]);
        assert_eq!((load, strangers), (1.0, 0), "front end {front_end}, {swaps} swaps");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_nodes_of_a_small_clos_get_a_layout(present in prop::collection::vec(any::<bool>(), 64), front_end in 0u32..64) {
        let topology = generate::xgft(&[4, 4, 4], &[1, 4, 4]).expect("a Clos");
        let (load, _, strangers) = lay(topology, front_end, 4, |index| present[index]);
        prop_assert!(load <= 1.0 && strangers <= 32, "{load}, {strangers}");
    }
}

/// A plan of few routes for each pair, spread by their destination over all the shortest ones, as a mapper spreads them.
fn few_routes(topology: &Arc<Topology>, routes_per_pair: usize) -> Plan {
    let all = plan(topology, HostId(0), usize::from(u8::MAX));
    let routes = Arc::clone(&all.routes);
    let few = move |from: NodeNumber, to: NodeNumber| {
        let all = routes.routes(from, to);
        let first = to.index() * routes_per_pair;
        (0..routes_per_pair.min(all.len())).map(|alternate| all[(first + alternate) % all.len()]).collect::<Vec<_>>()
    };
    Plan { routes: Arc::new(few), ..all }
}

#[test]
fn nodes_change_places_where_routes_are_too_few_to_keep_strangers_apart() {
    for routes_per_pair in [2, 3] {
        let few = few_routes(&Arc::new(generate::pink()), routes_per_pair);
        let (load, swaps, strangers) = lay_on(few, |_| true);
        assert_eq!((load, strangers), (1.0, 0), "{routes_per_pair} routes, {swaps} swaps");
    }
}
