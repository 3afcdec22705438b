use super::*;
use crate::engine::{self, Request, TopologyKind};
use crate::verify;
use proptest::prelude::*;
use std::sync::LazyLock;
use twowire_fabric::map::routes_text::parse;
use twowire_fabric::topology::generate::{Torus, xgft};

static TOPOLOGY: LazyLock<Topology> = LazyLock::new(|| xgft(&[2, 2, 2], &[1, 2, 2]).unwrap());

fn text_of(topology: &Topology, routes: &RouteSet) -> String {
    let mut text = Vec::new();
    write_unproved(&mut text, topology, routes).unwrap();
    String::from_utf8(text).unwrap()
}

fn routes(topology: &Topology, routes_per_pair: u8) -> Verified<RouteSet> {
    let request = Request { routes_per_pair: routes_per_pair.try_into().unwrap(), epoch: 3 };
    verify::verify(topology, engine::compute(topology, TopologyKind::Any, request).unwrap(), None).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let torus = Torus { dimensions: vec![3, 3], hosts_per: 2 }.build().unwrap();
    for topology in [&*TOPOLOGY, &torus] {
        let routes = routes(topology, 4);
        let text = text_of(topology, &routes);
        let read = parse(&text, topology).unwrap();
        assert_eq!((read.epoch(), read.engine(), read.hosts()), (3, routes.engine(), topology.hosts().len()));
        for from in topology.host_ids() {
            for to in topology.host_ids() {
                assert!(read.routes(from, to).eq(routes.routes(from, to)), "{from:?} {to:?}");
            }
        }
        assert_eq!(text_of(topology, &read), text);
        let report = verify::check(topology, &read, None);
        assert_eq!(&report, routes.report());
    }
}

#[test]
fn lines_of_a_pair_need_not_stand_together() {
    let text = "\n# a comment\nroutes 1 epoch=9 hosts=8 engine=by-hand # more\nmaster n1 8289\nn0 master 80\n\
                master n0 81 rail=0\n  master   n1\t83 \nmaster n1 -\n";
    let read = parse(text, &TOPOLOGY).unwrap();
    assert_eq!((read.epoch(), read.engine(), read.routes_per_pair()), (9, "by-hand", 3));
    let [master, n0, n1] = ["master", "n0", "n1"].map(|name| match TOPOLOGY.find(name) {
        Some(twowire_fabric::topology::NodeId::Host(host)) => host,
        _ => panic!("{name}"),
    });
    let list = |from, to| read.routes(from, to).map(|r| r.to_string()).collect::<Vec<_>>();
    assert_eq!(list(master, n1), ["8289", "83", "-"]);
    assert_eq!(list(master, n0), ["81"]);
    assert_eq!(list(n1, n0), Vec::<String>::new());
}

#[test]
fn errors_name_the_line_and_the_fault() {
    let header = "routes 1 epoch=1 hosts=8 engine=x\n";
    let cases = [
        ("", "line 1: expected `routes 1 epoch=N hosts=N engine=NAME`, got an empty file"),
        ("\nroutes 2 epoch=1\n", "line 2: expected `routes 1 epoch=N hosts=N engine=NAME`, got `routes 2 epoch=1`"),
        ("routes 1 epoch=1 hosts=8 engine=x colour=red", "line 1: expected `routes 1"),
        ("routes 1 epoch=1 hosts=8", "line 1: expected `routes 1"),
        ("routes 1 epoch=1 hosts=9 engine=x", "line 1: the routes are of 9 hosts, but the topology has 8"),
        (&format!("{header}master n0\n"), "line 2: expected `SOURCE DESTINATION HOPS [rail=N]`, got `master n0`"),
        (&format!("{header}master n0 80 fast\n"), "line 2: expected `SOURCE DESTINATION HOPS [rail=N]`"),
        (&format!("{header}master n0 80 rail=0 x\n"), "line 2: expected `SOURCE DESTINATION HOPS [rail=N]`"),
        (&format!("{header}\nn99 n0 80\n"), "line 3: the topology has no host `n99`"),
        (&format!("{header}master x1.0 80\n"), "line 2: the topology has no host `x1.0`"),
        (&format!("{header}n0 n0 80\n"), "line 2: a route from `n0` to itself"),
        (&format!("{header}master n0 8\n"), "line 2: `8` is not a list of hop bytes"),
        (&format!("{header}master n0 80 rail=1\n"), "line 2: `master` has no port 1"),
        (&format!("{header}master n0 80 rail=x\n"), "line 2: `master` has no port x"),
    ];
    for (text, expected) in cases {
        let error = parse(text, &TOPOLOGY).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_writer_that_fails_is_reported() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = write(&mut Full, &TOPOLOGY, &routes(&TOPOLOGY, 1)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(routes 1 epoch=[0-9]{1,12} hosts=8 engine=[a-z]{0,3}\n)?(\\PC|[ \n#=-]|master|n[0-9]|8[0-9a-f]|rail=){0,60}") {
        if let Ok(read) = parse(&text, &TOPOLOGY) {
            let again = text_of(&TOPOLOGY, &read);
            prop_assert_eq!(text_of(&TOPOLOGY, &parse(&again, &TOPOLOGY).unwrap()), again);
            verify::check(&TOPOLOGY, &read, None);
        }
    }
}
