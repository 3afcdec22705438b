//! `twowire phase2`.

use super::print::{print_json, print_text};
use clap::Args;
use std::path::PathBuf;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::initramfs::phase2::{Phase2Request, pack};

/// Packs an initramfs for an image whose nodes run what the front end sends them.
#[derive(Args, Debug)]
#[command(
    after_help = "Neither key nor secret is in it: an image travels in the clear, and phase 1 hands them over within the node.\n\n\
                  Example (`cargo xtask phase1` builds the static programs):\n  \
                  twowire phase2 --bootnode target/x86_64-unknown-linux-gnu/phase1/bootnode \\\n      \
                  --modules-from /lib/modules/6.1.0 --module virtio_pci,virtio_net -o phase2.img\n  \
                  twowire image pack --kernel /boot/vmlinuz-6.1.0 --initrd phase2.img --key cluster.key -o node.img"
)]
pub(super) struct Phase2Args {
    /// The program bootnode, best a static one, with noded and mpirun beside it [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    bootnode: Option<PathBuf>,
    /// The modules of the image's kernel, as /lib/modules/VERSION
    #[arg(long, value_name = "DIR", requires = "module")]
    modules_from: Option<PathBuf>,
    /// The modules that the node needs to reach the fabric and its NVRAM; what they need comes with them
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "modules_from")]
    module: Vec<String>,
    /// Where the initramfs goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Phase2Args) -> Result<(), Failure> {
    let beside = || std::env::current_exe().map(|own| own.with_file_name("bootnode")).map_err(Failure::failed);
    let bootnode = args.bootnode.clone().map_or_else(beside, Ok)?;
    let report = pack(&Phase2Request {
        bootnode: &bootnode,
        programs: [&bootnode.with_file_name("noded"), &bootnode.with_file_name("mpirun")],
        modules: args.modules_from.as_deref().map(|dir| (dir, &args.module[..])),
        output: &args.output,
    });
    let report = report.map_err(Failure::failed)?;
    if args.json {
        return print_json(&report);
    }
    let modules = if report.modules.is_empty() { "none".to_owned() } else { report.modules.join(" ") };
    let (file, packed, unpacked) = (report.file.display(), report.initramfs_bytes, report.unpacked_bytes);
    print_text(&format!("initramfs  {file} ({packed} bytes, {unpacked} unpacked)\nmodules    {modules}\n"))
}
