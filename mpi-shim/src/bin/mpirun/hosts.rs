//! Jobs on several hosts: `--hosts`, `--map`, `--via`. The job is `noded`'s then, which starts an `mpirun --part` on each host, and at the end,
//! if a report is wanted, an `mpirun --over`, which gets what all ranks wrote.

use crate::args::Plan;
use mpi_abi::launch::ticket::Holder;
use rustix::process::Pid;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::Command;
use twowire_fabric::parent::die_with;

/// What the options say of hosts, and the part of a job that this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// The options for `noded`, each with its value.
    options: Vec<OsString>,
    via: bool,
    trust: bool,
    part: Option<Part>,
    /// Processes of the job, which has ended.
    over: Option<u32>,
}

/// One host's ranks of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: u32,
    count: u32,
    size: u32,
    /// The process that started us, with which we die, and its file for what the ranks report.
    parent: Holder,
}

/// What is given where a value is needed.
type Value<'a> = &'a mut dyn FnMut() -> Result<OsString, String>;

impl Hosts {
    /// Takes an option, if it is one of these; false if not.
    pub(crate) fn option(&mut self, name: &str, value: Value<'_>) -> Result<bool, String> {
        let option = match name {
            "--hosts" | "-hosts" | "--host" | "-host" | "-H" => "--hosts",
            "--map" | "--routes" | "--via" | "--secret" => name,
            "--insecure" => {
                self.options.push(name.into());
                self.trust = true;
                return Ok(true);
            }
            "--part" => {
                self.part = Some(part(&value()?)?);
                return Ok(true);
            }
            "--over" => {
                let (text, wrong) = (value()?, "--over: expected the number of ranks");
                self.over = Some(text.to_str().and_then(|text| text.parse().ok()).ok_or(wrong)?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.via |= option == "--via";
        self.trust |= option == "--secret";
        self.options.extend([option.into(), value()?]);
        Ok(true)
    }

    /// True if the job is to run on other hosts, and this is not yet one of them.
    pub(crate) fn are_wanted(&self) -> bool {
        self.part.is_none() && self.over.is_none() && !self.options.is_empty()
    }

    /// True if the job has ended, and its report is wanted.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Where the ranks of a part report to.
    pub(crate) fn report(&self) -> Option<Holder> {
        self.part.map(|part| part.parent)
    }

    /// The ranks that are started here, of a job that has so many.
    pub(crate) fn ranks_here(&self, size: u32) -> Range<u32> {
        self.part.map_or(0..size, |part| part.first..part.first.saturating_add(part.count))
    }

    /// Processes of the job, if whoever started this part says.
    pub(crate) fn size(&self) -> Option<u32> {
        self.part.map(|part| part.size).or(self.over)
    }

    /// A part dies with its agent.
    pub(crate) fn die_with_parent(&self) -> io::Result<()> {
        let Some(part) = self.part else { return Ok(()) };
        let parent = Pid::from_raw(part.parent.process.cast_signed());
        match parent.map(die_with).transpose()? {
            Some(true) => Ok(()),
            _ => Err(io::Error::other("whoever started this part of the job is gone")),
        }
    }

    /// Becomes `noded`, with all the arguments of this program for the parts.
    pub(crate) fn run(&self, plan: &Plan, arguments: Vec<OsString>) -> Result<std::convert::Infallible, String> {
        if !self.via {
            return Err("--via FABRIC is missing: the network device by which the hosts reach each other, as raw:eth1"
                .to_owned());
        }
        if !self.trust {
            let remedy = "--secret FILE names the cluster's secret (`twowire key secret --out FILE` makes one)";
            return Err(format!("{remedy}; --insecure does without"));
        }
        let mut noded = Command::new(beside_us("noded").map_err(|error| error.to_string())?);
        noded.arg("run").args(&self.options);
        if plan.is_counted() {
            noded.arg("--ranks").arg(plan.ranks().to_string());
        }
        for program in &plan.programs {
            noded.arg("--program").arg(&program.command[0]);
        }
        if let Some(timeout) = plan.timeout {
            noded.arg("--timeout").arg(timeout.as_secs().to_string());
        }
        let error = noded.arg("--").args(arguments).exec();
        Err(format!("noded cannot be started: {error}; it belongs beside mpirun"))
    }
}

fn part(text: &OsStr) -> Result<Part, String> {
    let wrong = || format!("--part {}: expected FIRST,COUNT,SIZE,PID,DESCRIPTOR,INODE", text.display());
    let fields: Vec<&str> = text.to_str().ok_or_else(wrong)?.splitn(4, ',').collect();
    let [first, count, size, parent] = fields[..] else { return Err(wrong()) };
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let (first, count, size) = (number(first)?, number(count)?, number(size)?);
    let parent = parent.parse().map_err(|_| wrong())?;
    let fits = first.checked_add(count).is_some_and(|end| end <= size);
    if fits { Ok(Part { first, count, size, parent }) } else { Err(wrong()) }
}

/// The program of this name in our folder, or the one that the search path finds.
fn beside_us(name: &str) -> io::Result<OsString> {
    let beside = std::env::current_exe()?.with_file_name(name);
    Ok(if beside.exists() { beside.into() } else { name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_within_its_job() {
        let parent = Holder { process: 77, descriptor: 8, inode: 9 };
        assert_eq!(part("2,3,5,77,8,9".as_ref()), Ok(Part { first: 2, count: 3, size: 5, parent }));
        for wrong in ["", "2,3,5,77", "3,3,5,77,8,9", "4294967295,1,5,7,8,9", "a,b,c,d,e,f", "1,1,2,3,4,5,6"] {
            assert!(part(wrong.as_ref()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_kept_for_noded() {
        let mut hosts = Hosts::default();
        let mut words = ["a,b:4", "raw:e0", "s"].into_iter();
        for name in ["-H", "--via", "--secret", "--label"] {
            let taken = hosts.option(name, &mut || Ok(words.next().unwrap_or_default().into()));
            assert_eq!(taken, Ok(name != "--label"));
        }
        assert_eq!(hosts.options, ["--hosts", "a,b:4", "--via", "raw:e0", "--secret", "s"]);
        assert!(hosts.are_wanted() && hosts.via && hosts.trust);
        assert_eq!((hosts.ranks_here(4), hosts.size()), (0..4, None));
    }
}
