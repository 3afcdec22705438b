use super::super::tests::read_archive;
use super::*;
use crate::image::ClusterSecretKey;
use flate2::read::GzDecoder;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

/// A kernel's modules, a key, and a kernel.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let modules = dir.path().join("modules");
    fs::create_dir_all(modules.join("kernel/net")).unwrap();
    fs::write(modules.join("modules.dep"), "kernel/net/card.ko: kernel/bus.ko\nkernel/bus.ko:\n").unwrap();
    fs::write(modules.join("modules.builtin"), "").unwrap();
    fs::write(modules.join("kernel/net/card.ko"), "the card").unwrap();
    fs::write(modules.join("kernel/bus.ko"), "the bus").unwrap();
    fs::write(dir.path().join("key"), ClusterSecretKey::from_seed(&[1; 32]).public().to_string()).unwrap();
    fs::write(dir.path().join("kernel"), [0; 5000]).unwrap();
    ClusterSecret::create(&dir.path().join("secret")).unwrap();
    dir
}

fn pack_in(dir: &Path, flash_bytes: u64) -> Result<Phase1Report, Phase1Error> {
    pack_with(dir, flash_bytes, None)
}

fn pack_with(dir: &Path, flash_bytes: u64, debug_shell: Option<&Path>) -> Result<Phase1Report, Phase1Error> {
    pack(&Phase1Request {
        // Any program will do, and a small one is packed sooner.
        bootnode: Path::new("/bin/true"),
        key: &dir.join("key"),
        secret: Some(&dir.join("secret")),
        modules: Some((&dir.join("modules"), &["card".to_owned()])),
        debug_shell,
        kernel: Some(&dir.join("kernel")),
        flash_bytes,
        output: &dir.join("out"),
    })
}

/// What was packed, and the same unpacked.
fn packed_in(dir: &Path) -> [Vec<u8>; 2] {
    let packed = fs::read(dir.join("out")).unwrap();
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    [packed, unpacked]
}

#[test]
fn there_is_a_shell_only_if_it_is_asked_for() {
    let dir = site();
    for (asked, shell) in [(None, None), (Some("/bin/false"), Some("false")), (Some("/bin/sh"), Some("\x7fELF"))] {
        pack_with(dir.path(), 1 << 30, asked.map(Path::new)).unwrap();
        let [_, unpacked] = packed_in(dir.path());
        let entries = read_archive(&unpacked);
        let found = entries.get("bin/sh").map(|(_, bytes)| bytes.starts_with(shell.unwrap_or("none").as_bytes()));
        assert_eq!(found, shell.map(|_| true), "{asked:?}");
    }
}

#[test]
fn it_holds_the_key_and_the_modules_in_their_order() {
    let dir = site();
    let report = pack_in(dir.path(), 1 << 30).unwrap();
    let [packed, unpacked] = packed_in(dir.path());
    let entries = read_archive(&unpacked);
    let text = |name: &str| String::from_utf8(entries[name].1.clone()).unwrap();
    assert_eq!(text("etc/twowire/modules"), "/lib/modules/bus.ko\n/lib/modules/card.ko\n");
    assert_eq!(text("lib/modules/card.ko"), "the card");
    assert_eq!(text("etc/twowire/cluster.pub").parse(), Ok(ClusterSecretKey::from_seed(&[1; 32]).public()));
    let secret = fs::read_to_string(dir.path().join("secret")).unwrap();
    assert_eq!(text("etc/twowire/cluster.secret"), secret);
    assert!(text("init").starts_with("bin/"));
    assert_eq!((report.unpacked_bytes, report.initramfs_bytes), (unpacked.len() as u64, packed.len() as u64));
    pack_in(dir.path(), 1 << 30).unwrap();
    assert!(fs::read(dir.path().join("out")).unwrap() == packed, "not the same bytes again");
}

#[test]
fn with_a_secret_nobody_else_may_read_it() {
    let dir = site();
    let out = dir.path().join("out");
    fs::write(&out, "an older one, which all may read").unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o666)).unwrap();
    pack_in(dir.path(), 1 << 30).unwrap();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn whether_it_fits_counts_the_kernel() {
    let dir = site();
    let report = pack_in(dir.path(), 0).unwrap();
    assert_eq!(report.total_bytes(), report.initramfs_bytes + 5000);
    let with = |flash_bytes| Phase1Report { flash_bytes, ..report.clone() };
    assert!(with(report.total_bytes()).fits() && !with(report.total_bytes() - 1).fits());
}

#[test]
fn what_is_missing_is_named() {
    let dir = site();
    for file in ["kernel", "modules/kernel/bus.ko", "modules/modules.dep", "secret", "key"] {
        fs::remove_file(dir.path().join(file)).unwrap();
        let error = pack_in(dir.path(), 0).unwrap_err().to_string();
        assert!(error.contains(&*dir.path().join(file).to_string_lossy()), "{error}");
    }
}
