//! `bootd`: the front end's program.

mod image_check;
mod serve;

use super::desk::Desk;
use super::public_key;
use super::show::Show;
use crate::board::journal::Journal;
use crate::board::metrics::{Exporter, MetricsTarget};
use crate::image::catalogue::{Catalogue, Purpose};
use crate::image::{ClusterPublicKey, PackedImage};
use crate::node_ranges::NodeRanges;
use crate::session::ServedImage;
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
pub(super) use image_check::ImageCheck;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use twowire_fabric::program::{Failure, interrupt, print};
use twowire_fabric::spec::FabricSpec;

/// Brings a signed image to all nodes at once, over their fabric alone.
///
/// On a source-routed fabric it loads the routes that `mapper` computed and sends the image along two trees; where the
/// fabric replicates frames it sends them once, with parity. Nodes need no address, no DHCP and no name.
#[derive(Parser, Debug)]
#[command(name = "bootd", version, after_help = EXAMPLES)]
struct Args {
    /// The fabric: xbar:PATH, raw:DEVICE, sim:pink, sim:FILE.topo, …
    #[arg(long, value_name = "FABRIC", required_unless_present = "completions")]
    fabric: Option<FabricSpec>,
    /// The image: `twowire image pack` makes it
    #[arg(long, value_name = "FILE", required_unless_present_any = ["completions", "images"])]
    image: Option<PathBuf>,
    /// Several images, by ranges of nodes: a list whose first line is `images 1`, then lines such as `n0-n511 compute.img` and
    /// `fallback all rescue.img`; `twowire image list` shows it
    #[arg(long, value_name = "LIST", conflicts_with_all = ["image", "fallback"])]
    images: Option<PathBuf>,
    /// The image for nodes on which the other one has used up its attempts without becoming ready
    #[arg(long, value_name = "FILE")]
    fallback: Option<PathBuf>,
    /// The cluster's public key; an image that it has not signed is not offered
    #[arg(long, value_name = "FILE", required_unless_present = "completions")]
    key: Option<PathBuf>,
    /// The cluster's secret: `twowire key secret` makes it. Only nodes that know it take part [default: all nodes]
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The fabric map that `mapper --topo-out` wrote, for a source-routed fabric
    #[arg(long, value_name = "FILE", requires = "routes")]
    topo: Option<PathBuf>,
    /// The routes that `mapper --routes-out` wrote
    #[arg(long, value_name = "FILE", requires = "topo")]
    routes: Option<PathBuf>,
    /// The host that is the front end [default: the one named `master`, else the first]
    #[arg(long, value_name = "HOST")]
    front_end: Option<String>,
    /// How many nodes there are to be, where no map says so: it ends when so many are ready [default: it serves until Ctrl-C]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// How long a node may take from the hand-over until its image reports that it is ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = super::duration)]
    ready_timeout: Duration,
    /// How long to wait for nodes that are missing once all others are ready
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::duration)]
    node_timeout: Duration,
    /// Keeps a log for each node in this folder
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Where Prometheus finds the numbers: ADDRESS:PORT to serve them under /metrics, or a file for a textfile collector
    #[arg(long, value_name = "WHERE")]
    metrics: Option<MetricsTarget>,
    /// Replays a run on a simulated fabric
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Prints a line of JSON for each change, and a last one for all, also on a terminal
    #[arg(long)]
    json: bool,
    /// Prints a completion script for a shell, and ends
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

const EXAMPLES: &str = "Without --json a terminal shows a live table of the nodes, grouped by state and trouble.\n\
    Exit status: 0 all nodes are ready; 1 it failed, or some nodes did; 2 for a wrong command line; 130 after Ctrl-C.\n\n\
    Examples:\n  \
    bootd --fabric raw:eth1 --image node.img --key cluster.key.pub --nodes 16\n  \
    bootd --fabric raw:eth1 --image node.img --fallback rescue.img --key cluster.key.pub --nodes 16\n  \
    bootd --fabric raw:eth1 --images images.txt --key cluster.key.pub\n  \
    bootd --fabric xbar:/run/pink --topo pink.topo --routes pink.routes --image node.img --key cluster.key.pub\n  \
    bootd --fabric sim:pink.topo --topo pink.topo --routes pink.routes --image node.img --key cluster.key.pub --json\n  \
    bootd --fabric raw:eth1 --image node.img --key cluster.key.pub --log-dir /var/log/bootd --metrics 127.0.0.1:9464";

/// Runs the program on the command line of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    run(&args).map_or_else(|failure| failure.report("bootd"), |()| ExitCode::SUCCESS)
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "bootd", &mut script);
        return print(|out| out.write_all(&script));
    }
    let (Some(fabric), Some(key)) = (&args.fabric, &args.key) else {
        return Err(Failure::usage("--fabric and --key are needed"));
    };
    interrupt::catch();
    let key = public_key(key)?;
    let (images, checks) = served_images(args, &key)?;
    let label = match (&args.images, &images[..]) {
        (None, [first, ..]) => {
            let manifest = first.image.manifest();
            format!("{} (version {}, {} bytes)", manifest.name(), manifest.version(), manifest.payload_len())
        }
        (_, images) => format!("{} images", images.len()),
    };
    let mut desk = Desk::new(label, checks, Show::new(args.json), journal(args)?, exporter(args)?);
    serve::serve(args, fabric, images, &key, &mut desk)
}

/// The images, which the cluster's key must have signed. Their hashes are checked later, if need be.
fn served_images(args: &Args, key: &ClusterPublicKey) -> Result<(Vec<ServedImage>, Vec<ImageCheck>), Failure> {
    let served = |file: &Path, purpose: Purpose, nodes: NodeRanges| {
        let image = PackedImage::open_unhashed(file).map_err(Failure::failed)?;
        image.verify(key).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?;
        let check = ImageCheck::new(file, image.clone());
        Ok((ServedImage { image, purpose, nodes }, check))
    };
    if let Some(list) = &args.images {
        let catalogue = Catalogue::open(list).map_err(Failure::failed)?;
        if catalogue.entries().is_empty() {
            let what = "it names no image; write lines such as `all node.img` below `images 1`";
            return Err(Failure::Failed(format!("{}: {what}", list.display())));
        }
        let entries = catalogue.entries().iter();
        return entries.map(|entry| served(&entry.file, entry.purpose, entry.nodes.clone())).collect();
    }
    let for_all = [(&args.image, Purpose::Normal), (&args.fallback, Purpose::Fallback)];
    let given = for_all.into_iter().filter_map(|(file, purpose)| Some((file.as_ref()?, purpose)));
    given.map(|(file, purpose)| served(file, purpose, NodeRanges::all())).collect()
}

#[expect(clippy::disallowed_methods, reason = "a log has the time of day")]
fn journal(args: &Args) -> Result<Option<Journal>, Failure> {
    let Some(dir) = &args.log_dir else { return Ok(None) };
    let open = Journal::open(dir, SystemTime::now());
    open.map(Some).map_err(|error| Failure::Failed(format!("cannot keep logs in {}: {error}", dir.display())))
}

fn exporter(args: &Args) -> Result<Option<Exporter>, Failure> {
    args.metrics.as_ref().map(Exporter::start).transpose().map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
