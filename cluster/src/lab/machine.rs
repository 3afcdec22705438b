//! A machine: the emulator's command line.

use super::LabError;
use super::emulator::QEMU;
use super::flash::phase1_cmdline;
use super::folder::Folder;
use super::plan::{LabPlan, Nvram};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use twowire_fabric::raw::Mac;

/// The fabric, for programs in a machine.
pub const FABRIC: &str = "wire:eth0";

/// Where the NVRAM is among a machine's PCI devices.
const NVRAM_SLOT: &str = "0x5";

/// Bytes of the memory of a PCI card.
const BAR_BYTES: u64 = 4096;

/// Bytes of a disk: two slots, and room.
const DISK_BYTES: u64 = 64 << 10;

/// The first bytes of a card's address: locally administered. The number of the card follows, then that of the node.
const CARDS: [u8; 3] = [0x02, 0x54, 0x57];

/// The NVRAM, for programs in a machine.
pub fn nvram_device(nvram: Nvram) -> &'static str {
    match nvram {
        Nvram::Bar => "bar:/sys/bus/pci/devices/0000:00:05.0/resource2",
        Nvram::Disk => "block:/dev/vda",
    }
}

/// Makes what a machine has before it is switched on for the first time: an NVRAM without a record, and a card.
pub(super) fn make(folder: &Folder, plan: &LabPlan, node: &str) -> Result<(), LabError> {
    let file = folder.nvram(node);
    let bytes = match plan.nvram {
        Nvram::Bar => BAR_BYTES,
        Nvram::Disk => DISK_BYTES,
    };
    File::create(&file).and_then(|nvram| nvram.set_len(bytes)).map_err(LabError::file("write", &file))?;
    let number = plan.nodes.iter().position(|other| other == node).unwrap_or(0) as u16;
    let ([a, b, c], [high, low]) = (CARDS, number.to_be_bytes());
    write_card(folder, node, Mac([a, b, c, 1, high, low]))
}

fn write_card(folder: &Folder, node: &str, mac: Mac) -> Result<(), LabError> {
    let file = folder.card(node);
    fs::write(&file, mac.to_string()).map_err(LabError::file("write", &file))
}

fn read_card(folder: &Folder, node: &str) -> Result<Mac, LabError> {
    let file = folder.card(node);
    let text = fs::read_to_string(&file).map_err(LabError::file("read", &file))?;
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let mac = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()).map(Mac);
    mac.ok_or_else(|| LabError::Process {
        what: file.display().to_string(),
        reason: format!("`{text}` is no address of a card"),
    })
}

/// Another card, with the next number.
pub(super) fn swap_card(folder: &Folder, node: &str) -> Result<(), LabError> {
    let Mac([a, b, c, number, high, low]) = read_card(folder, node)?;
    write_card(folder, node, Mac([a, b, c, number.wrapping_add(1), high, low]))
}

/// The emulator of a node's machine, its card plugged into the node's port by `xbar plug` with these words more.
pub(super) fn command(folder: &Folder, plan: &LabPlan, node: &str, words: &[String]) -> Result<Command, LabError> {
    let card = read_card(folder, node)?;
    let mut command = Command::new(&plan.xbar);
    command.arg("plug").args(words).arg(folder.socket()).args([node, "--", QEMU]);
    command.args(["-M", "q35", "-nodefaults", "-no-user-config", "-display", "none"]);
    command.args(plan.accelerator.arguments()).args(["-m", &plan.memory_mib.to_string()]);
    command.arg("-kernel").arg(&plan.kernel.image).arg("-initrd").arg(folder.phase1());
    command.args(["-append", &phase1_cmdline(plan)]);
    command.args(["-chardev", &format!("file,id=console,path={},append=on", option(&folder.console(node)))]);
    command.args(["-serial", "chardev:console"]);
    command.args(["-netdev", "dgram,id=net,local.type=fd,local.str={fd}"]);
    command.args(["-device", &format!("virtio-net-pci,netdev=net,mac={card},host_mtu={{mtu}},addr=0x4")]);
    let nvram = option(&folder.nvram(node));
    match plan.nvram {
        Nvram::Bar => command
            .args(["-object", &format!("memory-backend-file,id=nv,share=on,mem-path={nvram},size={BAR_BYTES}")])
            .args(["-device", &format!("ivshmem-plain,memdev=nv,addr={NVRAM_SLOT}")]),
        Nvram::Disk => command
            .args(["-drive", &format!("file={nvram},format=raw,if=none,id=nv,cache=writethrough")])
            .args(["-device", &format!("virtio-blk-pci,drive=nv,addr={NVRAM_SLOT}")]),
    };
    if plan.capture {
        let file = option(&folder.capture(node));
        command.args(["-object", &format!("filter-dump,id=dump,netdev=net,file={file}")]);
    }
    Ok(command)
}

/// A path in one of the emulator's options, where a comma ends a value unless it is doubled.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}
