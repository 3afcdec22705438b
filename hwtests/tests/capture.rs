//! A capture that we write, read by tcpdump.

use std::fs::File;
use std::process::Command;
use twowire_fabric::middleware::PcapWriter;
use twowire_fabric::middleware::pcap::Direction;
use twowire_fabric::route::Route;
use twowire_fabric::time::Time;
use twowire_fabric::wire::probe::Probe;
use twowire_fabric::wire::{Packet, frame};

#[test]
fn tcpdump_shows_our_frames_byte_for_byte() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        eprintln!("skipped: tcpdump is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frames.pcapng");
    let route: Route = "88f887".parse().unwrap();
    let payload = route.as_bytes().to_vec().into();
    let bytes = frame::encode(&route, &Packet::with_payload(Probe { session: 0xdead_beef, nonce: 7 }, payload));

    let mut capture = PcapWriter::new(File::create(&path).unwrap()).unwrap();
    let host = capture.add_host("0x0000000000000abc").unwrap();
    capture.frame(host, Time::from_nanos(1_000_002_003), Direction::Out, &bytes, None).unwrap();
    capture.frame(host, Time::from_nanos(1_000_009_000), Direction::In, &bytes[3..], Some("one hop left")).unwrap();
    capture.finish().unwrap();

    let tcpdump = Command::new("tcpdump").args(["-nn", "-tt", "--nano", "-r"]).arg(&path).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&tcpdump.stdout), String::from_utf8_lossy(&tcpdump.stderr));
    assert!(tcpdump.status.success(), "{err}");
    assert!(err.contains("link-type 147") || err.contains("USER0"), "{err}");
    let times: Vec<&str> = out.lines().filter(|l| !l.starts_with('\t')).filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(times, ["1.000002003", "1.000009000"], "{out}");
    // tcpdump does not know our link type, so it dumps the bytes: offset, hexadecimal, and after two spaces the text.
    let rows = out.lines().filter_map(|l| l.trim_start().strip_prefix("0x")?.split_once(":  "));
    let digits: String = rows.filter_map(|(_, row)| row.split("  ").next()).collect::<String>().replace(' ', "");
    let expected: String = [&bytes[..], &bytes[3..]].concat().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digits, expected, "{out}");
}
