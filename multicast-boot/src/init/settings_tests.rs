use super::*;
use crate::image::manifest::{MAX_CMDLINE, ManifestFields, PartInfo};
use crate::session::ready::MAX_PATHS;
use crate::session::testing::key;
use proptest::prelude::*;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::Path;
use twowire_fabric::route::{MAX_HOPS, Route};

const TICKET: &str = "1f/n17/2a/400/0x0000020000000001";

#[test]
fn settings_are_options_of_bootnode() {
    let settings = Settings::parse(
        "BOOT_IMAGE=/vmlinuz quiet console=ttyS0 twowire.fabric=raw:eth0 twowire.json twowire.mtu=9000 \
         twowire.nvram=bar:/sys/x twowire.fabric=raw:eth1 panic=10\n",
    );
    let settings = settings.unwrap();
    assert_eq!(settings.option("fabric"), Some("raw:eth1"), "the later one counts");
    assert_eq!(settings.mtu, Some(9000));
    assert_eq!(
        settings.arguments(false),
        ["--json", "--nvram=bar:/sys/x", "--fabric=raw:eth1", "--key=/etc/twowire/cluster.pub", "--kexec"]
    );
}

#[test]
fn a_key_or_folder_of_ones_own_is_kept() {
    let settings = Settings::parse("twowire.key=/k twowire.root=/images").unwrap();
    assert_eq!(settings.arguments(false), ["--key=/k", "--root=/images"]);
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

/// An image with this command line, and no kernel.
fn image(cmdline: String) -> Manifest {
    let root = blake3::hash(b"initramfs");
    let initramfs = Some(PartInfo { len: 9, blake3: root });
    let (name, key_id) = ("node".to_owned(), key().public().id());
    Manifest::new(ManifestFields { name, version: u64::MAX, cmdline, kernel: None, initramfs, root, key_id }).unwrap()
}

#[test]
fn phase_2_is_told_what_phase_1_knew() {
    let ticket: Ticket = TICKET.parse().unwrap();
    assert_eq!(ticket.paths, [Path::Card(UniqueId(0x0200_0000_0001))]);
    assert_eq!(ticket.node, NodeNumber(17));
    let quiet = image("console=ttyS0".to_owned());
    let named = format!("twowire.image={} twowire.version=18446744073709551615", quiet.tag());
    let cmdline = phase_2(&quiet, "xbar:/run/a b,host=n17", Some(&ticket));
    assert_eq!(
        cmdline,
        format!("console=ttyS0 \"twowire.fabric=xbar:/run/a b,host=n17\" twowire.ready={TICKET} {named}")
    );
    let settings = Settings::parse(&cmdline).unwrap();
    assert_eq!(settings.ticket.as_deref(), Some(TICKET));
    assert_eq!(
        settings.arguments(false),
        ["--fabric=xbar:/run/a b,host=n17".to_owned(), format!("--report-ready={TICKET}")]
    );
    assert_eq!(phase_2(&quiet, "raw:e", None), format!("console=ttyS0 {named}"));
    let empty = phase_2(&image(String::new()), "raw:e", Some(&ticket));
    assert!(empty.starts_with(&format!("\"twowire.fabric=raw:e\" twowire.ready={TICKET} ")), "{empty}");
}

/// What `kexec_file_load(2)` takes on x86: `cmdline_size` of a kernel's header is 2,047, with the closing zero.
const KEXEC_CMDLINE: usize = 2046;

#[test]
fn the_longest_command_line_and_ticket_fit_the_kernel() {
    let path = Path::Hops(Route::from_bytes(&[0xff; MAX_HOPS]).unwrap());
    let (session, incarnation, serial) = (u32::MAX, u32::MAX, u32::MAX);
    let ticket = Ticket { session, node: NodeNumber(i32::MAX), incarnation, serial, paths: vec![path; MAX_PATHS] };
    let longest = image("c".repeat(MAX_CMDLINE));
    let cmdline = phase_2(&longest, &format!("xbar:/{}", "p".repeat(100)), Some(&ticket));
    assert!(cmdline.len() <= KEXEC_CMDLINE, "{} bytes", cmdline.len());
}

#[test]
fn phase_2_keeps_the_options_of_its_report() {
    let kept = ["--fabric=raw:e", "--json", "--timeout=5min", "--nvram=/dev/nvram"];
    let words = kept.map(|option| option.replace("--", PREFIX)).join(" ");
    let settings = Settings::parse(&format!("{words} twowire.image=1f twowire.kexec twowire.ready={TICKET}")).unwrap();
    assert_eq!(settings.arguments(true), [&kept[..], &[&format!("--report-ready={TICKET}")]].concat());
}

#[test]
fn a_machine_is_restarted_after_failing_for_long_but_never_in_phase_2() {
    let minute = Some(Duration::from_secs(60));
    for (cmdline, expected) in [
        ("quiet", Some(RESTART_AFTER)),
        ("twowire.restart-after=1min", minute),
        ("twowire.restart-after=0s", None),
        ("twowire.mtu=big", Some(RESTART_AFTER)),
        ("twowire.ready=1f/n1/1/1/80", None),
        ("twowire.restart-after=1min twowire.ready=1f/n1/1/1/80", None),
        ("twowire.mtu=big twowire.ready=1f/n1/1/1/80", None),
    ] {
        assert_eq!(restart_after(cmdline), expected, "{cmdline}");
    }
}

#[test]
fn phase_2_may_know_the_device_by_another_name() {
    let ticket: Ticket = TICKET.parse().unwrap();
    let cmdline = phase_2(&image("twowire.fabric=raw:ens3".to_owned()), "raw:eth0", Some(&ticket));
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
