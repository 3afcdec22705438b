//! MPI between two hosts: ours over raw frames, others over TCP, on the same pair of network namespaces.
//!
//! ```text
//! mpi-hosts --programs DIR [--mtu N]... [--rounds N] [--rivals openmpi,mpich]
//! ```
//! Rounds are interleaved, so that a noisy moment hits everybody; the table has medians, and the ratio to the best rival of each row: less
//! than 1 is good for times, more for bandwidths. Each rank has a core of its own. A rival that is not installed is left out.

mod mpis;

use clap::Parser;
use mpis::Mpi;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use twowire_hwtests::netns::{Network, Plan};

#[derive(Parser)]
struct Arguments {
    /// Where our mpirun and mpicc are.
    #[arg(long)]
    programs: PathBuf,
    /// MTUs of the devices; a network is made for each.
    #[arg(long, value_delimiter = ',', default_value = "1500,9000")]
    mtu: Vec<u32>,
    /// Measurements of each cell.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds for each cell.
    #[arg(long, default_value_t = 0.02)]
    seconds: f64,
    /// Whom to compare with, over TCP.
    #[arg(long, value_delimiter = ',', default_value = "openmpi,mpich")]
    rivals: Vec<String>,
}

/// Measurements: by what and how many bytes, and by whom.
type Cells = BTreeMap<(String, u64), BTreeMap<String, Vec<f64>>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for &mtu in &arguments.mtu {
        if let Err(error) = compare(&arguments, mtu) {
            eprintln!("mpi-hosts: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn compare(arguments: &Arguments, mtu: u32) -> Result<(), String> {
    let network = Network::new(Plan { addresses: true, ..Plan::new(2, mtu) }).map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut mpis = vec![Mpi::ours(&arguments.programs, &network, folder.path())?];
    for rival in &arguments.rivals {
        match Mpi::rival(rival, &network, folder.path()) {
            Ok(mpi) => mpis.push(mpi),
            Err(why) => eprintln!("{rival} is left out: {why}"),
        }
    }
    let mut cells = Cells::new();
    for _ in 0..arguments.rounds {
        for mpi in &mpis {
            for (what, bytes, value) in mpi.run(arguments.seconds)? {
                cells.entry((what, bytes)).or_default().entry(mpi.name.clone()).or_default().push(value);
            }
        }
    }
    println!("MTU {mtu}, medians of {}\n{}", arguments.rounds, table(&mpis, &cells));
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn table(mpis: &[Mpi], cells: &Cells) -> String {
    let mut text = format!("{:<10} {:>8}", "what", "bytes");
    mpis.iter().for_each(|mpi| text += &format!(" {:>10}", mpi.name));
    text += "      ratio\n";
    for ((what, bytes), values) in cells {
        let of = |mpi: &Mpi| values.get(&mpi.name).map(|values| median(values));
        text += &format!("{what:<10} {bytes:>8}");
        mpis.iter().for_each(|mpi| text += &of(mpi).map_or(format!(" {:>10}", "-"), |value| format!(" {value:>10.4}")));
        let better = if what == "latency" { f64::min } else { f64::max };
        let best = mpis[1..].iter().filter_map(of).reduce(better);
        text += &match (of(&mpis[0]), best) {
            (Some(ours), Some(best)) => format!(" {:>10.2}\n", ours / best),
            _ => "\n".to_owned(),
        };
    }
    text
}
