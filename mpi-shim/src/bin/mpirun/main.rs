//! `mpirun`: starts the processes of an MPI job on this machine; `mpirun --help`, `docs/mpi.md`.
//!
//! The job's memory is a file without a name that every rank inherits. On its first page (`mpi_abi::launch::board`) the
//! ranks note how far they have come, so that an end without `MPI_Finalize` is told from a good one. There is no
//! other connection between `mpirun` and the ranks: output goes straight to where ours goes unless lines are labelled.

mod args;
mod completions;
mod deadlock;
mod hosts;
mod output;
mod report;
mod spawn;
mod stuck;
mod sys;
mod watch;

use args::{Plan, Request};
use mpi_abi::launch::signals::{self, SignalSet};
use output::Stream;
use report::Sheet;
use spawn::{Memory, Places};
use std::collections::BTreeMap;
use std::io;
use std::process::{ChildStdin, ExitCode};
use watch::Job;

/// The exit code when a program cannot be started, as a shell's.
const NOT_STARTED: u8 = 127;

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Request::Completions(script)) => print!("{script}"),
        Ok(Request::Help) => print!("{}", args::HELP),
        Ok(Request::Version) => println!("mpirun (Twowire) {}", env!("CARGO_PKG_VERSION")),
        Ok(Request::Run(plan)) if plan.hosts.are_wanted() => {
            let Err(text) = plan.hosts.run(&plan, std::env::args_os().skip(1).collect());
            return fail(&text, 2);
        }
        Ok(Request::Run(plan)) if plan.hosts.is_over() => {
            return report_of_all(&plan).unwrap_or_else(|text| fail(&text, 1));
        }
        Ok(Request::Run(plan)) => return run(&plan).unwrap_or_else(|text| fail(&text, NOT_STARTED)),
        Err(text) => return fail(&text, 2),
    }
    ExitCode::SUCCESS
}

fn fail(text: &str, code: u8) -> ExitCode {
    eprintln!("mpirun: {text}");
    ExitCode::from(code)
}

/// The report of a job that has run on several hosts, from what its ranks wrote, which stands in the input.
fn report_of_all(plan: &Plan) -> Result<ExitCode, String> {
    let Some(wanted) = &plan.report else { return Ok(ExitCode::SUCCESS) };
    let text = report::text_of(io::stdin()).map_err(|error| format!("the report cannot be read: {error}"))?;
    report::show(&text, wanted, plan.ranks(), &(0..plan.ranks()))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a job to its end.
fn run(plan: &Plan) -> Result<ExitCode, String> {
    let no_job = |error: io::Error| format!("the job cannot be set up: {error}");
    plan.hosts.die_with_parent().map_err(no_job)?;
    let memory = Memory::create(plan.ranks()).map_err(no_job)?;
    // The ranks of a part write to whoever puts the parts' reports together.
    let wanted = plan.report.as_ref().filter(|_| plan.hosts.report().is_none());
    let sheet = wanted.map(|_| Sheet::create()).transpose().map_err(no_job)?;
    let holder = plan.report.as_ref().and_then(|_| plan.hosts.report()).or(sheet.as_ref().map(|sheet| sheet.holder));
    let places = Places::new(plan.bind).map_err(no_job)?;
    let heard = SignalSet::new(&watch::heard());
    let here = plan.hosts.ranks_here(plan.ranks());
    let mut job = Job {
        board: &memory.board,
        size: plan.ranks(),
        here: here.clone(),
        running: BTreeMap::new(),
        streams: Vec::new(),
        signals: signals::open(&heard).map_err(no_job)?,
        deadline: watch::after(plan.timeout),
        stuck: stuck::Watch::new(plan.stuck_after),
        code: 0,
        kill_at: None,
    };
    let programs = plan.programs.iter().zip(0..);
    let ranks = programs.flat_map(|(program, appnum)| (0..program.ranks).map(move |_| (program, appnum)));
    for ((program, appnum), rank) in ranks.zip(0..).filter(|(_, rank)| here.contains(rank)) {
        // The ranks that were started die with us if this one cannot be.
        let cannot = |error| format!("rank {rank} cannot be started: {}: {error}", program.command[0].display());
        let mut child =
            spawn::start(plan, program, (rank, appnum), (&memory, holder), &places, heard).map_err(cannot)?;
        job.running.insert(child.id().cast_signed(), rank);
        job.streams.extend(Stream::of(rank, &mut child).map_err(no_job)?);
        if let Some(input) = child.stdin.take() {
            feed(input);
        }
    }
    let code = job.watch();
    if let (Some(sheet), Some(wanted)) = (sheet, wanted) {
        let text = sheet.text().map_err(|error| format!("the report cannot be read: {error}"));
        if let Err(text) = text.and_then(|text| report::show(&text, wanted, plan.ranks(), &here)) {
            eprintln!("mpirun: {text}");
        }
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Hands the terminal's lines to rank 0. The thread ends with the process: it may wait for a line that nobody types.
fn feed(mut input: ChildStdin) {
    std::thread::spawn(move || io::copy(&mut io::stdin(), &mut input));
}
