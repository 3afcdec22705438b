use super::*;
use crate::image::command;
use proptest::prelude::*;
use std::fs;

fn key() -> ClusterSecretKey {
    ClusterSecretKey::from_seed(&[7; 32])
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    let report = command::new_key(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = ClusterSecretKey::load(&path).unwrap();
    assert_eq!(ClusterPublicKey::load(&report.public).unwrap(), key.public());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = ClusterSecretKey::load(&path).unwrap_err();
    assert!(matches!(error, KeyError::Permissions { mode: 0o640, .. }), "{error}");
    assert!(error.to_string().contains("mode 640"), "{error}");
}

#[test]
fn a_key_text_error_names_its_line_and_keeps_the_secret() {
    let text = key().public().to_string();
    let id = key().public().id().to_string();
    assert_eq!(format!("# comment\n\n{text}").parse::<ClusterPublicKey>().unwrap(), key().public());
    let hex = text.lines().nth(2).unwrap().strip_prefix("key ").unwrap().to_owned();
    let parse = |text: &str| text.parse::<ClusterPublicKey>().unwrap_err().to_string();
    assert_eq!(parse(""), "the file ends before its `twowire public key 1` line");
    assert_eq!(parse("ssh-ed25519 AAAA"), "line 1: expected `twowire public key 1`, got `ssh-ed25519…`");
    assert_eq!(parse("twowire public key 1\n"), "the file ends before its `id` line");
    let short = format!("twowire public key 1\nid {id}\nkey {}\n", &hex[2..]);
    assert_eq!(parse(&short), "line 3: expected `key` and its value in hexadecimal, got `key…`");
    assert!(parse(&format!("{text}more\n")).contains("line 4: expected `nothing more`"));
    let mixed = text.replace(&id, "0011223344556677");
    assert_eq!(parse(&mixed), format!("the id says 0011223344556677, but the key's id is {id}: the file is damaged"));
    let weak = format!("twowire public key 1\nid {}\nkey 01{}\n", KeyId([0; 8]), "00".repeat(31));
    assert_eq!(parse(&weak), "the key is not an ed25519 public key");
}

#[test]
fn keys_differ_and_sign() {
    let (one, other) = (ClusterSecretKey::generate().unwrap(), ClusterSecretKey::generate().unwrap());
    assert_ne!(one.public().id(), other.public().id());
    let signature = one.sign(b"message");
    assert!(one.public().verifies(b"message", &signature));
    assert!(!one.public().verifies(b"massage", &signature));
    assert!(!other.public().verifies(b"message", &signature));
    let shown = format!("{one:?}");
    assert_eq!(shown, format!("ClusterSecretKey({})", one.public().id()), "the secret is not shown");
}

proptest! {
    #[test]
    fn any_text_is_a_key_or_an_error(text in "(twowire public key 1\n)?(id [0-9a-f]{0,20}\n)?(key [0-9a-fé]{0,70}\n)?.{0,20}") {
        let _ = text.parse::<ClusterPublicKey>();
    }
}
