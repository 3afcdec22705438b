//! What the machines boot: the phase-1 initramfs from their flash, and an image over the fabric.

use super::LabError;
use super::emulator::Kernel;
use super::folder::Folder;
use super::machine::{FABRIC, nvram_device};
use super::plan::{LabPlan, Nvram};
use std::path::Path;
use twowire_multicast_boot::image::command::{self, PackRequest};
use twowire_multicast_boot::initramfs::phase1::{Phase1Request, pack};
use twowire_multicast_boot::initramfs::phase2::{self, Phase2Request};

/// Bytes of a node's flash.
const FLASH: u64 = 16 << 20;

/// Makes the cluster's key and secret, the initramfs for the flash, and an image with the same kernel and the node's agent.
pub(super) fn make(folder: &Folder, plan: &LabPlan, bootnode: &Path) -> Result<(), LabError> {
    command::new_key(&folder.key()).map_err(failed)?;
    command::new_secret(&folder.secret()).map_err(failed)?;
    let mut modules = vec!["virtio_pci".to_owned(), "virtio_net".to_owned()];
    if plan.nvram == Nvram::Disk {
        modules.push("virtio_blk".to_owned());
    }
    let report = pack(&Phase1Request {
        bootnode,
        key: &folder.public_key(),
        secret: Some(&folder.secret()),
        modules: Some((&plan.kernel.modules, &modules)),
        debug_shell: None,
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
    phase2::pack(&Phase2Request {
        bootnode,
        programs: [&bootnode.with_file_name("noded"), &bootnode.with_file_name("mpirun")],
        modules: Some((&plan.kernel.modules, &modules)),
        output: &folder.phase2(),
    })
    .map_err(failed)?;
    pack_image(folder, plan, &NewImage { version: 1, initrd: &folder.phase2(), output: &folder.image(), words: "" })
}

/// An image for the nodes of a lab.
#[derive(Clone, Copy, Debug)]
pub struct NewImage<'a> {
    /// Its version.
    pub version: u64,
    /// Its initramfs.
    pub initrd: &'a Path,
    /// Where it goes.
    pub output: &'a Path,
    /// Words for its kernel's command line, besides those of the lab.
    pub words: &'a str,
}

/// Packs an image with the lab's kernel, signed with its key. Nodes stay in it until they are switched off, unless the words say something
/// else.
pub(super) fn pack_image(folder: &Folder, plan: &LabPlan, image: &NewImage<'_>) -> Result<(), LabError> {
    let nvram = nvram_device(plan.nvram);
    let words = format!(
        "twowire.nvram={nvram} twowire.restart-alone=0s {} {} {}",
        plan.settings, plan.image_settings, image.words
    );
    let cmdline = Kernel::cmdline(&words);
    let request = PackRequest {
        kernel: Some(&plan.kernel.image),
        initrd: Some(image.initrd),
        align: false,
        cmdline: cmdline.trim_end(),
        name: "lab",
        version: image.version,
        key: &folder.key(),
        output: image.output,
    };
    command::pack(&request).map(drop).map_err(failed)
}

/// What the kernel of phase 1 is told.
pub(super) fn phase1_cmdline(plan: &LabPlan) -> String {
    Kernel::cmdline(&format!("twowire.fabric={FABRIC} twowire.nvram={} {}", nvram_device(plan.nvram), plan.settings))
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::Flash(error.to_string())
}
