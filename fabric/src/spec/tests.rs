use super::*;
use crate::id::UniqueId;
use proptest::prelude::*;

fn spec(text: &str) -> FabricSpec {
    text.parse().unwrap()
}

fn hosts(text: &str) -> usize {
    simulated(text).topology().unwrap().hosts().len()
}

fn simulated(text: &str) -> SimSpec {
    match spec(text) {
        FabricSpec::Sim(sim) => sim,
        other => panic!("{other} is not simulated"),
    }
}

#[test]
fn every_fabric_is_understood_and_written_back() {
    for (text, count) in [
        ("sim:pink", 1024),
        ("sim:clos:hosts=100,radix=16,levels=2", 100),
        ("sim:clos:hosts=100,radix=16,levels=2,oversubscription=1.5", 100),
        ("sim:torus:4x3x2", 24),
        ("sim:torus:4x3,hosts-per=2", 24),
        ("sim:hypercube:4", 16),
        ("sim:random:crossbars=5,radix=8,hosts=20,seed=9", 20),
    ] {
        assert_eq!(spec(text).to_string(), text);
        assert_eq!(hosts(text), count, "{text}");
    }
    assert_eq!(hosts("sim:clos:levels=2,hosts=64,radix=16"), 64);
    assert_eq!(spec("raw:enp3s0f1"), FabricSpec::Raw("enp3s0f1".into()));
    assert_eq!(spec("raw:enp3s0f1").to_string(), "raw:enp3s0f1");
    assert_eq!(spec("wire:eth0"), FabricSpec::Wire("eth0".into()));
    assert_eq!(spec("wire:eth0").to_string(), "wire:eth0");
    assert_eq!(spec("sim:a:b.topo"), FabricSpec::Sim(SimSpec::File("a:b.topo".into())));
}

#[test]
fn a_served_fabric_is_a_path_and_perhaps_a_host() {
    let served = |path: &str, host: Option<&str>| {
        FabricSpec::Xbar(XbarSpec { path: path.into(), host: host.map(str::to_owned) })
    };
    for (text, expected) in [
        ("xbar:/run/pink", served("/run/pink", None)),
        ("xbar:./a:b", served("./a:b", None)),
        ("xbar:x,host=n17", served("x", Some("n17"))),
        ("xbar:a,b,host=n17", served("a,b", Some("n17"))),
    ] {
        assert_eq!(spec(text), expected);
        assert_eq!(expected.to_string(), text);
    }
}

#[test]
fn an_infiniband_port_is_a_device_and_its_port_or_less() {
    let port = |device: Option<&str>, port| UmadSpec { device: device.map(str::to_owned), port };
    for (text, expected) in [
        ("umad:mlx5_0/1", port(Some("mlx5_0"), Some(1))),
        ("umad:mlx5_0", port(Some("mlx5_0"), None)),
        ("umad:", port(None, None)),
    ] {
        assert_eq!(spec(text), FabricSpec::Umad(expected.clone()));
        assert_eq!(FabricSpec::Umad(expected).to_string(), text);
    }
}

#[test]
fn wrong_text_is_answered_with_what_would_be_right() {
    let simulated = "`pink`, `clos:…`, `torus:…`, `hypercube:…`, `random:…` or a .topo file";
    let device = "the name of a network device, as in `raw:eth1`";
    let served = "the path of a running `xbar serve`, as in `xbar:/run/pink` or `xbar:/run/pink,host=n17`";
    let umad = "expected a device and its port, as in `umad:mlx5_0/1`, or nothing for the first that is active";
    let clos = "expected `hosts=N,radix=N,levels=N[,oversubscription=N]`";
    let torus = "expected the lengths of its dimensions, `8x8x8[,hosts-per=N]`";
    for (text, error) in [
        ("verbs:mlx5_0/1", "this build has no provider `verbs`; it has: sim, xbar, raw, wire, umad, ibsim".to_owned()),
        ("raw:", format!("`raw` does not say which fabric: expected `raw:` and {device}")),
        ("raw:eth0:1", format!("`eth0:1` is not {device}")),
        (
            "wire:",
            "`wire` does not say which fabric: expected `wire:` and the name of a network device, as in `wire:eth0`"
                .into(),
        ),
        (
            "ibsim:",
            "`ibsim` does not say which fabric: expected `ibsim:` and the name of a node in ibsim's network file, as in `ibsim:H0`"
                .into(),
        ),
        ("umad:mlx5_0/", format!("umad: `mlx5_0/` is not understood: {umad}")),
        ("umad:/1", format!("umad: `/1` is not understood: {umad}")),
        ("umad:mlx5_0/1/2", format!("umad: `mlx5_0/1/2` is not understood: {umad}")),
        ("umad:mlx5_0/256", format!("umad: `mlx5_0/256` is not understood: {umad}")),
        ("umad:..", format!("umad: `..` is not understood: {umad}")),
        ("umad:a-name-of-20-letters", format!("umad: `a-name-of-20-letters` is not understood: {umad}")),
        ("wire:a b", "`a b` is not the name of a network device, as in `wire:eth0`".into()),
        ("raw:a-name-too-long!", format!("`a-name-too-long!` is not {device}")),
        (
            "myrinet:0",
            "`myrinet` is not a provider: expected one of sim, xbar, raw, wire, verbs, umad, ibsim, as in `sim:pink`"
                .into(),
        ),
        ("", "`` is not a provider: expected one of sim, xbar, raw, wire, verbs, umad, ibsim, as in `sim:pink`".into()),
        ("sim", format!("`sim` does not say which fabric: expected `sim:` and {simulated}")),
        ("sim:", format!("`sim` does not say which fabric: expected `sim:` and {simulated}")),
        ("xbar:", format!("`xbar` does not say which fabric: expected `xbar:` and {served}")),
        ("xbar:/run/x,n17", format!("xbar: `/run/x,n17` is not understood: expected {served}")),
        ("xbar:,host=n17", format!("xbar: `,host=n17` is not understood: expected {served}")),
        ("xbar:x,host=", format!("xbar: `x,host=` is not understood: expected {served}")),
        ("sim:pink:2", "pink: `2` is not understood: expected nothing more".into()),
        ("sim:clos", format!("clos: `hosts=` is missing: {clos}")),
        ("sim:clos:hosts=9,radix=16", format!("clos: `levels=` is missing: {clos}")),
        ("sim:clos:hosts=9,radix=big,levels=2", format!("clos: `radix=big` is not understood: {clos}")),
        ("sim:clos:hosts=9,radix=8,levels=2,hosts=9", format!("clos: `hosts=9` is not understood: {clos}")),
        ("sim:clos:hosts=9,radix=8,levels=2,x=9", format!("clos: `x=9` is not understood: {clos}")),
        ("sim:torus:8x", format!("torus: `8x` is not understood: {torus}")),
        ("sim:torus:8x8,hosts=2", format!("torus: `hosts=2` is not understood: {torus}")),
        (
            "sim:hypercube:",
            "hypercube: `` is not understood: expected its number of dimensions, as in `hypercube:7`".into(),
        ),
    ] {
        assert_eq!(text.parse::<FabricSpec>().unwrap_err().to_string(), error);
    }
}

#[test]
fn a_topology_that_cannot_be_had_says_why() {
    let error = |text: &str| simulated(text).topology().unwrap_err().to_string();
    let clos = "clos:hosts=999,radix=8,levels=2";
    let too_many = format!("{clos}: hosts is 999: expected at most 32 with 2 levels of 8 ports");
    assert_eq!(error(&format!("sim:{clos}")), too_many);
    assert!(error("sim:no/such.topo").starts_with("cannot read no/such.topo: No such file"));
    assert!(error("sim:pnik").ends_with("(and it is no generator either: expected `pink`, `clos:…`, `torus:…`, `hypercube:…`, `random:…` or a .topo file)"));

    let path = std::env::temp_dir().join(format!("twowire-same-id-{}.topo", std::process::id()));
    std::fs::write(&path, "topo 1\nhost a 0x1\nhost b 0x1\n").unwrap();
    let same = error(&format!("sim:{}", path.display()));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(same, "hosts `a` and `b` have the same unique id: on a fabric each card has its own");
}

#[test]
fn the_front_end_is_the_named_host_else_master_else_the_first() {
    let mut topology = Topology::new("");
    assert_eq!(front_end(&topology, None), Err(FrontEndError::NoHosts));
    topology.add_crossbar("x", 4).unwrap();
    let first = topology.add_host("n0", UniqueId(1), 1).unwrap();
    assert_eq!(front_end(&topology, None), Ok(first));
    let master = topology.add_host("master", UniqueId(2), 1).unwrap();
    assert_eq!(front_end(&topology, None), Ok(master));
    assert_eq!(front_end(&topology, Some("n0")), Ok(first));
    let error = |name| front_end(&topology, Some(name)).unwrap_err().to_string();
    assert_eq!(error("n7"), "front end `n7`: there is no such host; expected a host, as `n0`");
    assert_eq!(error("x"), "front end `x`: that is a crossbar; expected a host, as `n0`");
}

proptest! {
    #[test]
    fn whatever_is_understood_is_written_back_to_the_same(
        text in "(sim:|xbar:)?(pink|clos|torus|hypercube|random)?(:[a-z0-9=,x.-]{0,40})?(,host=[a-z]{0,2})?|(raw|wire):\\PC{0,20}|\\PC{0,30}"
    ) {
        if let Ok(understood) = text.parse::<FabricSpec>() {
            prop_assert_eq!(understood.to_string().parse::<FabricSpec>().unwrap(), understood);
        }
    }

    #[test]
    fn parameters_in_any_order_are_the_same_fabric(hosts in 1u64..500, radix in 4u8..64, levels in 1u8..4) {
        let given = spec(&format!("sim:clos:levels={levels},hosts={hosts},radix={radix}"));
        prop_assert_eq!(&given, &spec(&format!("sim:clos:hosts={hosts},radix={radix},levels={levels}")));
        if let Ok(topology) = simulated(&given.to_string()).topology() {
            prop_assert_eq!(topology.hosts().len() as u64, hosts);
        }
    }
}
