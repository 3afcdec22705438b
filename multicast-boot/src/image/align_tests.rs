use super::*;
use crate::cpio::Archive;
use std::process::{Command, Stdio};

/// An archive of large and small files.
fn archive(files: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut archive = Archive::new();
    for index in 0..files {
        let len = if index % 3 == 0 { 20_000 + 777 * index } else { 10 + 31 * index };
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        archive.file(&format!("lib/{}/file{index}", index % 4), 0o644, &bytes).unwrap();
    }
    archive.symlink("bin/link", "../lib/1/file1").unwrap();
    archive.finish()
}

/// Every entry's name without its zeros, and its data.
fn entries(archive: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(entry) = entry(archive, at) {
        let name = entry.plain_name().to_vec();
        found.push((name, entry.data.to_vec(), entry.data.as_ptr() as usize - archive.as_ptr() as usize));
        at = entry.next;
    }
    found
}

#[test]
fn the_same_files_at_multiples_of_a_chunk() {
    let before = archive(20);
    let after = align(&before).unwrap();
    let what = |archive: &[u8]| entries(archive).into_iter().map(|(name, data, _)| (name, data)).collect::<Vec<_>>();
    assert_eq!(what(&after), what(&before));
    for (name, data, at) in entries(&after) {
        assert!(data.len() < MIN_FILE || at.is_multiple_of(CHUNK), "{} at {at}", String::from_utf8_lossy(&name));
    }
    assert_eq!(align(&after).unwrap(), after, "what is aligned stays as it is");
}

/// Otherwise a file that is new at the beginning would change the headers of all that follow.
#[test]
fn only_hard_links_have_inode_numbers() {
    let mut linked = archive(20);
    let first = entries(&linked).iter().position(|(name, ..)| name.ends_with(b"file1")).unwrap();
    let (mut at, mut seen) = (0, Vec::new());
    for _ in 0..first {
        at = entry(&linked, at).unwrap().next;
    }
    set(&mut linked[at..], field::LINKS, 2);
    let aligned = align(&linked).unwrap();
    let mut at = 0;
    while let Some(entry) = entry(&aligned, at) {
        seen.extend(entry.number(field::INODE).filter(|&inode| inode > 0).map(|_| entry.plain_name().to_vec()));
        at = entry.next;
    }
    assert_eq!(seen, [b"lib/1/file1"]);
}

#[test]
fn cpio_reads_what_was_aligned() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = match Command::new("cpio")
        .args(["--extract", "--make-directories", "--quiet"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => return println!("skipped: cpio: {error}"),
    };
    let before = archive(9);
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &align(&before).unwrap()).unwrap();
    assert!(child.wait().unwrap().success());
    for (name, data, _) in entries(&before) {
        let path = directory.path().join(String::from_utf8(name).unwrap());
        if path.is_file() && !path.is_symlink() {
            assert_eq!(std::fs::read(&path).unwrap(), data, "{}", path.display());
        }
    }
    assert!(directory.path().join("lib/0/file8").is_file());
}

#[test]
fn what_follows_the_archive_is_kept() {
    let mut two = archive(3);
    let first = two.len();
    two.resize(first + 300, 0);
    two.extend_from_slice(b"\x1f\x8bcompressed");
    let aligned = align(&two).unwrap();
    assert!(aligned.ends_with(b"\0\x1f\x8bcompressed"));
    assert!((aligned.len() - 12).is_multiple_of(CHUNK));
    assert_eq!(align(&archive(3)).unwrap(), align(&[archive(3), vec![0; 500]].concat()).unwrap());
}

#[test]
fn what_is_no_archive_is_refused() {
    assert_eq!(align(b"\x1f\x8b\x08\0\0\0\0\0"), Err(AlignError::Format(vec![0x1f, 0x8b, 8, 0, 0, 0])));
    assert_eq!(align(b""), Err(AlignError::Format(vec![])));
    let good = archive(4);
    for cut in [6, 109, 111, good.len() - 60] {
        assert!(matches!(align(&good[..cut]), Err(AlignError::Entry(_))), "cut at {cut}");
    }
    let mut rng = fastrand::Rng::with_seed(2);
    for _ in 0..2000 {
        let mut bad = good.clone();
        let at = rng.usize(..bad.len().min(3000));
        bad[at] ^= 1 << rng.u8(..8);
        let _ = align(&bad);
    }
}
