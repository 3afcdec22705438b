use super::layout::Layout;
use super::{CableState, Picture, Shade};
use crate::engine::{Request, TopologyKind, compute};
use crate::verify::loads;
use twowire_fabric::id::UniqueId;
use twowire_fabric::topology::generate::{Torus, hypercube, pink, xgft};
use twowire_fabric::topology::{PortId, Topology};

fn plain(topology: &Topology) -> Picture<'_> {
    Picture { topology, cables: vec![CableState::Unknown; topology.cables().len()], load_mean: 0.0 }
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

#[test]
fn everything_is_in_the_picture_of_pink() {
    let pink = pink();
    let routes = compute(&pink, TopologyKind::Any, Request::default()).unwrap();
    let svg = Picture::of(&pink, &loads(&pink, &routes)).draw();
    assert_eq!(count(&svg, "class=\"x\""), 320);
    assert_eq!(count(&svg, "class=\"h\"") + count(&svg, "class=\"m\""), 1024);
    assert_eq!(count(&svg, " routes</title></path>"), 2048, "cables between crossbars");
    assert_eq!(count(&svg, "class=\"b\""), 16, "a background for each subtree");
    assert!(svg.contains("<title>x1.0:8 x2.0:0, ") && svg.contains(">master–n6</text>"));
    assert!(svg.contains("pink: 1024 hosts, 320 crossbars, 3072 cables") && svg.contains("about the mean: 2048"));
    assert_eq!(count(&svg, "<title>"), count(&svg, "</title>"));
    assert!(svg.contains(">level 3</text>"));
}

#[test]
fn what_is_dead_is_red() {
    let topology = xgft(&[2, 2], &[1, 2]).unwrap();
    let routes = compute(&topology, TopologyKind::Any, Request::default()).unwrap();
    let loads = loads(&topology, &routes);
    let top = topology.find("x2.1").unwrap();
    let n0 = PortId { node: topology.find("n0").unwrap(), port: 0 };
    let state = |end: PortId| {
        let dead = end.node == top || topology.peer(end).unwrap().node == top || end == n0;
        (!dead).then(|| loads.of_cable(&topology, end))
    };
    let svg = Picture::beside(&topology, &loads, state).draw();
    assert_eq!((count(&svg, "class=\"d\""), count(&svg, ", dead</title>")), (2, 2), "x2.1, n0, and the cables of x2.1");
    assert!(svg.contains("dead: 3") && count(&svg, "<path class=\"dead\" d=") == 3, "{svg}");
}

#[test]
fn boxes_do_not_overlap() {
    let torus = Torus { dimensions: vec![4, 3, 5], hosts_per: 2 }.build().unwrap();
    for topology in
        [pink(), xgft(&[4], &[1]).unwrap(), xgft(&[4, 3, 2], &[1, 2, 2]).unwrap(), torus, hypercube(6).unwrap()]
    {
        let layout = Layout::of(&topology);
        let mut boxes = layout.boxes.clone();
        boxes.sort_by(|a, b| (a.top, a.middle).partial_cmp(&(b.top, b.middle)).unwrap());
        for two in boxes.windows(2) {
            assert!(two[0].bottom() <= two[1].top || two[1].middle - two[0].middle >= two[0].width, "{two:?}");
        }
        let inside = |x: f64, y: f64| (0.0..=layout.width).contains(&x) && (0.0..=layout.height).contains(&y);
        assert!(
            boxes
                .iter()
                .all(|b| inside(b.middle - b.width / 2.0, b.top) && inside(b.middle + b.width / 2.0, b.bottom()))
        );
        assert!(layout.width / layout.height < 5.0, "as wide as a screen, about");
    }
}

#[test]
fn a_torus_has_its_neighbours_beside_each_other() {
    let svg = plain(&Torus { dimensions: vec![5, 5], hosts_per: 1 }.build().unwrap()).draw();
    let paths: Vec<&str> = svg.lines().filter(|line| line.starts_with("<path class=\"u\"")).collect();
    let bent = paths.iter().filter(|path| path.contains('Q')).count();
    assert_eq!((paths.len(), bent), (50, 10), "only the cables round the rings are bent");
}

#[test]
fn names_cannot_break_the_text() {
    let mut odd = Topology::new("<&>");
    odd.add_host("a<b", UniqueId(1), 1).unwrap();
    assert!(plain(&odd).draw().contains("&lt;&amp;&gt;: 1 hosts"));
    assert!(plain(&Topology::default()).draw().ends_with("</svg>\n"));
}

#[test]
fn shades_tell_busy_cables_from_others() {
    assert_eq!([0.0, 0.49, 0.5, 1.25, 1.3, 2.0, 2.1].map(Shade::of), {
        use Shade::{Even, High, Hot, Low};
        [Low, Low, Even, Even, High, High, Hot]
    });
}
