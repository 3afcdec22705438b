use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn resolve(text: &str) -> Result<(Time, Fault), FaultError> {
    text.parse::<FaultSpec>()?.resolve(&row(3, 2))
}

#[test]
fn every_kind_is_understood() {
    let port = PortId::new(CrossbarId(1), 1);
    let flap = |period, count| Fault::Flap { port, period, count };
    for (text, when, fault) in [
        ("crash:n3@20ms", 20_000_000, Fault::Crash(HostId(3))),
        ("restart:n3@1.5s", 1_500_000_000, Fault::Restart(HostId(3))),
        ("swap:n3", 0, Fault::Swap(HostId(3))),
        ("cut:x1:1@0", 0, Fault::Cut(port)),
        ("cut:n2@0ms", 0, Fault::Cut(PortId::new(HostId(2), 0))),
        ("mend:x1:1@300us", 300_000, Fault::Mend(port)),
        ("flap:x1:1@7ns", 7, flap(Duration::from_millis(1), 10)),
        ("flap:x1:1@1ms,period=2ms,count=5", 1_000_000, flap(Duration::from_millis(2), 5)),
        ("kill:x2@1s", 1_000_000_000, Fault::Kill(CrossbarId(2))),
        ("revive:x2@2s", 2_000_000_000, Fault::Revive(CrossbarId(2))),
        ("loss:0.01", 0, Fault::Loss(0.01)),
        ("corrupt:1e-3@5ms", 5_000_000, Fault::Corrupt(0.001)),
        ("duplicate:1", 0, Fault::Duplicate(1.0)),
        ("reorder:0", 0, Fault::Reorder(0.0)),
    ] {
        assert_eq!(resolve(text).unwrap(), (at(when), fault), "{text}");
    }
}

#[test]
fn errors_name_the_thing_and_the_remedy() {
    for (text, says) in [
        ("crash:n6@1ms", "no host `n6`; its hosts are `n0` to `n5`"),
        ("crash:x1@1ms", "no host `x1`"),
        ("kill:n1@1ms", "no crossbar `n1`; its crossbars are `x0` to `x2`"),
        ("cut:x1@1ms", "no port `x1`; write a crossbar and its port as in `x1.3:9`"),
        ("cut:x1:8@1ms", "no port `x1:8`"),
        ("cut:x1:7@1ms", "port `x1:7` has no cable"),
        ("cut:x9:1@1ms", "no port `x9:1`"),
        ("melt:x1@1ms", "unknown kind; write crash, restart,"),
        ("crash", "unknown kind"),
        ("", "unknown kind"),
        ("crash:n1@20", "`20` is not a time; write it as 20ms, 1.5s, 300us"),
        ("crash:n1@-1ms", "`-1ms` is not a time"),
        ("crash:n1@ms", "`ms` is not a time"),
        ("crash:n1@", "`` is not a time"),
        ("loss:1.5", "`1.5` is not a share of the frames; write a number from 0 to 1"),
        ("loss:NaN", "`NaN` is not a share"),
        ("loss:0.1,period=1ms", "option `period=1ms` is not understood"),
        ("flap:x1:1@0,count=0", "option `count=0`"),
        ("flap:x1:1@0,colour=red", "option `colour=red`"),
    ] {
        let error = resolve(text).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(text), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = resolve(&text);
    }

    #[test]
    fn no_text_like_a_fault_panics(text in "(crash|cut|flap|loss):[nx:0-9.]{0,6}(@[0-9.a-z]{0,6})?(,[a-z=0-9]{0,9})?") {
        if let Ok(spec) = text.parse::<FaultSpec>() {
            prop_assert_eq!(spec.to_string().parse::<FaultSpec>().unwrap(), spec);
        }
    }

    #[test]
    fn text_survives_a_round_trip(ns in 0u64..1 << 50, share in 0.0f64..=1.0, count in 1u32.., period in 2u64..1 << 40) {
        for text in [
            format!("crash:n1@{ns}ns"),
            format!("mend:x1.3:9@{ns}ns"),
            format!("kill:x2@{ns}us"),
            format!("reorder:{share}@{ns}ns"),
            format!("flap:x1:1@{ns}ns,period={period}ns,count={count}"),
        ] {
            if let Ok(spec) = text.parse::<FaultSpec>() {
                prop_assert_eq!(spec.to_string().parse::<FaultSpec>().unwrap(), spec);
            }
        }
    }
}
