use super::*;

fn random(len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(len as u64);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

#[test]
fn the_commands_work_together() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let key = new_key(&at("k")).unwrap();
    assert_eq!((key.public.clone(), key.key_id.len()), (at("k.pub"), 16));
    fs::write(at("initrd"), random(9000)).unwrap();
    let request = PackRequest {
        kernel: None,
        initrd: Some(&at("initrd")),
        align: false,
        cmdline: "quiet",
        name: "compute",
        version: 1,
        key: &at("k"),
        output: &at("img"),
    };
    let packed = pack(&request).unwrap();
    assert_eq!((packed.payload_bytes, packed.chunks, packed.file_bytes), (9000, 3, 13096));
    assert_eq!(verify(&at("img"), &at("k.pub")).unwrap(), packed);
    let inspected = inspect(&at("img")).unwrap();
    assert_eq!(inspected, ImageReport { signature_checked: false, ..packed });
    new_key(&at("other")).unwrap();
    let error = verify(&at("img"), &at("other.pub")).unwrap_err().to_string();
    assert!(error.contains("img: signed with key ") && error.contains("this cluster's key is"), "{error}");
    let error = new_key(&at("k")).unwrap_err().to_string();
    assert!(error.contains("/k exists: a key is never overwritten"), "{error}");
    let error = pack(&PackRequest { output: &at("no/img"), ..request.clone() }).unwrap_err();
    assert!(error.to_string().contains("cannot write") && error.to_string().contains("no/img"), "{error}");
    let error = pack(&PackRequest { align: true, ..request.clone() }).unwrap_err().to_string();
    assert!(error.contains("cannot align") && error.contains("initrd: it is no uncompressed `newc`"), "{error}");
    fs::write(at("images"), "images 1\nn0-n9 img\nfallback all img\n").unwrap();
    let listed = list(&at("images"), None).unwrap();
    let lines: Vec<_> = listed.iter().map(|line| (line.nodes.as_str(), line.fallback)).collect();
    assert_eq!(lines, [("n0-n9", false), ("n0-n2147483647", true)]);
    assert!(!listed[0].image.signature_checked && listed[0].image.payload_bytes == 9000);
    assert!(list(&at("images"), Some(&at("k.pub"))).unwrap()[1].image.signature_checked);
    assert!(list(&at("images"), Some(&at("other.pub"))).unwrap_err().to_string().contains("signed with key"));
    fs::write(at("images"), "images 1\nn0-n9 absent.img\n").unwrap();
    assert!(list(&at("images"), None).unwrap_err().to_string().contains("absent.img"));
    let error = inspect(&at("nothing")).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("nothing"), "{error}");
}

#[test]
fn a_half_written_key_pair_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("k.pub"), "mine").unwrap();
    let error = new_key(&dir.path().join("k")).unwrap_err();
    assert!(error.to_string().contains("k.pub exists"), "{error}");
    assert!(!dir.path().join("k").exists());
    assert_eq!(fs::read(dir.path().join("k.pub")).unwrap(), b"mine");
}
