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
