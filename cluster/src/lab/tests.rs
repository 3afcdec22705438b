//! What needs no machines; whole labs are in `hwtests/tests/lab.rs`.

use super::plan::{Cabling, Nvram};
use super::*;

/// Options whose programs are there, and perhaps the emulator; an error of these is no answer to what a test asks.
fn options(at: &Path) -> LabOptions {
    let folder = at.parent().unwrap();
    for name in ["bootnode", "noded", "mpirun"] {
        fs::write(folder.join(name), "").unwrap();
    }
    LabOptions {
        xbar: folder.join("noded"),
        bootnode: folder.join("bootnode"),
        accelerator: Some(emulator::Accelerator::Tcg),
        ..LabOptions::new(at.to_owned(), 4)
    }
}

/// What it says, unless this machine has no emulator.
fn refusal(options: &LabOptions) -> Option<String> {
    match Lab::up(options) {
        Err(LabError::Emulator(missing)) => {
            eprintln!("skipped: {missing}");
            None
        }
        refused => Some(refused.unwrap_err().to_string()),
    }
}

#[test]
fn what_cannot_be_is_one_line_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("lab");
    let good = options(&at);
    let torus: Cabling = "torus:2x2".parse().unwrap();
    let cases = [
        (LabOptions { memory_mib: 1 << 30, ..good.clone() }, "give --nodes or --memory less"),
        (LabOptions { memory_mib: 64, ..good.clone() }, "--memory 64: a machine needs at least 192 MiB"),
        (LabOptions { cabling: torus, nodes: Some(7), ..good.clone() }, "has 3 hosts besides the front end"),
        (LabOptions { xbar: "/no/xbar".into(), ..good.clone() }, "the program /no/xbar is missing"),
        (LabOptions { bootnode: "/no/bootnode".into(), ..good.clone() }, "the program /no/bootnode is missing"),
        (LabOptions { kernel: Some("/no/vmlinuz-1".into()), ..good.clone() }, "/no/vmlinuz-1: expected a file"),
    ];
    for (options, expected) in cases {
        let Some(said) = refusal(&options) else { return };
        assert!(said.contains(expected) && !said.contains('\n'), "{said}");
        assert!(!at.exists(), "{said}");
    }
}

#[test]
fn a_folder_is_a_labs_or_empty() {
    let dir = tempfile::tempdir().unwrap();
    let error = Lab::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("there is no lab in") && error.contains("twowire lab up"), "{error}");
    assert!(matches!(down(dir.path()), Err(LabError::NoLab(_))));
    let folder = Folder::create(dir.path()).unwrap();
    fs::write(dir.path().join("mine"), "").unwrap();
    assert!(matches!(Folder::create(dir.path()), Err(LabError::NotALab(_))));
    fs::write(dir.path().join("lab.json"), "{").unwrap();
    assert!(matches!(Folder::create(dir.path()), Err(LabError::Exists(_))));
    let error = Lab::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("twowire lab down"), "{error}");
    assert_eq!(down(dir.path()).unwrap(), 0);
    assert!(!folder.path().exists());
}

#[test]
fn a_machine_has_the_nvram_and_the_card_that_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::create(dir.path()).unwrap();
    let kernel = emulator::Kernel { image: "/boot/k".into(), modules: "/m".into() };
    let words = |nvram: Nvram| {
        let plan = LabPlan {
            cabling: "clos".into(),
            front_end: "master".into(),
            nodes: vec!["n0".into(), "n1".into()],
            memory_mib: 256,
            nvram,
            capture: true,
            accelerator: emulator::Accelerator::Tcg,
            kernel: kernel.clone(),
            xbar: "xbar".into(),
            bootnode: "bootnode".into(),
            settings: "x=1".into(),
            image_settings: String::new(),
        };
        folder.write_plan(&plan).unwrap();
        assert_eq!(folder.read_plan().unwrap(), plan);
        machine::make(&folder, &plan, "n1").unwrap();
        let command = machine::command(&folder, &plan, "n1", &[]).unwrap();
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let bar = words(Nvram::Bar);
    for part in ["ivshmem-plain", "mac=02:54:57:01:00:01", "twowire.fabric=wire:eth0", "resource2 x=1", "n1.pcap"] {
        assert!(bar.contains(part), "{part} is not in {bar}");
    }
    machine::swap_card(&folder, "n1").unwrap();
    let disk = words(Nvram::Disk);
    assert!(disk.contains("virtio-blk-pci") && disk.contains("twowire.nvram=block:/dev/vda"), "{disk}");
}
