use super::*;
use crate::route::Route;
use crate::topology::generate::{Clos, Random, pink};
use proptest::prelude::*;

const EXAMPLE: &str = "\
topo 1
name pink
crossbar x1.0 16
crossbar x2.0 16
host n0 0x0002c903000000a1
host n1 0x0002c903000000a2 ports=2
cable n0 x1.0:0
cable n1:0 x1.0:1
cable n1:1 x2.0:1 rate=2500M length=1.5m
cable x1.0:8 x2.0:0 rate=2G length=30m
";

#[test]
fn what_is_written_is_what_was_read() {
    let topology = Topology::parse(EXAMPLE).unwrap();
    assert_eq!(topology.to_string(), EXAMPLE);
    assert_eq!(topology.cables()[3].rate_bits_per_s, Some(2_000_000_000));
    assert_eq!(topology.cables()[2].rate_bits_per_s, Some(2_500_000_000));
    assert_eq!(topology.cables()[2].length_m, Some(1.5));
    let mut bytes = Vec::new();
    topology.write_to(&mut bytes).unwrap();
    assert_eq!(Topology::parse_bytes(&bytes).unwrap().to_string(), EXAMPLE);
}

#[test]
fn the_written_order_does_not_depend_on_the_order_of_the_cables() {
    let free_form = "# a comment\r\n\n topo  1 # the header\r\ncrossbar b 2\ncrossbar a 4\nhost h 0x1\nhost g 0xA\n\
        cable a:3 b:1 rate=2000000k\ncable a:1 g\ncable b:0 h:0\n";
    let canonical = "topo 1\ncrossbar b 2\ncrossbar a 4\nhost h 0x0000000000000001\nhost g 0x000000000000000a\n\
        cable h b:0\ncable g a:1\ncable b:1 a:3 rate=2G\n";
    assert_eq!(Topology::parse(free_form).unwrap().to_string(), canonical);
}

#[test]
fn generated_ones_survive_writing_and_reading() {
    let random = Random { crossbars: 40, radix: 16, hosts: 100, seed: 3 }.build().unwrap();
    for topology in [pink(), random] {
        let text = topology.to_string();
        let again = Topology::parse(&text).unwrap();
        assert_eq!(again.to_string(), text);
        assert_eq!((again.crossbars(), again.hosts()), (topology.crossbars(), topology.hosts()));
        for id in topology.crossbar_ids() {
            assert_eq!(again.peers(id.into()), topology.peers(id.into()));
        }
    }
}

#[test]
fn forty_thousand_hosts_are_read() {
    let text = Clos { hosts: 40_000, radix: 64, levels: 3, oversubscription: 1.0 }.build().unwrap().to_string();
    assert_eq!(Topology::parse(&text).unwrap().hosts().len(), 40_000);
}

/// What is said of each wrong line, put after three good ones.
#[test]
fn every_error_names_the_line_the_thing_and_what_was_expected() {
    let good = "topo 1\ncrossbar x 16\nhost n0 0x1 ports=2\n";
    for (line, text) in [
        ("crossbars y 16", "`crossbars` is not understood: expected `name`, `crossbar`, `host` or `cable`"),
        ("topo 1", "`topo` is given twice"),
        ("name", "`name` needs the name of the topology: `name NAME`"),
        ("name a b", "`b` is not understood: expected nothing more on this line"),
        ("crossbar", "`crossbar` needs a name: `crossbar NAME PORTS`"),
        ("crossbar y", "`crossbar` needs its number of ports: `crossbar NAME PORTS`"),
        ("crossbar y 0", "the number of ports is `0`: expected 1 to 128"),
        ("crossbar y 129", "the number of ports is `129`: expected 1 to 128"),
        ("crossbar y +4", "the number of ports is `+4`: expected 1 to 128"),
        ("crossbar y 4 radix=4", "`radix=4` is not understood: expected nothing more on this line"),
        ("crossbar x 4", "`x` is named twice"),
        ("crossbar a:b 4", "`a:b` cannot be a name: one word is expected, without `:` and `#`"),
        ("host x 0x2", "`x` is named twice"),
        ("host n1", "`host` needs its unique id: `host NAME UNIQUE-ID [ports=N]`"),
        ("host n1 17", "the unique id is `17`: expected `0x` and up to 16 hexadecimal digits"),
        ("host n1 0x", "the unique id is `0x`: expected `0x` and up to 16 hexadecimal digits"),
        (
            "host n1 0x10000000000000000",
            "the unique id is `0x10000000000000000`: expected `0x` and up to 16 hexadecimal digits",
        ),
        ("host n1 0x+1", "the unique id is `0x+1`: expected `0x` and up to 16 hexadecimal digits"),
        ("host n1 0x2 ports=0", "the number of ports is `0`: expected 1 to 128"),
        ("host n1 0x2 ports=1 ports=1", "`ports=` is given twice"),
        ("host n1 0x2 rails=2", "`rails=2` is not understood: expected `ports=N` or nothing more on this line"),
        ("cable n0", "`cable` needs its other end: `cable NAME[:PORT] NAME[:PORT] [rate=N] [length=N]`"),
        ("cable n0 y:0", "no crossbar or host is named `y` above this line"),
        ("cable n0 x", "`x` is a crossbar: expected the port too, as in `x:0`"),
        ("cable n0 x:16", "no port 16 on `x`, which has ports 0 to 15"),
        ("cable n0 x:300", "the port of a cable's end, `x:300`: expected `NAME:PORT`, the port from 0 to 127"),
        ("cable n0 x:", "the port of a cable's end, `x:`: expected `NAME:PORT`, the port from 0 to 127"),
        ("cable n0:2 x:0", "no port 2 on `n0`, which has ports 0 to 1"),
        ("cable x:1 x:1", "port 1 of `x` has two cables"),
        ("cable n0 x:0 rate=fast", "the rate is `fast`: expected bits a second, as in `2G`, `2.5G` or `100M`"),
        ("cable n0 x:0 rate=0", "the rate is `0`: expected bits a second, as in `2G`, `2.5G` or `100M`"),
        ("cable n0 x:0 rate=.5", "the rate is `.5`: expected bits a second, as in `2G`, `2.5G` or `100M`"),
        ("cable n0 x:0 rate=1.5", "the rate is `1.5`: expected bits a second, as in `2G`, `2.5G` or `100M`"),
        (
            "cable n0 x:0 rate=99999999T",
            "the rate is `99999999T`: expected bits a second, as in `2G`, `2.5G` or `100M`",
        ),
        ("cable n0 x:0 length=30", "the length is `30`: expected metres, as in `30m` or `1.5m`"),
        ("cable n0 x:0 length=-1m", "the length is `-1m`: expected metres, as in `30m` or `1.5m`"),
        ("cable n0 x:0 length=1m length=1m", "`length=` is given twice"),
        (
            "cable n0 x:0 color=red",
            "`color=red` is not understood: expected `rate=N`, `length=N` or nothing more on this line",
        ),
        ("cable n0 x:0\ncable n0 x:1", "port 0 of `n0` has two cables"),
        ("\u{1b}[31m", "`\\u{1b}[31m` is not understood: expected `name`, `crossbar`, `host` or `cable`"),
    ] {
        let at = 3 + line.lines().count();
        let error = Topology::parse(&format!("{good}{line}\n# more\n")).unwrap_err();
        assert_eq!(error.to_string(), format!("line {at}: {text}"));
    }
}

#[test]
fn a_file_without_its_header_is_refused() {
    for (text, error) in [
        ("", "line 1: a topology starts with the line `topo 1`, got `nothing`"),
        ("# only\n# comments\n", "line 2: a topology starts with the line `topo 1`, got `nothing`"),
        ("\nname pink\n", "line 2: a topology starts with the line `topo 1`, got `name`"),
        ("topo 2\n", "line 1: version `2` of the topology format: this program reads version 1"),
        ("topo\n", "line 1: `topo` needs the version: `topo 1`"),
        ("topo 1 2\n", "line 1: `2` is not understood: expected nothing more on this line"),
    ] {
        assert_eq!(Topology::parse(text).unwrap_err().to_string(), error);
    }
    let error = Topology::parse_bytes(b"topo 1\nname \xff\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: not UTF-8 text");
    let long = Topology::parse(&format!("topo 1\n{}\n", "é".repeat(1000))).unwrap_err();
    assert!(long.to_string().len() < 200, "{long}");
}

#[test]
fn errors_of_files_name_the_file() {
    let missing = read_file("/no/such.topo").unwrap_err().to_string();
    assert!(missing.starts_with("cannot read /no/such.topo: No such file"), "{missing}");
    let path = std::env::temp_dir().join(format!("twowire-{}.topo", std::process::id()));
    std::fs::write(&path, "topo 1\nhost\n").unwrap();
    let broken = read_file(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(broken, format!("{}, line 2: `host` needs a name: `{HOST}`", path.display()));
}

#[test]
fn a_name_that_the_format_cannot_hold_is_written_as_one_that_it_can() {
    let topology = Topology::new("my #1\ncluster");
    assert_eq!(Topology::parse(&topology.to_string()).unwrap().name, "my__1_cluster");
}

/// Lines that are nearly right, so that the parser gets past its first word.
fn nearly_a_line() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("crossbar".to_owned()),
        Just("host".to_owned()),
        Just("cable".to_owned()),
        "[a-c](:[0-9]{1,4})?",
        "[0-9]{1,4}",
        "0x[0-9a-f]{0,17}",
        "(rate|length|ports)=[0-9.]{0,22}[TGMkm]?",
        "\\PC{0,4}",
    ];
    prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Topology::parse_bytes(&bytes);
        let _ = Topology::parse_bytes(&[b"topo 1\n".as_slice(), &bytes].concat());
    }

    #[test]
    fn no_lines_make_it_panic_and_what_is_read_can_be_written(lines in prop::collection::vec(nearly_a_line(), 0..12)) {
        let mut text = "topo 1\ncrossbar a 128\nhost b 0x1 ports=2\n".to_owned();
        for line in lines {
            let longer = format!("{text}{line}\n");
            if let Ok(topology) = Topology::parse(&longer) {
                let written = topology.to_string();
                prop_assert_eq!(Topology::parse(&written).unwrap().to_string(), written);
                text = longer;
            }
        }
    }
}

/// The blocks of one kind in the document of the formats.
fn documented(kind: &str) -> Vec<&'static str> {
    let document = include_str!("../../../../docs/topo-format.md");
    let fence = format!("```{kind}\n");
    document.split(fence.as_str()).skip(1).map(|rest| &rest[..rest.find("```").unwrap()]).collect()
}

/// Where a route from a host's port ends.
fn follow(topology: &Topology, from: PortId, route: &Route) -> Option<PortId> {
    route
        .hops()
        .try_fold(topology.peer(from)?, |at, hop| topology.peer(PortId { node: at.node, port: hop.out_of(at.port) }))
}

#[test]
fn the_documents_examples_are_right() {
    let [example] = documented("topo")[..] else { panic!("one topology") };
    let topology = Topology::parse(example).unwrap();
    assert_eq!(topology.to_string(), example, "the example is in canonical order");

    let [routes] = documented("routes")[..] else { panic!("one routes file") };
    let mut lines = routes.lines().map(|line| line.split('#').next().unwrap().split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap()[..2], ["routes", "1"]);
    let mut followed = 0;
    for words in lines {
        let rail = words.get(3).map_or(0, |word| word.strip_prefix("rail=").unwrap().parse().unwrap());
        let from = PortId { node: topology.find(words[0]).unwrap(), port: rail };
        let end = follow(&topology, from, &words[2].parse().unwrap()).map(|end| topology.node_name(end.node));
        assert_eq!(end, Some(words[1]), "{words:?}");
        followed += 1;
    }
    assert_eq!(followed, 6);
}
