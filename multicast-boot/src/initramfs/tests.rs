use super::*;
use crate::cpio;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::LazyLock;

/// A dynamic program that is on every machine that runs these tests: this one.
fn dynamic_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The files and links of an archive: mode and contents.
pub(super) fn read_archive(bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut entries = BTreeMap::new();
    let mut at = 0;
    loop {
        let entry = cpio::read::entry(bytes, at).unwrap();
        if entry.is_trailer() {
            return entries;
        }
        let name = String::from_utf8(entry.plain_name().to_vec()).unwrap();
        let mode = entry.number(cpio::read::field::MODE).unwrap();
        entries.insert(name, (mode as u32, entry.data.to_vec()));
        at = entry.next;
    }
}

/// Unpacks the files, links and directories of an archive.
fn unpack(bytes: &[u8], root: &Path) {
    let entries = read_archive(bytes);
    let of_kind = |kind: u32| entries.iter().filter(move |(_, (mode, _))| mode & 0o170_000 == kind);
    of_kind(0o040_000).for_each(|(name, _)| fs::create_dir_all(root.join(name)).unwrap());
    for (name, (mode, contents)) in of_kind(0o100_000) {
        fs::write(root.join(name), contents).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode & 0o7777)).unwrap();
    }
    for (name, (_, target)) in of_kind(0o120_000) {
        std::os::unix::fs::symlink(String::from_utf8_lossy(target).as_ref(), root.join(name)).unwrap();
    }
}

#[test]
fn it_holds_the_program_its_interpreter_and_its_libraries() {
    let program = dynamic_program();
    let elf = Elf::parse(&fs::read(&program).unwrap()).unwrap();
    let interpreter = elf.interpreter.expect("a test program is dynamic");
    let bytes = Initramfs::new(&program).unwrap().finish();
    let entries = read_archive(&bytes);
    let name = program.file_name().unwrap().to_str().unwrap();
    assert_eq!(entries["init"], (0o120_777, format!("bin/{name}").into_bytes()));
    assert_eq!(entries[&format!("bin/{name}")], (0o100_755, fs::read(&program).unwrap()));
    assert_eq!(entries[interpreter.trim_start_matches('/')].1, fs::read(&interpreter).unwrap());
    for library in elf.needed {
        let suffix = format!("/{library}");
        assert!(entries.keys().any(|path| path.ends_with(&suffix)), "{library} of {:?}", entries.keys());
    }
    assert_eq!(entries["dev/console"].0, 0o020_600);
    assert_eq!(Initramfs::new(&program).unwrap().finish(), bytes, "the same files give the same bytes");
}

#[test]
fn it_really_runs() {
    let dir = tempfile::tempdir().unwrap();
    unpack(&Initramfs::new(&dynamic_program()).unwrap().finish(), dir.path());
    // The program is this test program: asked for its list of tests, it names this one.
    let output = Command::new("chroot").arg(dir.path()).args(["/init", "--list"]).output();
    match output {
        Ok(output) if output.status.success() => {
            assert!(String::from_utf8_lossy(&output.stdout).contains("it_really_runs"), "{output:?}");
        }
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("Operation not permitted") => {
            println!("skipped: chroot needs root");
        }
        Ok(output) => panic!("{output:?}"),
        Err(error) => println!("skipped: chroot: {error}"),
    }
}

#[test]
fn libraries_are_shared_and_programs_are_not_given_twice() {
    let program = dynamic_program();
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("second");
    fs::copy(&program, &copy).unwrap();
    let mut initramfs = Initramfs::new(&program).unwrap();
    initramfs.program(&copy).unwrap();
    initramfs.file("etc/twowire/cluster.pub", 0o644, b"key").unwrap();
    let error = initramfs.program(&copy).unwrap_err();
    assert_eq!(error.to_string(), "`bin/second` is in the initramfs already");
    let entries = read_archive(&initramfs.finish());
    assert_eq!(entries["bin/second"].0, 0o100_755);
    assert_eq!(entries["etc/twowire/cluster.pub"].1, b"key");
    assert_eq!(entries.keys().filter(|path| path.contains("libc.so")).count(), 1);
}

#[test]
fn what_is_no_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let error = Initramfs::new(&script).unwrap_err().to_string();
    assert!(error.ends_with("/script: not a 64-bit little-endian ELF file"), "{error}");
    let error = Initramfs::new(&dir.path().join("nothing")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("/nothing: "), "{error}");
    assert!(matches!(Initramfs::new(Path::new("/")), Err(InitramfsError::Name(_))));
}

#[test]
fn a_program_may_say_where_its_libraries_are() {
    let elf = Elf {
        machine: 62,
        interpreter: None,
        needed: vec![],
        search: vec!["$ORIGIN/../lib".into(), "/opt/x".into(), "${ORIGIN}".into()],
    };
    let paths = search_path(&elf, Path::new("/home/me/bin"), Path::new("/bin"));
    let pair = |a: &str, b: &str| (PathBuf::from(a), PathBuf::from(b));
    assert_eq!(paths[..3], [pair("/home/me/lib", "/lib"), pair("/opt/x", "/opt/x"), pair("/home/me/bin", "/bin")]);
    assert_eq!(paths[3], pair("/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"));
}

#[test]
fn a_library_that_is_nowhere_is_named() {
    let mut bytes = fs::read(dynamic_program()).unwrap();
    let name = b"libc.so.6\0";
    let places: Vec<usize> = (0..bytes.len() - name.len()).filter(|&at| bytes[at..].starts_with(name)).collect();
    places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(b"nope"));
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    fs::write(&program, &bytes).unwrap();
    let error = Initramfs::new(&program).unwrap_err().to_string();
    assert!(error.contains("/program needs the library nope.so.6"), "{error}");
}

/// A small program, if there is one, so that edits hit what is read.
static A_PROGRAM: LazyLock<Vec<u8>> =
    LazyLock::new(|| fs::read("/bin/true").or_else(|_| fs::read(dynamic_program())).unwrap());

proptest! {
    #[test]
    fn a_damaged_elf_file_never_panics(
        header in prop::collection::vec((0usize..1024, any::<u8>()), 0..4),
        anywhere in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = A_PROGRAM.clone();
        header.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        anywhere.into_iter().for_each(|(at, byte)| bytes[at.index(A_PROGRAM.len())] = byte);
        let _ = Elf::parse(&bytes);
        bytes.truncate(cut.index(A_PROGRAM.len()));
        let _ = Elf::parse(&bytes);
    }

    #[test]
    fn random_bytes_after_the_magic_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Elf::parse(&bytes);
        let n = bytes.len().min(7);
        bytes[..n].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1][..n]);
        // Segments of the right size, inside the file, so that the reader gets further.
        if bytes.len() > 64 {
            bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
            bytes[54..58].copy_from_slice(&[56, 0, 2, 0]);
        }
        let _ = Elf::parse(&bytes);
    }
}

#[test]
fn what_a_program_needs_is_itself_its_interpreter_and_its_libraries() {
    let program = dynamic_program();
    let found = needs(&program, &[]).unwrap();
    let elf = Elf::parse(&fs::read(&program).unwrap()).unwrap();
    assert_eq!(found[0], program);
    assert!(found.contains(&PathBuf::from(elf.interpreter.unwrap())), "{found:?}");
    for library in elf.needed {
        assert!(found.iter().any(|path| path.ends_with(&library)), "{library} in {found:?}");
    }
    // A folder that the loader is told of comes before its own.
    let dir = tempfile::tempdir().unwrap();
    let libc = found.iter().find(|path| path.ends_with("libc.so.6")).unwrap();
    fs::copy(libc, dir.path().join("libc.so.6")).unwrap();
    let told = needs(&program, &[dir.path().to_owned()]).unwrap();
    assert!(told.contains(&dir.path().join("libc.so.6")) && !told.contains(libc), "{told:?}");
    assert!(needs(Path::new("/etc/hostname"), &[]).is_err());
}
