//! `twowire phase1`.

use super::print::{print_json, print_text};
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::initramfs::phase1::{Phase1Report, Phase1Request, pack};

/// Packs what lies in a node's flash beside its kernel.
#[derive(Args, Debug)]
#[command(
    after_help = "The kernel starts bootnode, which reads its settings from the kernel's command line: each option --KEY as twowire.KEY=VALUE, \
                  besides twowire.mtu=BYTES and twowire.restart-after=TIME.\n\
                  Exit status: 0 it fits the flash, 1 it does not or cannot be built.\n\n\
                  Example (`cargo xtask phase1` builds a static bootnode first):\n  \
                  twowire phase1 --bootnode bootnode --key cluster.key.pub --kernel /boot/vmlinuz-6.1.0 \\\n      \
                  --modules-from /lib/modules/6.1.0 --module virtio_pci,virtio_net -o phase1.img\n  \
                  and on the kernel's command line: twowire.fabric=raw:eth0 twowire.nvram=/dev/nvram panic=10"
)]
pub(super) struct Phase1Args {
    /// The program bootnode, best a static one [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    bootnode: Option<PathBuf>,
    /// The cluster's public key: nodes boot only what it verifies
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The cluster's secret, where the front end lets none take part without it. Only you may read the initramfs then
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The modules of the flash's kernel, as /lib/modules/VERSION
    #[arg(long, value_name = "DIR", requires = "module")]
    modules_from: Option<PathBuf>,
    /// The modules that the node needs to reach the fabric and its NVRAM; what they need comes with them
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "modules_from")]
    module: Vec<String>,
    /// Adds a shell to look around with: `rdinit=/bin/sh` on the kernel's command line starts it, and `exec /init` in it goes on as usual
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "/bin/busybox")]
    debug_shell: Option<PathBuf>,
    /// The flash's kernel: counted, not copied
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// How much the flash holds, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    flash: u64,
    /// Where the initramfs goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Phase1Args) -> Result<(), Failure> {
    let beside = || std::env::current_exe().map(|own| own.with_file_name("bootnode")).map_err(Failure::failed);
    let bootnode = args.bootnode.clone().map_or_else(beside, Ok)?;
    let report = pack(&Phase1Request {
        bootnode: &bootnode,
        key: &args.key,
        secret: args.secret.as_deref(),
        modules: args.modules_from.as_deref().map(|dir| (dir, &args.module[..])),
        debug_shell: args.debug_shell.as_deref(),
        kernel: args.kernel.as_deref(),
        flash_bytes: args.flash << 20,
        output: &args.output,
    });
    let report = report.map_err(Failure::failed)?;
    if args.json {
        print_json(&report)?
    } else {
        print_text(&text(&report))?
    }
    if report.fits() {
        return Ok(());
    }
    let (total, flash) = (report.total_bytes(), report.flash_bytes);
    Err(Failure::Failed(format!(
        "{total} bytes do not fit the flash of {flash}: take a smaller kernel, fewer modules, or a static bootnode (`cargo xtask phase1`)"
    )))
}

fn text(report: &Phase1Report) -> String {
    let kernel = report.kernel_bytes.map_or("not given".to_owned(), |bytes| format!("{bytes} bytes"));
    let modules = if report.modules.is_empty() { "none".to_owned() } else { report.modules.join(" ") };
    format!(
        "initramfs  {} ({} bytes, {} unpacked)\nmodules    {modules}\nkernel     {kernel}\nflash      {} of {} bytes\n",
        report.file.display(),
        report.initramfs_bytes,
        report.unpacked_bytes,
        report.total_bytes(),
        report.flash_bytes,
    )
}
