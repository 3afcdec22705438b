//! What the machines boot: the phase-1 initramfs from their flash, and an image over the fabric.

use super::LabError;
use super::emulator::Kernel;
use super::folder::Folder;
use super::machine::{FABRIC, nvram_device};
use super::plan::{LabPlan, Nvram};
use std::path::Path;
use twowire_multicast_boot::image::command::{self, PackRequest};
use twowire_multicast_boot::initramfs::phase1::{Phase1Request, pack};

/// Bytes of a node's flash.
const FLASH: u64 = 16 << 20;

/// Makes the cluster's key, the initramfs and an image with the same kernel: told by its command line that it is phase 2, the initramfs
/// reports that it is ready.
pub(super) fn make(folder: &Folder, plan: &LabPlan, bootnode: &Path) -> Result<(), LabError> {
    command::new_key(&folder.key()).map_err(failed)?;
    let mut modules = vec!["virtio_pci".to_owned(), "virtio_net".to_owned()];
    if plan.nvram == Nvram::Disk {
        modules.push("virtio_blk".to_owned());
    }
    let report = pack(&Phase1Request {
        bootnode,
        key: &folder.public_key(),
        secret: None,
        modules: Some((&plan.kernel.modules, &modules)),
        kernel: Some(&plan.kernel.image),
        flash_bytes: FLASH,
        output: &folder.phase1(),
    });
    let report = report.map_err(failed)?;
    if !report.fits() {
        let (total, flash) = (report.total_bytes(), report.flash_bytes);
        let what = format!("kernel and initramfs have {total} bytes, more than the flash of {flash}");
        let remedy = "`cargo xtask phase1` builds a small bootnode; or give --bootnode FILE";
        return Err(LabError::Flash(format!("{what}: {} is large; {remedy}", bootnode.display())));
    }
    let cmdline = Kernel::cmdline(&format!("twowire.nvram={} {}", nvram_device(plan.nvram), plan.settings));
    let image = PackRequest {
        kernel: Some(&plan.kernel.image),
        initrd: Some(&folder.phase1()),
        align: false,
        cmdline: cmdline.trim_end(),
        name: "lab",
        version: 1,
        key: &folder.key(),
        output: &folder.image(),
    };
    command::pack(&image).map(drop).map_err(failed)
}

/// What the kernel of phase 1 is told.
pub(super) fn phase1_cmdline(plan: &LabPlan) -> String {
    Kernel::cmdline(&format!("twowire.fabric={FABRIC} twowire.nvram={} {}", nvram_device(plan.nvram), plan.settings))
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::Flash(error.to_string())
}
