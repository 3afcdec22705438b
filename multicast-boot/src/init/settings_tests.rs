use super::*;
use proptest::prelude::*;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Path;

const TICKET: &str = "1f/n17/2a/400/0x0000020000000001";

#[test]
fn settings_are_options_of_bootnode() {
    let settings = Settings::parse(
        "BOOT_IMAGE=/vmlinuz quiet console=ttyS0 twowire.fabric=raw:eth0 twowire.json twowire.mtu=9000 \
         twowire.nvram=bar:/sys/x twowire.fabric=raw:eth1 panic=10\n",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.option("fabric"), Some("raw:eth1"), "the later one counts");
    assert_eq!((settings.mtu, settings.restart_after), (Some(9000), Some(RESTART_AFTER)));
    assert_eq!(
        settings.arguments(false),
        ["--json", "--nvram=bar:/sys/x", "--fabric=raw:eth1", "--key=/etc/twowire/cluster.pub", "--kexec"]
    );
}

#[test]
fn a_key_or_folder_of_ones_own_is_kept() {
    let settings = Settings::parse("twowire.key=/k twowire.root=/images twowire.restart-after=0s").unwrap();
    assert_eq!(settings.arguments(false), ["--key=/k", "--root=/images"]);
    assert_eq!(settings.restart_after, None);
    assert_eq!(settings.arguments(true)[2], "--secret=/etc/twowire/cluster.secret");
    let settings = Settings::parse("twowire.secret=/s").unwrap();
    assert!(settings.arguments(true).iter().filter(|argument| argument.starts_with("--secret=")).eq(["--secret=/s"]));
}

#[test]
fn quotes_hold_words_together() {
    assert_eq!(words(r#"a "b c"  d="e f"g "#), ["a", "b c", "d=e fg"]);
    assert_eq!(Settings::parse(r#""twowire.fabric=xbar:/a b""#).unwrap().option("fabric"), Some("xbar:/a b"));
}

#[test]
fn a_setting_that_is_not_understood_is_named() {
    for (text, named) in
        [("twowire.mtu=big", "`twowire.mtu=big`: expected a number"), ("twowire.restart-after", "`10min`")]
    {
        let error = Settings::parse(text).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn phase_2_is_told_what_phase_1_knew() {
    let ticket: Ticket = TICKET.parse().unwrap();
    assert_eq!(ticket.paths, [Path::Card(UniqueId(0x0200_0000_0001))]);
    assert_eq!(ticket.node, NodeNumber(17));
    let cmdline = phase_2("console=ttyS0", "xbar:/run/a b,host=n17", &ticket);
    assert_eq!(cmdline, format!("console=ttyS0 \"twowire.fabric=xbar:/run/a b,host=n17\" twowire.ready={TICKET}"));
    let settings = Settings::parse(&cmdline).unwrap();
    assert_eq!(settings.ticket.as_deref(), Some(TICKET));
    assert_eq!(
        settings.arguments(false),
        ["--fabric=xbar:/run/a b,host=n17".to_owned(), format!("--report-ready={TICKET}")]
    );
    assert_eq!(phase_2("", "raw:e", &ticket), format!("\"twowire.fabric=raw:e\" twowire.ready={TICKET}"));
}

#[test]
fn phase_2_may_know_the_device_by_another_name() {
    let ticket: Ticket = TICKET.parse().unwrap();
    let cmdline = phase_2("twowire.fabric=raw:ens3", "raw:eth0", &ticket);
    assert_eq!(Settings::parse(&cmdline).unwrap().option("fabric"), Some("raw:ens3"));
    assert!(!cmdline.contains("eth0"));
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(text in r#"([a-z" =.\n]|twowire\.|mtu|é){0,40}"#) {
        if let Ok(settings) = Settings::parse(&text) {
            let _ = settings.arguments(false);
        }
    }
}
