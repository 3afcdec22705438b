//! `twowire lab`.

use super::print::{print_json, print_text};
use crate::lab::emulator::Accelerator;
use crate::lab::folder::Folder;
use crate::lab::plan::{Cabling, LabOptions, Nvram};
use crate::lab::status::LabStatus;
use crate::lab::{self, Lab, LabError};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use std::path::PathBuf;
use twowire_fabric::program::Failure;

/// Makes a cluster of virtual machines, looks at it, and breaks it.
#[derive(Subcommand, Debug)]
#[command(after_help = "Examples:\n  \
        twowire lab up --nodes 4 --topology clos\n  \
        twowire lab status\n  \
        twowire lab console n2\n  \
        twowire lab power cycle n2\n  \
        twowire lab cut x1.0:4\n  \
        twowire lab down")]
pub(super) enum LabCommand {
    /// Starts crossbars and machines; they go on until `lab down`
    Up(UpArgs),
    /// Shows the nodes, and the last line of each one's console
    Status(StatusArgs),
    /// Prints what a node has printed since it was switched on
    Console(NodeArgs),
    /// Switches nodes on and off
    #[command(subcommand)]
    Power(PowerCommand),
    /// Gives a node that is off another network card: it will be there with another unique id
    Swap(NodeArgs),
    /// Cuts cables, each by the name of a port: x1.0:4, or n2 for a node's
    Cut(StrikeArgs),
    /// Mends cables
    Mend(StrikeArgs),
    /// Ends all processes of the lab, and removes its folder
    Down(DownArgs),
}

/// Which lab is meant.
#[derive(Args, Debug)]
struct At {
    /// The lab's folder [default: twowire-lab in $XDG_RUNTIME_DIR, else twowire-lab-UID among temporary files]
    #[arg(long, value_name = "DIR")]
    at: Option<PathBuf>,
}

impl At {
    fn path(&self) -> PathBuf {
        self.at.clone().unwrap_or_else(Folder::default_path)
    }

    fn open(&self) -> Result<Lab, Failure> {
        Lab::open(&self.path()).map_err(failure)
    }
}

/// What a lab is made of, for `lab up` and `up --lab`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  twowire lab up --nodes 4 --topology clos\n  twowire lab up --topology torus:3x3 --nvram disk\n  \
        twowire lab up --nodes 2 --memory 192 --capture --at ./lab"
)]
pub(super) struct UpArgs {
    #[command(flatten)]
    at: At,
    /// Nodes besides the front end [default: as many hosts as the topology has, 4 for `clos`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=127))]
    nodes: Option<u16>,
    /// The cabling: clos, or what `xbar serve --topo` takes: torus:3x3, random:…, a .topo file
    #[arg(long, value_name = "TOPOLOGY", default_value = "clos")]
    topology: Cabling,
    /// Memory of each machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    memory: u64,
    /// Where machines keep their records: bar (memory of a PCI card) or disk
    #[arg(long, value_name = "KIND", default_value = "bar")]
    nvram: Nvram,
    /// Keeps all frames of each card in a file, for tcpdump and others
    #[arg(long)]
    capture: bool,
    /// How machines are emulated: kvm or tcg [default: kvm where a kernel is seen to start with it]
    #[arg(long, value_name = "KIND")]
    accelerator: Option<Accelerator>,
    /// The kernel, as /boot/vmlinuz-VERSION [default: the newest of Debian's for virtual machines]
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// The program bootnode, best a static one [default: that of `cargo xtask phase1`, else the one beside this program]
    #[arg(long, value_name = "FILE")]
    bootnode: Option<PathBuf>,
    /// More words for the kernels' command lines
    #[arg(long, value_name = "WORDS", default_value = "")]
    settings: String,
    /// More words for the image's kernel alone, as twowire.restart-alone=30s: lab nodes stay in phase 2 without a front end else
    #[arg(long, value_name = "WORDS", default_value = "")]
    image_settings: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// See `twowire lab status --help`.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    at: At,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// One node.
#[derive(Args, Debug)]
pub(super) struct NodeArgs {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    #[command(flatten)]
    at: At,
}

/// Nodes.
#[derive(Args, Debug)]
pub(super) struct NodesArgs {
    /// The nodes; all if none is named
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    at: At,
}

/// See `twowire lab power --help`.
#[derive(Subcommand, Debug)]
pub(super) enum PowerCommand {
    /// Switches nodes on
    On(NodesArgs),
    /// Cuts the power of nodes: what they have not written is lost
    Off(NodesArgs),
    /// Switches nodes off and on
    Cycle(NodesArgs),
}

/// Cables.
#[derive(Args, Debug)]
pub(super) struct StrikeArgs {
    /// The ports whose cables are meant
    #[arg(value_name = "PORT", required = true)]
    ports: Vec<String>,
    #[command(flatten)]
    at: At,
}

/// See `twowire lab down --help`.
#[derive(Args, Debug)]
pub(super) struct DownArgs {
    #[command(flatten)]
    at: At,
}

/// What went wrong, as the program says it.
pub(super) fn failure(error: LabError) -> Failure {
    match error {
        LabError::Usage(message) => Failure::Usage(message),
        other => Failure::failed(other),
    }
}

pub(super) fn run(command: LabCommand) -> Result<(), Failure> {
    match command {
        LabCommand::Up(args) => up(args),
        LabCommand::Status(args) => status(&args.at.open()?, args.json),
        LabCommand::Console(args) => print_text(&args.at.open()?.console(&args.node).map_err(failure)?),
        LabCommand::Power(command) => power(&command),
        LabCommand::Swap(args) => args.at.open()?.swap_card(&args.node).map_err(failure),
        LabCommand::Cut(args) => strike("cut", &args),
        LabCommand::Mend(args) => strike("mend", &args),
        LabCommand::Down(args) => {
            let ended = lab::down(&args.at.path()).map_err(failure)?;
            print_text(&format!("{ended} processes ended, {} removed\n", args.at.path().display()))
        }
    }
}

/// The options of a lab.
fn options(args: UpArgs) -> LabOptions {
    let usual = LabOptions::new(args.at.path(), 0);
    LabOptions {
        nodes: args.nodes.map(usize::from),
        cabling: args.topology,
        memory_mib: args.memory,
        nvram: args.nvram,
        capture: args.capture,
        accelerator: args.accelerator,
        kernel: args.kernel,
        bootnode: args.bootnode.unwrap_or(usual.bootnode),
        settings: args.settings,
        image_settings: args.image_settings,
        stays: true,
        at: usual.at,
        xbar: usual.xbar,
    }
}

fn up(args: UpArgs) -> Result<(), Failure> {
    let json = args.json;
    let lab = Lab::up(&options(args)).map_err(failure)?;
    if json {
        return print_json(&lab.status().map_err(failure)?);
    }
    status(&lab, false)?;
    let (folder, fabric) = (lab.folder(), lab.fabric());
    print_text(&format!(
        "\nMap it and boot it:\n  twowire up --fabric {fabric} --expect {} --image {} --key {} \\\n    --secret {}\n",
        folder.topology().display(),
        folder.image().display(),
        folder.public_key().display(),
        folder.secret().display(),
    ))
}

fn status(lab: &Lab, json: bool) -> Result<(), Failure> {
    let status = lab.status().map_err(failure)?;
    if json { print_json(&status) } else { print_text(&text(lab, &status)) }
}

fn text(lab: &Lab, status: &LabStatus) -> String {
    let plan = lab.plan();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(vec!["node", "power", "card", "console"]);
    for node in &status.nodes {
        let power = node.process.map_or("off".to_owned(), |process| format!("on, process {process}"));
        let card = if node.plugged { "plugged in" } else { "-" };
        table.add_row(vec![&node.name, &power, card, &node.says]);
    }
    let crossbars = if status.crossbars { "run" } else { "do not run" };
    format!(
        "lab        {}\nfabric     {} ({}); its crossbars {crossbars}\nmachines   {} of {} MiB by {}, NVRAM {}\n\n{table}\n",
        status.at,
        status.fabric,
        plan.cabling,
        plan.nodes.len(),
        plan.memory_mib,
        format!("{:?}", plan.accelerator).to_lowercase(),
        format!("{:?}", plan.nvram).to_lowercase(),
    )
}

fn power(command: &PowerCommand) -> Result<(), Failure> {
    let (PowerCommand::On(args) | PowerCommand::Off(args) | PowerCommand::Cycle(args)) = command;
    let lab = args.at.open()?;
    let nodes = if args.nodes.is_empty() { &lab.plan().nodes } else { &args.nodes };
    let act = |node: &String| match command {
        PowerCommand::On(_) => lab.power_on(node),
        PowerCommand::Off(_) => lab.power_off(node).map(drop),
        PowerCommand::Cycle(_) => lab.power_cycle(node),
    };
    nodes.iter().try_for_each(act).map_err(failure)
}

fn strike(what: &str, args: &StrikeArgs) -> Result<(), Failure> {
    let lab = args.at.open()?;
    args.ports.iter().try_for_each(|port| lab.strike(&format!("{what}:{port}"))).map_err(failure)
}
