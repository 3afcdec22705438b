use super::*;
use crate::infiniband::exchange::TIMED_OUT;
use crate::infiniband::smp::{Attribute, DATA, SMP_SIZE};
use proptest::prelude::*;
use zerocopy::IntoBytes;

fn port(name: &str, state: u32, link_layer: &str) -> LocalPort {
    let (device, port) = name.split_once('/').expect("a device and a port");
    LocalPort {
        device: device.to_owned(),
        port: port.parse().expect("a number"),
        state,
        link_layer: link_layer.to_owned(),
    }
}

fn machine() -> Vec<LocalPort> {
    vec![
        port("mlx5_0/1", 4, "Ethernet"),
        port("mlx5_1/1", 1, "InfiniBand"),
        port("mlx5_1/2", 2, "InfiniBand"),
        port("mlx5_2/1", 4, "InfiniBand"),
        port("mlx5_2/2", 4, "InfiniBand"),
    ]
}

fn chosen(text: &str, ports: &[LocalPort]) -> Result<String, String> {
    let spec = text.parse().expect("it can be asked for");
    choose(&spec, ports).map(LocalPort::name).map_err(|error| error.to_string())
}

#[test]
fn the_first_active_port_is_meant_if_nothing_else_is_said() {
    let ports = machine();
    for (wanted, expected) in [
        ("", "mlx5_2/1"),
        ("mlx5_1", "mlx5_1/2"),
        ("mlx5_1/2", "mlx5_1/2"),
        ("mlx5_2", "mlx5_2/1"),
        ("mlx5_2/2", "mlx5_2/2"),
    ] {
        assert_eq!(chosen(wanted, &ports).as_deref(), Ok(expected), "{wanted}");
    }
    assert_eq!(chosen("", &ports[..3]).as_deref(), Ok("mlx5_1/2"), "before the subnet is brought up none is active");
}

#[test]
fn a_port_that_cannot_be_used_is_refused_with_those_that_are_there() {
    let ports = machine();
    let there = "mlx5_0/1 (Ethernet), mlx5_1/1 (down), mlx5_1/2 (has a link), mlx5_2/1 (active), mlx5_2/2 (active)";
    let no_link = "has no InfiniBand link: plug in a cable, or give another port; there are";
    for (wanted, expected) in [
        ("mlx5_9", format!("this machine has no InfiniBand port `mlx5_9`: it has {there}")),
        ("mlx5_2/3", format!("this machine has no InfiniBand port `mlx5_2/3`: it has {there}")),
        ("mlx5_1/1", format!("`umad:mlx5_1/1` {no_link} {there}")),
        ("mlx5_0/1", format!("`umad:mlx5_0/1` {no_link} {there}")),
    ] {
        assert_eq!(chosen(wanted, &ports), Err(expected));
    }
    let nothing = "this machine has no InfiniBand port: load the driver of its adapter, as by `modprobe mlx5_ib`";
    assert_eq!(chosen("", &[]), Err(nothing.to_owned()));
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let of = |kind: io::ErrorKind| UmadError::open(&machine()[3], kind.into()).to_string();
    assert!(
        of(io::ErrorKind::PermissionDenied)
            .starts_with("`umad:mlx5_2/1` cannot be used: permission denied; run as root")
    );
    assert!(of(io::ErrorKind::InvalidInput).ends_with("`modprobe ib_umad`"));
}

/// A request of transaction 7, as the kernel numbers it.
fn numbered() -> Smp {
    let mut smp = Smp::get(&[1, 4], Attribute::NodeInfo, 0);
    smp.set_transaction(7);
    smp.as_mut_bytes()[8] = 0x2a;
    smp
}

#[test]
fn a_request_that_the_kernel_hands_back_is_known_by_its_header() {
    let request = numbered();
    let Some(Arrival::Undeliverable(7)) = Arrival::read(TIMED_OUT, &request.as_bytes()[..24]) else {
        panic!("it got no answer");
    };
    assert!(Arrival::read(TIMED_OUT, &request.as_bytes()[..15]).is_none(), "without its number it is nothing");
    assert!(Arrival::read(0, request.as_bytes()).is_none(), "a request of somebody's");
    let Some(Arrival::Answer(answer)) = Arrival::read(0, request.answer(0, [1; DATA]).as_bytes()) else {
        panic!("it is an answer");
    };
    assert_eq!((answer.transaction(), answer.data), (7, [1; DATA]));
}

proptest! {
    #[test]
    fn any_bytes_from_the_kernel_are_taken(
        status in prop_oneof![Just(0), Just(TIMED_OUT), any::<u32>()],
        mut bytes in proptest::collection::vec(any::<u8>(), 0..2 * SMP_SIZE),
        whole in any::<bool>(),
    ) {
        if whole {
            bytes.resize(SMP_SIZE, 0);
            bytes[..4].copy_from_slice(&[1, 0x81, 1, 0x81]);
        }
        let number = bytes.get(12..16).map(|number| u32::from_be_bytes(number.try_into().expect("four bytes")));
        match Arrival::read(status, &bytes) {
            Some(Arrival::Answer(smp)) => {
                prop_assert!(status == 0 && bytes.len() == SMP_SIZE);
                prop_assert_eq!(Some(smp.transaction()), number);
                prop_assert!(smp.route().len() < 64);
            }
            Some(Arrival::Undeliverable(transaction)) => {
                prop_assert!(status == TIMED_OUT);
                prop_assert_eq!(Some(transaction), number);
            }
            None => prop_assert!(!whole || (status != 0 && status != TIMED_OUT)),
        }
    }
}
