//! The command line: options of the whole job, and programs between colons.

use crate::completions;
use crate::hosts::Hosts;
use crate::report::Wanted;
use mpi_abi::launch::board::Board;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// What `mpirun --help` prints.
pub(crate) const HELP: &str = "\
Starts the processes of an MPI job on this machine, and ends with the exit code of the first that failed.

Usage: mpirun [OPTIONS] PROGRAM [ARGUMENTS] [: [OPTIONS] PROGRAM [ARGUMENTS]]...

Options of each program (those before the first one also hold for the others):
  -n, -np, -c N            Processes [default: 1]
  -x, -env NAME[=VALUE]    Sets an environment variable (`-env NAME VALUE` too); a NAME alone stays as it is
  --wdir, -wdir DIR        Starts the processes in DIR

Options of the job:
  -genv NAME[=VALUE]       Sets an environment variable for all programs
  -l, --label, --tag-output
                           Begins each line of output with the rank that wrote it
  --bind-to core|none      Gives each rank a processor of its own, in turn [default: none]
  --timeout SECONDS        Says what the ranks wait for and ends the job after so long, with exit code 124
  --stuck-after SECONDS    Says what the ranks wait for when one of them has waited for so long; 0: never
                           [default: when no rank has been able to go on for 10 s]
  --report[=FILE]          Prints at the end which calls the ranks made, how long they took, and who sent how much to
                           whom; into FILE as well: a picture if its name ends in .svg, numbers if in .json. Can be
                           given several times
  --json                   With --report: prints JSON in place of tables
  --hosts HOST[:RANKS],... Starts the job on these hosts, where `noded` runs: names in the map or in /etc/ethers, or
                           addresses of network cards; so many ranks on each [default: 1], all if -n is left out
  --map FILE               The fabric map that has the names; without --hosts all its hosts
  --routes FILE            The fabric's routes, where hosts are found by routes
  --via FABRIC             The network device by which the hosts reach each other, as raw:eth1; or the front end's place
                           at crossbars, as xbar:/run/pink
  --secret FILE            The cluster's secret, which the hosts must have too; --insecure does without
  --completions SHELL      Prints a completion script for bash, zsh or fish
  -h, --help               Prints this
  -V, --version            Prints the version

Standard input goes to rank 0. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR2, SIGTSTP and SIGCONT are passed on. At SIGUSR1
mpirun says what each rank waits for, and passes it on to the ranks that catch it.
A rank that fails, is killed, or ends without MPI_Finalize ends the job.

Examples:
  mpirun -n 4 ./solver input.dat
  mpirun -l -n 1 ./master : -n 3 -x LOG=info ./worker
  mpirun -n 64 --stuck-after 60 ./solver &  kill -USR1 $!
  mpirun -n 8 --report=bytes.svg ./solver
  mpirun --hosts a,b:4,c --via raw:eth1 --secret cluster.secret ./solver
  mpirun --via xbar:/run/pink --map pink.topo --routes pink.routes --secret cluster.secret ./solver
";

/// A job, as it was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The programs, in the order of their ranks.
    pub(crate) programs: Vec<Program>,
    /// Lines of output begin with their rank.
    pub(crate) label: bool,
    /// Each rank gets a processor of its own.
    pub(crate) bind: bool,
    /// The job is ended after so long.
    pub(crate) timeout: Option<Duration>,
    /// A rank that waits for so long makes us say what the ranks wait for; never if it is zero.
    pub(crate) stuck_after: Option<Duration>,
    /// What the ranks did in MPI is reported.
    pub(crate) report: Option<Wanted>,
    /// The hosts that it runs on, and which of its ranks run here.
    pub(crate) hosts: Hosts,
}

/// A program of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// How many processes run it.
    pub(crate) ranks: u32,
    /// That number was said.
    counted: bool,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Environment variables that are set.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) directory: Option<PathBuf>,
}

impl Plan {
    /// Processes of the job.
    pub(crate) fn ranks(&self) -> u32 {
        self.programs.iter().map(|program| program.ranks).sum()
    }

    /// True if it was said how many processes there are. If not, a job on several hosts fills them.
    pub(crate) fn is_counted(&self) -> bool {
        !matches!(&self.programs[..], [program] if !program.counted)
    }
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Run(Plan),
    Help,
    /// A completion script.
    Completions(String),
    Version,
}

/// The most processes that a job can have.
const MOST_RANKS: u32 = Board::MOST_RANKS;

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, String> {
    let mut parser = Parser { arguments: arguments.into_iter().collect::<Vec<_>>().into_iter(), ..Parser::default() };
    while let Some(argument) = parser.arguments.next() {
        match parser.option(&argument)? {
            Outcome::Taken => {}
            Outcome::Ends(request) => return Ok(request),
            Outcome::Program => parser.program(argument)?,
        }
    }
    parser.finish()
}

/// What an argument was.
enum Outcome {
    Taken,
    Program,
    Ends(Request),
}

#[derive(Default)]
struct Parser {
    arguments: std::vec::IntoIter<OsString>,
    plan: Plan,
    all: Vec<(OsString, OsString)>,
    ranks: Option<u32>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
}

impl Parser {
    fn option(&mut self, argument: &OsStr) -> Result<Outcome, String> {
        let text = argument.to_string_lossy().into_owned();
        if !text.starts_with('-') {
            return Ok(Outcome::Program);
        }
        let (name, glued) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(OsString::from(value))),
            _ => (text, None),
        };
        match name.as_str() {
            "-n" | "-np" | "--np" | "-c" => {
                let count = self.value(&name, glued)?;
                self.ranks = Some(number(&name, &count, 1, MOST_RANKS)?);
            }
            "-x" | "-env" | "--env" => {
                let variable = self.variable(&name, glued)?;
                self.environment.extend(variable);
            }
            "-genv" | "--genv" => {
                let variable = self.variable(&name, glued)?;
                self.all.extend(variable);
            }
            "--wdir" | "-wdir" | "--wd" | "-wd" => self.directory = Some(self.value(&name, glued)?.into()),
            "-l" | "--label" | "--tag-output" => self.plan.label = true,
            "--bind-to" | "-bind-to" => {
                let place = self.value(&name, glued)?;
                self.plan.bind = match place.to_str() {
                    Some("core" | "hwthread") => true,
                    Some("none") => false,
                    _ => return Err(format!("{name} {}: expected core or none", place.display())),
                };
            }
            "--timeout" | "-timeout" => {
                let seconds = self.value(&name, glued)?;
                self.plan.timeout = Some(Duration::from_secs(number(&name, &seconds, 1, u32::MAX)?.into()));
            }
            "--stuck-after" => {
                let seconds = self.value(&name, glued)?;
                self.plan.stuck_after = Some(Duration::from_secs(number(&name, &seconds, 0, u32::MAX)?.into()));
            }
            "--report" => {
                let wanted = self.plan.report.get_or_insert_default();
                if let Some(file) = glued {
                    wanted.add(file.into())?;
                }
            }
            "--json" => self.plan.report.get_or_insert_default().json = true,
            "--completions" => {
                let shell = self.value(&name, glued)?;
                return Ok(Outcome::Ends(Request::Completions(completions::script(&shell)?)));
            }
            "-h" | "--help" => return Ok(Outcome::Ends(Request::Help)),
            "-V" | "--version" => return Ok(Outcome::Ends(Request::Version)),
            _ => self.option_of_hosts(&name, glued)?,
        }
        Ok(Outcome::Taken)
    }

    /// An option that says on which hosts the job runs; there are no others.
    fn option_of_hosts(&mut self, name: &str, mut glued: Option<OsString>) -> Result<(), String> {
        let mut hosts = std::mem::take(&mut self.plan.hosts);
        let taken = hosts.option(name, &mut || self.value(name, glued.take()));
        self.plan.hosts = hosts;
        if taken? { Ok(()) } else { Err(format!("unknown option {name}; `mpirun --help` lists them")) }
    }

    fn value(&mut self, name: &str, glued: Option<OsString>) -> Result<OsString, String> {
        glued.or_else(|| self.arguments.next()).ok_or_else(|| format!("{name}: a value must follow"))
    }

    /// `NAME=VALUE`, `NAME` (it stays as it is) or, for the options that Hydra has, `NAME VALUE`.
    fn variable(&mut self, option: &str, glued: Option<OsString>) -> Result<Option<(OsString, OsString)>, String> {
        let text = self.value(option, glued)?;
        if let Some((name, value)) = text.to_string_lossy().split_once('=') {
            return Ok(Some((name.into(), value.into())));
        }
        match option {
            "-x" => Ok(None),
            _ => Ok(Some((text, self.value(option, None)?))),
        }
    }

    /// A program, and its arguments up to a colon.
    fn program(&mut self, name: OsString) -> Result<(), String> {
        let mut command = vec![name];
        command.extend(self.arguments.by_ref().take_while(|argument| argument != ":"));
        let counted = self.ranks.is_some();
        let ranks = self.ranks.take().unwrap_or(1);
        let room = MOST_RANKS - self.plan.ranks();
        if ranks > room {
            return Err(format!("a job has at most {MOST_RANKS} processes"));
        }
        let (environment, directory) = (std::mem::take(&mut self.environment), self.directory.take());
        self.plan.programs.push(Program { ranks, counted, command, environment, directory });
        Ok(())
    }

    fn finish(mut self) -> Result<Request, String> {
        let Some(first) = self.plan.programs.first() else {
            return Err("no program; `mpirun --help` says how to name one".to_owned());
        };
        if self.ranks.is_some() || !self.environment.is_empty() || self.directory.is_some() {
            return Err("options without a program behind them".to_owned());
        }
        // What is said before the first program holds for the others unless they say otherwise.
        let (environment, directory) = (first.environment.clone(), first.directory.clone());
        for (index, program) in self.plan.programs.iter_mut().enumerate() {
            let inherited = if index == 0 { &[][..] } else { &environment };
            let own = std::mem::take(&mut program.environment);
            program.environment = self.all.iter().chain(inherited).cloned().chain(own).collect();
            program.directory = program.directory.take().or_else(|| directory.clone());
        }
        if let Some(size) = self.plan.hosts.size() {
            self.be_part(size)?;
        }
        Ok(Request::Run(self.plan))
    }

    /// This starts some ranks of a job of so many. What concerns the whole job is the affair of whoever sees it whole.
    fn be_part(&mut self, size: u32) -> Result<(), String> {
        let room = 1..=MOST_RANKS;
        if let ([program], true) = (&mut self.plan.programs[..], room.contains(&size))
            && !program.counted
        {
            program.ranks = size;
        }
        if self.plan.ranks() != size {
            return Err(format!("--part, --over: the programs have {} ranks, not {size}", self.plan.ranks()));
        }
        self.plan.timeout = None;
        self.plan.stuck_after.get_or_insert(Duration::ZERO);
        Ok(())
    }
}

fn number(name: &str, text: &OsStr, least: u32, most: u32) -> Result<u32, String> {
    let parsed = text.to_str().and_then(|text| text.parse().ok());
    parsed
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{name} {}: expected a number from {least} to {most}", text.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Plan {
        match parse(line.split(' ').map(OsString::from)) {
            Ok(Request::Run(plan)) => plan,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn error(line: &str) -> String {
        parse(line.split_whitespace().map(OsString::from)).unwrap_err()
    }

    #[test]
    fn options_end_where_the_program_begins() {
        let plan = run("-n 4 --label prog -n 7 --label");
        assert_eq!((plan.ranks(), plan.label), (4, true));
        assert_eq!(plan.programs[0].command, ["prog", "-n", "7", "--label"]);
    }

    #[test]
    fn programs_stand_between_colons() {
        let plan = run("-x A=1 -genv G 2 -wdir /tmp -np 2 one x : -n 3 -x A=3 --wdir=/ two : three");
        assert_eq!(plan.programs.iter().map(|p| p.ranks).collect::<Vec<_>>(), [2, 3, 1]);
        let variables = |index: usize| -> Vec<String> {
            let pairs = plan.programs[index].environment.iter();
            pairs.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
        };
        assert_eq!(variables(0), ["G=2", "A=1"]);
        assert_eq!(variables(1), ["G=2", "A=1", "A=3"]);
        let directories: Vec<_> = plan.programs.iter().map(|p| p.directory.clone().unwrap()).collect();
        assert_eq!(directories, [PathBuf::from("/tmp"), "/".into(), "/tmp".into()]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(error("").contains("no program"));
        assert!(error("-n 0 a").contains("-n 0: expected a number from 1 to 1008"));
        assert!(error("-n").contains("-n: a value must follow"));
        assert!(error("--frobnicate a").contains("unknown option --frobnicate"));
        assert!(error("--bind-to socket a").contains("expected core or none"));
        assert!(error("-n 1008 a : b").contains("at most 1008"));
        assert!(error("a : -n 3").contains("without a program"));
        assert!(error("--report=x.png a").contains("--report=x.png: expected a name that ends in .svg or .json"));
        assert!(error("--stuck-after soon a").contains("--stuck-after soon: expected a number from 0"));
    }

    #[test]
    fn a_part_of_a_job_on_several_hosts() {
        let plan = run("--part 2,3,5,77,8,9 --hosts a:2,b:3 --via raw:e0 --insecure --timeout 9 a");
        assert_eq!((plan.ranks(), plan.hosts.ranks_here(5), plan.hosts.are_wanted()), (5, 2..5, false));
        assert_eq!((plan.timeout, plan.stuck_after), (None, Some(Duration::ZERO)));
        assert!(error("--part 2,3,5,77,8,9 -n 4 a").contains("have 4 ranks, not 5"));
        assert!(!run("--hosts a:2,b:3 a").is_counted() && run("--hosts a,b -n 2 a").is_counted());
    }

    #[test]
    fn reports_are_asked_for() {
        assert_eq!(run("-n 2 a --report").report, None);
        let wanted = |line: &str| run(line).report.expect("a report");
        assert_eq!(wanted("--report a"), Wanted::default());
        assert_eq!(wanted("--report=a.svg --report=b.json a").files, ["a.svg", "b.json"].map(PathBuf::from));
        assert!(wanted("--json a").json);
        assert_eq!(run("--stuck-after 0 a").stuck_after, Some(Duration::ZERO));
    }
}
