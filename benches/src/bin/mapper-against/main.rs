//! The mapper against OpenSM and `ibnetdiscover` on the same simulated InfiniBand subnets, and how its own routes and proof grow
//! with the fabric. `cargo xtask bench mapper --against opensm` builds what it needs and runs it.

mod ours;
mod run;
mod subnet;
mod table;
mod theirs;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use subnet::Network;
use table::Table;
use twowire_fabric::program::{Failure, interrupt};

/// Times the mapper and its rivals, in turns.
///
/// Every round starts an ibsim of its own for each program that brings a subnet up, so all begin with ports that are down.
///
/// Routes alone: the mapper's are timed on one core, so its CPU time is at most the time that it takes, which stands for it. OpenSM's are
/// what its process takes between two lines of its log, when its engine begins and when its tables are computed, before any is sent.
#[derive(Parser, Debug)]
#[command(
    name = "mapper-against",
    after_help = "Examples:\n  mapper-against --networks pink --rounds 5\n  mapper-against --networks 11664 --engines ftree --rounds 1\n  \
                  mapper-against --networks pink --growth 1024,11664,39366,93312"
)]
struct Args {
    /// The subnets: `pink`, or the hosts of a Clos of three levels, of crossbars of the least ports that will do
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',', value_parser = element::<String>, default_value = "pink")]
    networks: Vec<Option<String>>,
    /// OpenSM's engines
    #[arg(long, value_name = "ENGINES", value_delimiter = ',', value_parser = element::<String>, default_value = "minhop,updn,ftree")]
    engines: Vec<Option<String>>,
    /// Numbers of hosts for which routes and proof alone are timed
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = element::<u64>, default_value = "1024,11664,39366,93312")]
    growth: Vec<Option<u64>>,
    /// How often each program runs; the table has medians
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The folder of the program mapper
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    programs: PathBuf,
}

/// An element of a list; none for an empty one, so that `""` is the empty list.
fn element<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn main() -> ExitCode {
    run(&Args::parse()).map_or_else(|failure| failure.report("mapper-against"), |()| ExitCode::SUCCESS)
}

fn run(args: &Args) -> Result<(), Failure> {
    interrupt::catch();
    let work = tempfile::tempdir().map_err(Failure::failed)?;
    let mapper = std::path::absolute(args.programs.join("mapper")).map_err(Failure::failed)?;
    let mut table = Table::default();
    for name in args.networks.iter().flatten() {
        let network = Network::prepare(work.path(), name, &mapper)?;
        for _ in 0..args.rounds {
            ours::discover(&network, &mapper, &mut table)?;
            theirs::discover(&network, &mut table)?;
            ours::install(&network, &mapper, &mut table)?;
            for engine in args.engines.iter().flatten() {
                theirs::install(&network, engine, &mut table)?;
            }
            ours::route(name, &network.topology, &mapper, &mut table)?;
            if args.engines.iter().flatten().any(|engine| engine == "ftree") {
                theirs::route(&network, &mut table)?;
            }
        }
    }
    for &hosts in args.growth.iter().flatten() {
        let topology = subnet::clos(hosts)?;
        let file = work.path().join("growth.topo");
        std::fs::write(&file, topology.to_string()).map_err(Failure::failed)?;
        for _ in 0..args.rounds {
            ours::route(&format!("{hosts} hosts"), &file, &mapper, &mut table)?;
        }
    }
    table.print()
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::Parser;

    #[test]
    fn every_list_may_be_empty() {
        let lists = |text: &str| {
            let words = ["mapper-against", "--networks", text, "--engines", text, "--growth", text];
            let args = Args::try_parse_from(words).unwrap();
            let networks = args.networks.into_iter().flatten();
            let engines = args.engines.into_iter().flatten();
            (networks.collect::<Vec<_>>(), engines.count(), args.growth.into_iter().flatten().sum::<u64>())
        };
        assert_eq!(lists(""), (vec![], 0, 0));
        assert_eq!(lists("16,54"), (vec!["16".to_owned(), "54".to_owned()], 2, 70));
        assert!(Args::try_parse_from(["mapper-against", "--growth", "many"]).is_err());
    }
}
