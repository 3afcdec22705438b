//! Which frames the kernel hands over: those for this card, and those for the groups that were joined.

use super::ethernet::{ENVELOPE, GROUP_PREFIX, LANE_AT};
use super::long;
use crate::protocol::Group;
use crate::wire::frame::LANE_MARK;
use libc::{BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

fn load(width: u32, at: i32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_ABS | width) as u16, jt: 0, jf: 0, k: at as u32 }
}

/// Skips the next instruction unless the test says `then`.
fn unless(test: u32, k: u32, then: bool) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_K | test) as u16, jt: u8::from(!then), jf: u8::from(then), k }
}

fn accept(yes: bool) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: if yes { u32::MAX } else { 0 } }
}

/// What all programs begin with: a bridge floods frames for cards that it has not heard of yet, and the kernel knows that they are not
/// for us.
fn for_this_host() -> [sock_filter; 3] {
    let kind = load(BPF_B, libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE);
    [kind, unless(BPF_JEQ, libc::PACKET_OTHERHOST.into(), true), accept(false)]
}

/// The same for a socket that is bound to the ethertype of lanes.
pub(super) fn lane(lane: u16) -> Vec<sock_filter> {
    let number = [load(BPF_H, LANE_AT as i32), unless(BPF_JEQ, lane.into(), true), accept(true), accept(false)];
    [&for_this_host()[..], &number].concat()
}

/// The same where crossbars are at the other end of the cable: all that comes is for this host, and the frame says for which lane.
pub(super) fn cable(lane: u16) -> Vec<sock_filter> {
    let (at, marked) = (ENVELOPE as i32, u32::from(LANE_MARK));
    let sorted = match lane {
        0 => vec![load(BPF_B, at), unless(BPF_JEQ, marked, true), accept(false), accept(true)],
        _ => vec![
            load(BPF_B, at),
            unless(BPF_JEQ, marked, false),
            accept(false),
            load(BPF_H, at + 1),
            unless(BPF_JEQ, lane.into(), true),
            accept(true),
            accept(false),
        ],
    };
    [&for_this_host()[..], &sorted].concat()
}

/// The same for a socket of long frames to a lane.
pub(super) fn long(lane: u16) -> Vec<sock_filter> {
    let [from, to] = long::ADDRESSES;
    let expected = [
        (BPF_B, long::FIRST_AT, long::FIRST.into()),
        (BPF_B, long::PROTOCOL_AT, long::PROTOCOL.into()),
        (BPF_W, long::FROM_AT, from),
        (BPF_W, long::TO_AT, to),
        (BPF_H, long::LANE_AT, lane.into()),
    ];
    let others =
        expected.map(|(width, at, value)| [load(width, at as i32), unless(BPF_JEQ, value, false), accept(false)]);
    [&for_this_host()[..], others.as_flattened(), &[accept(true)]].concat()
}

/// The classic BPF program for a socket that is bound to our ethertype.
pub(super) fn program(groups: &[Group]) -> Vec<sock_filter> {
    let mut program = for_this_host().to_vec();
    program.extend([
        load(BPF_B, 0),
        unless(BPF_JSET, 1, false),
        accept(true),
        load(BPF_W, 0),
        unless(BPF_JEQ, u32::from_be_bytes(GROUP_PREFIX), false),
        accept(false),
        load(BPF_H, 4),
    ]);
    for group in groups {
        program.extend([unless(BPF_JEQ, group.0.into(), true), accept(true)]);
    }
    program.push(accept(false));
    program
}
