use super::*;
use crate::topology::generate::{Random, pink};
use proptest::prelude::*;

/// Walks a frame over the topology as the design says, with no table but the topology itself.
fn walk(
    t: &Topology,
    cut: &[PortId],
    dead: &[CrossbarId],
    from: HostId,
    frame: &[u8],
) -> Result<(HostId, usize), DropCause> {
    let mut out = PortId::new(from, 0);
    let mut taken = 0;
    loop {
        let end = t.peer(out).ok_or(DropCause::NoCable)?;
        if cut.contains(&out) || cut.contains(&end) {
            return Err(DropCause::DeadLink);
        }
        let crossbar = match end.node {
            NodeId::Host(host) => return Ok((host, taken)),
            NodeId::Crossbar(x) if dead.contains(&x) => return Err(DropCause::DeadLink),
            NodeId::Crossbar(x) => x,
        };
        let byte = *frame.get(taken).filter(|byte| **byte >= 0x80 && taken < MAX_HOPS).ok_or(DropCause::NoHop)?;
        let to = (u32::from(end.port) + u32::from(byte & 0x7f)) % 128;
        if to >= t.crossbar(crossbar).ports.into() {
            return Err(DropCause::NoPort);
        }
        taken += 1;
        out = PortId::new(crossbar, to as u8);
    }
}

fn in_all(switches: &Switches, cause: DropCause) -> u64 {
    switches.counters().map(|(_, counters)| counters.drops[cause as usize]).sum()
}

proptest! {
    /// Any bytes from any host, over any fabric with anything broken, go where the design says.
    #[test]
    fn frames_go_where_the_design_says(
        seed in any::<u64>(),
        frames in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..80), any::<bool>()), 1..60),
        broken in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let t = Random { crossbars: 6, radix: 8, hosts: 12, seed }.build().unwrap();
        let mut switches = Switches::new(&t);
        let cut: Vec<PortId> = broken.iter().map(|index| index.get(t.cables()).a).collect();
        let dead: Vec<CrossbarId> = broken.iter().take(1).map(|index| CrossbarId(index.index(6) as u32)).collect();
        cut.iter().for_each(|&port| switches.set_cut(&t, port, true));
        dead.iter().for_each(|&crossbar| switches.set_dead(crossbar, true));
        for (host, mut frame, small) in frames {
            if small {
                // Hops that lead somewhere, most of the time.
                frame.iter_mut().for_each(|byte| *byte = 0x80 | (*byte % 17 + 120) & 0x7f);
            }
            let from = HostId(host.index(12) as u32);
            let before: Vec<u64> = DropCause::ALL.iter().map(|&cause| in_all(&switches, cause)).collect();
            let arrival = switches.forward(from, &frame);
            match walk(&t, &cut, &dead, from, &frame) {
                Ok((to, hops)) => {
                    let arrival = arrival.unwrap();
                    prop_assert_eq!((arrival.host, arrival.hops), (to, hops));
                    prop_assert_eq!(t.peer(arrival.by), Some(PortId::new(to, 0)));
                }
                Err(cause) => {
                    prop_assert_eq!(arrival, None);
                    prop_assert_eq!(in_all(&switches, cause), before[cause as usize] + 1);
                }
            }
        }
        cut.iter().for_each(|&port| switches.set_cut(&t, port, false));
        dead.iter().for_each(|&crossbar| switches.set_dead(crossbar, false));
        prop_assert!(switches.channels.iter().all(|channel| !channel.cut) && !switches.dead.contains(&true));
    }
}

/// Every port on the way counts the frame, with a hop less each time.
#[test]
fn the_ports_on_the_way_count() {
    let t = pink();
    let mut switches = Switches::new(&t);
    let (from, to) = (HostId(0), HostId(900));
    let route = crate::xbar::tests::route(&t, from, to);
    let frame = [route.as_bytes(), &[0x01; 100]].concat();
    let arrival = switches.forward(from, &frame).unwrap();
    assert_eq!((arrival.host, arrival.hops), (to, 5));
    let mut counted: Vec<u64> = switches.counters().filter(|(_, c)| c.frames > 0).map(|(_, c)| c.bytes).collect();
    counted.sort_unstable();
    assert_eq!(counted, [100, 101, 102, 103, 104, 105]);
    assert_eq!(switches.counters().map(|(_, c)| c.frames).sum::<u64>(), 6);
}
