//! `twowire image`.

use super::print::{print_json, print_text};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use twowire_fabric::program::Failure;
use twowire_multicast_boot::image::command::{self, ImageReport, ListedImage, PackRequest, PartReport};

/// Packs, inspects, verifies and lists images.
#[derive(Subcommand, Debug)]
#[command(after_help = "Examples:\n  \
        twowire image pack --kernel vmlinuz --initrd initrd.img --cmdline 'console=ttyS0' --key cluster.key -o node.img\n  \
        twowire image inspect node.img\n  \
        twowire image verify node.img --key cluster.key.pub\n  \
        twowire image list images.txt --key cluster.key.pub")]
pub(super) enum ImageCommand {
    /// Packs a kernel, an initramfs and a command line, and signs them
    Pack(PackArgs),
    /// Shows what an image holds; checks its hashes, not its signature
    Inspect(InspectArgs),
    /// Checks an image's hashes and signature
    Verify(VerifyArgs),
    /// Shows which image each node boots, by a list of them; checks every image
    List(ListArgs),
}

/// See `twowire image pack --help`.
#[derive(Args, Debug)]
pub(super) struct PackArgs {
    /// The phase-2 kernel
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// The phase-2 initramfs
    #[arg(long, value_name = "FILE", required_unless_present = "kernel")]
    initrd: Option<PathBuf>,
    /// Puts the larger files of an uncompressed initramfs at multiples of a chunk, so that a node fetches less of the
    /// next image
    #[arg(long, requires = "initrd")]
    align: bool,
    /// The phase-2 kernel's command line
    #[arg(long, value_name = "TEXT", default_value = "")]
    cmdline: String,
    /// The image's name
    #[arg(long, value_name = "NAME", default_value = "image")]
    name: String,
    /// The image's version
    #[arg(long, value_name = "N", default_value_t = 1)]
    image_version: u64,
    /// The cluster's secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the image goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// See `twowire image inspect --help`.
#[derive(Args, Debug)]
pub(super) struct InspectArgs {
    /// The image
    image: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// See `twowire image verify --help`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// The image
    image: PathBuf,
    /// The cluster's public key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// See `twowire image list --help`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The list: lines such as `n0-n511 compute.img`, `fallback all rescue.img`
    list: PathBuf,
    /// The cluster's public key, to check the signatures
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ImageCommand) -> Result<(), Failure> {
    let (report, json) = match &command {
        ImageCommand::Pack(args) => (command::pack(&request(args)), args.json),
        ImageCommand::Inspect(args) => (command::inspect(&args.image), args.json),
        ImageCommand::Verify(args) => (command::verify(&args.image, &args.key), args.json),
        ImageCommand::List(args) => return list(args),
    };
    let report = report.map_err(Failure::failed)?;
    if json { print_json(&report) } else { print_text(&text(&report)) }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let images = command::list(&args.list, args.key.as_deref()).map_err(Failure::failed)?;
    if args.json {
        return print_json(&images);
    }
    let line = |listed: &ListedImage| {
        let (purpose, image) = (if listed.fallback { "fallback" } else { "normal" }, &listed.image);
        let signature = if image.signature_checked { "verified" } else { "not checked" };
        let (nodes, name, version, bytes) = (&listed.nodes, &image.name, image.version, image.payload_bytes);
        format!("{purpose:<8}  {nodes:<20}  {name} version {version}, {bytes} bytes, signature {signature}\n")
    };
    print_text(&images.iter().map(line).collect::<String>())
}

fn request(args: &PackArgs) -> PackRequest<'_> {
    PackRequest {
        kernel: args.kernel.as_deref(),
        initrd: args.initrd.as_deref(),
        align: args.align,
        cmdline: &args.cmdline,
        name: &args.name,
        version: args.image_version,
        key: &args.key,
        output: &args.output,
    }
}

fn text(report: &ImageReport) -> String {
    let part = |part: &Option<PartReport>| match part {
        Some(part) => format!("{} bytes, BLAKE3 {}", part.bytes, part.blake3),
        None => "none".to_owned(),
    };
    let signature = if report.signature_checked { "verified" } else { "not checked: use `twowire image verify --key`" };
    format!(
        "image      {} ({} bytes)\nname       {}, version {}\nkernel     {}\ninitramfs  {}\ncmdline    {}\n\
         payload    {} bytes in {} chunks, BLAKE3 {}\nsigned by  key {} ({signature})\n",
        report.file.display(),
        report.file_bytes,
        report.name,
        report.version,
        part(&report.kernel),
        part(&report.initramfs),
        report.cmdline,
        report.payload_bytes,
        report.chunks,
        report.payload_blake3,
        report.key_id,
    )
}
