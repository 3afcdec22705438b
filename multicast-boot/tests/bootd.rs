//! The programs from outside: `bootd` on a simulated fabric of one crossbar, and what both say of wrong requests.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use twowire_multicast_boot::image::packed::HEADER_LEN;
use twowire_multicast_boot::image::{ClusterSecretKey, ImageParts, PackedImage, command};

/// Hosts of the fabric: the front end and 11 nodes.
const HOSTS: usize = 12;

/// A folder with a fabric map, its routes, an image, and two keys.
fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let name = |host: usize| if host == 0 { "master".to_owned() } else { format!("n{}", host - 1) };
    let mut topo = "topo 1\ncrossbar x1.0 16\n".to_owned();
    let mut routes = format!("routes 1 epoch=1 hosts={HOSTS} engine=test\n");
    for host in 0..HOSTS {
        writeln!(topo, "host {} {:#018x}", name(host), host + 1).unwrap();
        for other in (0..HOSTS).filter(|&other| other != host) {
            let hop = 0x80 | ((other + 128 - host) & 0x7f);
            writeln!(routes, "{} {} {hop:02x}", name(host), name(other)).unwrap();
        }
    }
    (0..HOSTS).for_each(|host| writeln!(topo, "cable {} x1.0:{host}", name(host)).unwrap());
    fs::write(dir.path().join("topo"), topo).unwrap();
    fs::write(dir.path().join("routes"), routes).unwrap();
    command::new_key(&dir.path().join("key")).unwrap();
    command::new_key(&dir.path().join("other")).unwrap();
    let key = ClusterSecretKey::load(&dir.path().join("key")).unwrap();
    let parts = ImageParts {
        name: "test".into(),
        version: 3,
        kernel: vec![1; 9_000].into(),
        initramfs: vec![2; 300_000].into(),
        cmdline: "quiet".into(),
    };
    PackedImage::pack(&parts, &key).unwrap().write(&dir.path().join("image")).unwrap();
    dir
}

fn run(program: &str, site: &Path, args: &[&str]) -> Output {
    Command::new(program).current_dir(site).args(args).output().unwrap()
}

fn bootd(site: &Path, more: &[&str]) -> Output {
    let common = ["--fabric", "sim:topo", "--image", "image", "--key", "key.pub"];
    run(env!("CARGO_BIN_EXE_bootd"), site, &[&common[..], more].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit status and what was said about it.
fn failure(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), text(&output.stderr))
}

#[test]
fn every_node_gets_the_image_and_the_front_end_tells_of_each() {
    let site = site();
    let where_ = ["--topo", "topo", "--routes", "routes", "--log-dir", "logs", "--metrics", "boot.prom"];
    let output = bootd(site.path(), &where_);
    let lines = text(&output.stdout);
    assert!(output.status.success(), "{lines}{}", text(&output.stderr));
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["nodes_ready"], &last["nodes_failed"]), (&11.into(), &0.into()));
    for node in 0..HOSTS - 1 {
        let ready = format!(r#""node":"n{node}","state":"ready","percent":100"#);
        assert!(lines.contains(&ready), "{lines}");
        let log = fs::read_to_string(site.path().join(format!("logs/n{node}.log"))).unwrap();
        assert!(log.ends_with(" ready\n"), "{log}");
    }
    let metrics = fs::read_to_string(site.path().join("boot.prom")).unwrap();
    assert!(metrics.contains("twowire_boot_nodes{state=\"ready\"} 11\n"), "{metrics}");
}

#[test]
fn an_image_of_another_key_is_not_offered() {
    let site = site();
    let (code, said) = failure(&bootd(site.path(), &["--topo", "topo", "--routes", "routes"]));
    assert_eq!((code, said.as_str()), (0, ""));
    let args =
        ["--fabric", "sim:topo", "--image", "image", "--key", "other.pub", "--topo", "topo", "--routes", "routes"];
    let (code, said) = failure(&run(env!("CARGO_BIN_EXE_bootd"), site.path(), &args));
    assert_eq!(code, 1);
    assert!(said.starts_with("bootd: image: signed with key") && said.contains("but this cluster's key is"), "{said}");
}

#[test]
fn an_image_that_was_damaged_after_it_was_signed_is_named() {
    let site = site();
    let path = site.path().join("image");
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER_LEN + 100_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (code, said) = failure(&bootd(site.path(), &["--topo", "topo", "--routes", "routes"]));
    assert_eq!(code, 1);
    let (starts, ends) = ("bootd: image: the payload's BLAKE3 is ", ": the image is damaged; pack it again\n");
    assert!(said.starts_with(starts) && said.ends_with(ends), "{said}");
}

#[test]
fn a_front_end_with_a_secret_takes_the_nodes_that_know_it() {
    let site = site();
    command::new_secret(&site.path().join("secret")).unwrap();
    let common = ["--topo", "topo", "--routes", "routes", "--secret"];
    let output = bootd(site.path(), &[&common[..], &["secret"]].concat());
    let lines = text(&output.stdout);
    assert!(output.status.success(), "{lines}{}", text(&output.stderr));
    assert!(
        lines.contains(r#""nodes_ready":11,"nodes_failed":0"#) && lines.contains(r#""joins_refused":0"#),
        "{lines}"
    );
    let (code, said) = failure(&bootd(site.path(), &[&common[..], &["key"]].concat()));
    assert_eq!(code, 1);
    assert!(said.contains("key: line 1: expected `twowire cluster secret 1`, got `twowire…`"), "{said}");
    let (code, said) = failure(&bootd(site.path(), &[&common[..], &["topo"]].concat()));
    assert_eq!(code, 1);
    assert!(said.contains("topo may be read by others"), "{said}");
}

#[test]
fn wrong_requests_are_named_with_the_remedy() {
    let site = site();
    let (code, said) = failure(&bootd(site.path(), &[]));
    assert_eq!(code, 2);
    assert!(said.contains("needs --topo and --routes: write them with `mapper"), "{said}");

    fs::write(site.path().join("bad"), "routes 1 epoch=1 hosts=12 engine=test\nn0 n99 81\n").unwrap();
    let (code, said) = failure(&bootd(site.path(), &["--topo", "topo", "--routes", "bad"]));
    assert_eq!((code, said.as_str()), (1, "bootd: bad: line 2: the topology has no host `n99`\n"));

    let node = |args: &[&str]| failure(&run(env!("CARGO_BIN_EXE_bootnode"), site.path(), args));
    let (code, said) = node(&["--fabric", "sim:topo", "--key", "key.pub", "--root", "out"]);
    assert_eq!(code, 1);
    assert!(said.contains("is simulated within one process"), "{said}");
    let (code, said) = node(&["--fabric", "raw:lo", "--key", "nothing", "--root", "out"]);
    assert_eq!(code, 1);
    assert!(said.contains("nothing"), "{said}");
    let (code, _) = node(&["--fabric", "raw:lo", "--key", "key.pub"]);
    assert_eq!(code, 2, "neither --root nor --kexec");
    let (code, said) = node(&["--fabric", "raw:lo", "--key", "key.pub", "--root", "topo"]);
    assert_eq!(code, 1);
    assert!(said.contains("cannot use the folder topo"), "{said}");
}

#[test]
fn help_has_examples_and_shells_get_completions() {
    let site = site();
    for program in [env!("CARGO_BIN_EXE_bootd"), env!("CARGO_BIN_EXE_bootnode")] {
        let help = text(&run(program, site.path(), &["--help"]).stdout);
        assert!(help.contains("Examples:") && help.contains("Exit status:"), "{help}");
        let script = text(&run(program, site.path(), &["--completions", "bash"]).stdout);
        assert!(script.contains("complete "), "{script}");
    }
}
