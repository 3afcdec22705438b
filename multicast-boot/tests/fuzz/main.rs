//! The bodies of the fuzz targets in `fuzz/` that need this crate or `route-store`, as ordinary tests.

#[path = "../../../fuzz/bodies/boot_text.rs"]
mod boot_text;
#[path = "../../../fuzz/bodies/image.rs"]
mod image;
#[path = "../../../fuzz/bodies/initramfs.rs"]
mod initramfs;
#[path = "../../../fuzz/ordinary.rs"]
mod ordinary;
#[path = "../../../fuzz/bodies/record.rs"]
mod record;
#[path = "../../../fuzz/bodies/session.rs"]
mod session;

use ordinary::fuzz;
use session::Pair;
use std::collections::VecDeque;
use std::path::PathBuf;
use twowire_multicast_boot::session::{BootClient, NodeState};

#[test]
fn signed_manifests() {
    fuzz("image", 2_000, image::run);
}

#[test]
fn programs_and_archives() {
    fuzz("initramfs", 20_000, initramfs::run);
}

#[test]
fn texts() {
    fuzz("boot_text", 20_000, boot_text::run);
}

#[test]
fn records_in_nvram() {
    fuzz("record", 50_000, record::run);
}

#[test]
fn sessions_over_trees() {
    fuzz("session_trees", 500, session::run_trees);
}

#[test]
fn sessions_in_a_group() {
    fuzz("session_group", 500, session::run_group);
}

fn transfer(target: &str) -> PathBuf {
    ordinary::folder(target).join("a-whole-transfer")
}

/// A target's name, and what makes the two machines that it feeds.
type Way = (&'static str, fn() -> Pair);

/// The two ways of a transfer.
const WAYS: [Way; 2] = [("session_trees", Pair::over_trees), ("session_group", Pair::in_a_group)];

/// Without this the targets would knock at a closed door: the recorded transfers must get to the end.
#[test]
fn the_recorded_transfers_get_to_the_end() {
    for (target, new) in WAYS {
        let (mut pair, input) = (new(), std::fs::read(transfer(target)).unwrap());
        session::replay(&mut pair, &input);
        let remedy = "record it again if the protocol has changed: --ignored records_transfers";
        assert_eq!(pair.node.state(), NodeState::Ready, "{target}; {remedy}");
        assert!(pair.node.image().is_some());
    }
}

/// Writes the corpus of both targets anew.
#[test]
#[ignore = "writes into fuzz/corpus; needed when the protocol changes"]
fn records_transfers() {
    for (target, new) in WAYS {
        let (mut pair, mut input, mut waiting) = (new(), Vec::new(), VecDeque::new());
        for _ in 0..10_000 {
            let (first, bytes): (u8, Vec<u8>) = waiting.pop_front().unwrap_or((10, Vec::new()));
            input.push(first);
            input.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_le_bytes());
            input.extend_from_slice(&bytes);
            for (to_root, packet) in pair.feed(first, &bytes) {
                let header = packet.header.encode(packet.payload.len() as u16);
                waiting.push_back((u8::from(to_root), [&header[..], &packet.payload].concat()));
            }
            if pair.node.state() == NodeState::Ready {
                break;
            }
        }
        std::fs::create_dir_all(transfer(target).parent().unwrap()).unwrap();
        std::fs::write(transfer(target), input).unwrap();
    }
}
