use super::*;
use std::io::Write;
use std::process::{Command, Stdio};

fn sample() -> Vec<u8> {
    let mut archive = Archive::new();
    archive.directory("/tmp", 0o1777).unwrap();
    archive.device("dev/console", 0o600, DeviceKind::Character, 5, 1).unwrap();
    archive.device("dev/vda", 0o660, DeviceKind::Block, 254, 0).unwrap();
    archive.file("bin/odd", 0o755, b"12345").unwrap();
    archive.file("bin/empty", 0o644, b"").unwrap();
    archive.symlink("init", "bin/odd").unwrap();
    archive.finish()
}

/// Runs a program that reads the archive; `None`, with the reason printed, if this machine has no such program.
fn listed_by(program: &str, arguments: &[&str], archive: &[u8]) -> Option<String> {
    let child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: `{program}` is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(archive).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_first_header_is_as_documented() {
    let bytes = sample();
    let header: String = ["070701", "00000001", "000043FF", "00000000", "00000000", "00000002", "00000000"]
        .into_iter()
        .chain(["00000000", "00000000", "00000000", "00000000", "00000000", "00000004", "00000000"])
        .collect();
    assert_eq!(std::str::from_utf8(&bytes[..110]).unwrap(), header);
    assert_eq!(&bytes[110..116], b"tmp\0\0\0", "the name ends at a multiple of 4");
    assert_eq!(&bytes[116..122], b"070701");
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(sample(), bytes, "the same calls give the same bytes");
}

#[test]
fn the_systems_cpio_lists_it() {
    if let Some(list) = listed_by("cpio", &["-tv", "--quiet"], &sample()) {
        let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
        let name = |n: usize| lines[n].last().copied().unwrap();
        assert_eq!((lines[0][0], name(0)), ("drwxrwxrwt", "tmp"), "{list}");
        assert_eq!((lines[1][0], name(1)), ("drwxr-xr-x", "dev"), "{list}");
        assert_eq!((lines[2][0], lines[2][4], name(2)), ("crw-------", "5,", "dev/console"), "{list}");
        assert_eq!((lines[5][0], lines[5][4], name(5)), ("-rwxr-xr-x", "5", "bin/odd"), "{list}");
        assert!(list.contains("init -> bin/odd"), "{list}");
        assert_eq!(lines.len(), 8, "{list}");
    }
}

#[test]
fn bsdtar_lists_it() {
    if let Some(list) = listed_by("bsdtar", &["-tf", "-"], &sample()) {
        let names: Vec<&str> = list.lines().map(|name| name.trim_end_matches('/')).collect();
        assert_eq!(names, ["tmp", "dev", "dev/console", "dev/vda", "bin", "bin/odd", "bin/empty", "init"]);
    }
}

/// A reader of the format in another language, from its description.
const PYTHON_READER: &str = r#"
import sys
data, at = sys.stdin.buffer.read(), 0
while True:
    assert data[at:at + 6] == b"070701", at
    f = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    name = data[at + 110:at + 110 + f[11] - 1].decode()
    at = (at + 110 + f[11] + 3) // 4 * 4
    body = data[at:at + f[6]]
    at = (at + f[6] + 3) // 4 * 4
    if name == "TRAILER!!!":
        break
    print(f[0], oct(f[1]), f[9], f[10], name, body.decode())
assert at == len(data)
"#;

#[test]
fn a_reader_in_another_language_reads_it() {
    if let Some(list) = listed_by("python3", &["-c", PYTHON_READER], &sample()) {
        let expected = "1 0o41777 0 0 tmp \n2 0o40755 0 0 dev \n3 0o20600 5 1 dev/console \n\
                        4 0o60660 254 0 dev/vda \n5 0o40755 0 0 bin \n6 0o100755 0 0 bin/odd 12345\n\
                        7 0o100644 0 0 bin/empty \n8 0o120777 0 0 init bin/odd\n";
        assert_eq!(list, expected);
    }
}

#[test]
fn what_cannot_be_in_an_archive_is_refused() {
    let mut archive = Archive::new();
    for path in ["", "/", "a/../b", "./a", "a//b", "TRAILER!!!", "a\0b"] {
        assert_eq!(archive.file(path, 0o644, b""), Err(CpioError::Path(path.into())), "{path:?}");
    }
    archive.file("a/b", 0o644, b"").unwrap();
    assert_eq!(archive.file("/a/b", 0o644, b""), Err(CpioError::Twice("a/b".into())));
    assert_eq!(archive.symlink("a", "b"), Err(CpioError::Twice("a".into())));
    assert_eq!(archive.file("a/b/c", 0o644, b""), Err(CpioError::Twice("a/b".into())));
    assert_eq!(archive.symlink("l", ""), Err(CpioError::Path(String::new())));
    archive.directory("a", 0o700).unwrap();
    assert!(archive.contains("/a/b") && !archive.contains("a"));
}

#[test]
fn the_kernels_paths_have_a_limit() {
    let mut archive = Archive::new();
    assert!(archive.file(&"x".repeat(MAX_PATH), 0o644, b"").is_err());
    archive.file(&"x".repeat(MAX_PATH - 1), 0o644, b"").unwrap();
}
