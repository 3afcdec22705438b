//! Files for other programs and for people.

use crate::CLOS;
use crate::sandbox::Sandbox;
use std::process::Command;

/// True if a program can be run.
fn installed(program: &str) -> bool {
    Command::new(program).arg("-V").output().is_ok()
}

#[test]
fn a_run_writes_what_others_read() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!(
        "--fabric {CLOS} --svg m.svg --dot m.dot --slurm topology.conf --hostfile hosts --topo-out m.topo"
    ));
    assert!(sandbox.read("m.svg").contains("about the mean: "));
    assert_eq!(sandbox.read("hosts").lines().count(), 15);
    let conf = sandbox.read("topology.conf");
    assert!(conf.contains("\nSwitchName=x1.0 Nodes=n0\n") && conf.contains(" Switches=x1.[0-1]"), "{conf}");
    sandbox.ok("--from-topo m.topo --svg n.svg --dot n.dot --slurm n.conf --hostfile n.hosts");
    for (a, b) in [("m.svg", "n.svg"), ("m.dot", "n.dot"), ("topology.conf", "n.conf"), ("hosts", "n.hosts")] {
        assert!(sandbox.read(a) == sandbox.read(b), "{a} is not as {b}");
    }
}

#[test]
fn a_name_that_ibsim_would_not_read_back_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("m.topo", "topo 1\ncrossbar x 2\nhost a\"b 0x1\nhost c 0x2\ncable a\"b x:0\ncable c x:1\n");
    sandbox.fails("--from-topo m.topo --ibnet-out m.net", 1, &["name `a\"b`", "`--from-topo`"]);
}

#[test]
fn graphviz_reads_the_graph() {
    if !installed("dot") {
        eprintln!("skipped: graphviz is not installed; `apt-get install graphviz`");
        return;
    }
    let sandbox = Sandbox::new();
    for fabric in [CLOS, "sim:torus:4x4"] {
        sandbox.ok(&format!("--fabric {fabric} --dot m.dot --topo-out m.topo"));
        let plain = Command::new("dot").args(["-Tplain", "m.dot"]).current_dir(sandbox.path()).output().unwrap();
        let (said, plain) = (String::from_utf8_lossy(&plain.stderr), String::from_utf8_lossy(&plain.stdout));
        assert_eq!(said, "");
        let count = |word: &str| plain.lines().filter(|line| line.starts_with(word)).count();
        let topo = sandbox.read("m.topo");
        let nodes = topo.matches("\nhost ").count() + topo.matches("\ncrossbar ").count();
        assert_eq!((count("node "), count("edge ")), (nodes, topo.matches("\ncable ").count()));
    }
}

#[test]
fn what_is_not_there_is_red_in_the_picture() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("--fabric {CLOS} --topo-out intended.topo"));
    let found =
        format!("--fabric {CLOS} --fault cut:x1.3:2 --fault cut:n9 --expect intended.topo --svg f.svg --dot f.dot");
    assert_eq!(sandbox.run(&found).status.code(), Some(1));
    let svg = sandbox.read("f.svg");
    assert!(svg.contains("<title>x1.3:2 x2.2:1, dead</title>") && svg.contains("dead: 2"), "{svg}");
    assert_eq!(sandbox.read("f.dot").matches("tooltip=\"dead\"").count(), 2);
    sandbox.ok("what-if --topo intended.topo --kill x2.0 --svg w.svg");
    assert!(sandbox.read("w.svg").contains("dead: 4"));
}
