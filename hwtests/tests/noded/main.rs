//! Jobs on several hosts without IP: `noded` on each, in network namespaces, and `mpirun --hosts` on one of them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};
use twowire_hwtests::programs::{Process, mpi_program, program};

/// Three hosts of jobs; the front end is a fourth, the last.
const HOSTS: usize = 3;

/// Hosts with agents.
struct Site {
    network: Network,
    folder: TempDir,
    agents: Vec<Option<Process>>,
}

impl Site {
    /// `None`, with the reason on standard error, where there can be no network.
    fn new() -> Option<Site> {
        let network = match Network::new(Plan::new(HOSTS + 1, 1500)) {
            Ok(network) => network,
            Err(error @ (NetnsError::NotRoot | NetnsError::Missing { .. })) => {
                eprintln!("skipped: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut site = Site { network, folder, agents: Vec::new() };
        site.secret("secret");
        for host in 0..HOSTS {
            let agent = site.agent(host, "secret");
            site.agents.push(Some(agent));
        }
        for agent in site.agents.iter_mut().flatten() {
            agent.wait_for("noded: raw:");
        }
        Some(site)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn secret(&self, name: &str) {
        let made = Command::new(program("twowire")).args(["key", "secret", "--out"]).arg(self.path(name)).output();
        assert!(made.expect("twowire runs").status.success());
    }

    fn agent(&self, host: usize, secret: &str) -> Process {
        let mut command = self.network.command(host, program("noded"));
        command.arg("serve").arg(format!("raw:{DEVICE}")).arg("--secret").arg(self.path(secret));
        Process::start(command, &self.path(&format!("noded{host}.log")))
    }

    /// `--hosts` of these hosts, with so many ranks each.
    fn hosts(&self, hosts: &[(usize, u32)]) -> String {
        let address = |host: usize| {
            let file = format!("/sys/class/net/{DEVICE}/address");
            let output = self.network.command(host, "cat").arg(file).output().expect("cat runs");
            String::from_utf8(output.stdout).expect("text").trim().to_owned()
        };
        let word = |&(host, ranks): &(usize, u32)| format!("{}:{ranks}", address(host));
        hosts.iter().map(word).collect::<Vec<_>>().join(",")
    }

    /// `mpirun` on a host, for a job on these; the program follows.
    fn mpirun(&self, front: usize, hosts: &[(usize, u32)], secret: &str) -> Command {
        let mut command = self.network.command(front, program("mpirun"));
        command.args(["--timeout", "60", "--via", &format!("raw:{DEVICE}"), "--hosts", &self.hosts(hosts)]);
        command.arg("--secret").arg(self.path(secret)).env("COLOUR", "green").current_dir(self.folder.path());
        command
    }

    /// The program of the jobs.
    fn job(&self) -> PathBuf {
        mpi_program("noded/job.c", self.folder.path())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command with this input.
fn run(mut command: Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("mpirun runs");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("somebody reads");
    child.wait_with_output().expect("mpirun ends")
}

fn shown(output: &Output) -> String {
    format!("{}\n--- stdout\n{}\n--- stderr\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// The processes that have told their numbers.
fn processes(said: &str) -> Vec<u32> {
    said.lines().filter_map(|line| line.rsplit_once("pid ")?.1.trim().parse().ok()).collect()
}

/// Waits until these processes are gone.
fn gone(processes: &[u32]) {
    let lives =
        |process: &u32| fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    for _ in 0..10_000 {
        if !processes.iter().any(lives) {
            return;
        }
        pause();
    }
    panic!("left behind: {processes:?}");
}

#[expect(clippy::disallowed_methods, reason = "nobody says when a process is gone")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(1));
}

#[test]
fn a_job_on_three_hosts() {
    let Some(site) = Site::new() else { return };
    for front in [HOSTS, 1] {
        let mut command = site.mpirun(front, &[(0, 1), (1, 3), (2, 2)], "secret");
        command.arg("-l").arg(site.job());
        let output = run(command, "a line\n");
        assert!(output.status.success(), "{}", shown(&output));
        let folder = site.folder.path().canonicalize().expect("a folder");
        let mut lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines.len(), 6, "{}", shown(&output));
        for (rank, (line, here)) in lines.iter().zip([1, 3, 3, 3, 2, 2]).enumerate() {
            let folder = folder.display();
            let expected = format!("[{rank}] rank {rank} of 6, {here} here, read 'a line', green in {folder}, pid ");
            assert!(line.starts_with(&expected), "{line}\n{expected}");
        }
    }
}

#[test]
fn the_ranks_of_all_hosts_are_in_one_report() {
    let Some(site) = Site::new() else { return };
    let mut command = site.mpirun(HOSTS, &[(0, 1), (1, 2)], "secret");
    command.args(["--json", "--report=bytes.svg"]).arg(site.job());
    let output = run(command, "a line\n");
    let said = text(&output.stderr);
    assert!(output.status.success() && said.starts_with("{\"size\":3,"), "{}", shown(&output));
    for rank in 0..3 {
        assert_eq!(said.matches(&format!("{{\"rank\":{rank},\"elapsed_s\"")).count(), 1, "{}", shown(&output));
    }
    assert!(said.contains("\"sent\":[{\"to\":"), "{}", shown(&output));
    assert!(fs::read_to_string(site.path("bytes.svg")).expect("it was written").contains("<svg"));
}

#[test]
fn the_first_that_fails_ends_the_job_everywhere() {
    let Some(site) = Site::new() else { return };
    for (how, code, said) in
        [("exit", 5, Some("rank 2 (pid ")), ("kill", 137, Some("killed by signal 9")), ("abort", 9, None)]
    {
        let mut command = site.mpirun(HOSTS, &[(0, 1), (1, 1), (2, 1)], "secret");
        command.arg(site.job()).args([how, "2"]);
        let output = run(command, "");
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{how}: {}", shown(&output));
        let about: Vec<&str> = errors.lines().filter(|line| line.starts_with("mpirun:")).collect();
        assert_eq!(about.len(), usize::from(said.is_some()), "{how}: {}", shown(&output));
        assert!(said.is_none_or(|said| errors.contains(said)), "{how}: {}", shown(&output));
        gone(&processes(&text(&output.stdout)));
    }
}

#[test]
fn nothing_outlives_an_agent_or_the_front_end() {
    let Some(mut site) = Site::new() else { return };
    let start = |site: &Site, name: &str| {
        let mut command = site.mpirun(HOSTS, &[(0, 1), (1, 2)], "secret");
        command.arg(site.job()).arg("wait");
        let mut job = Process::start(command, &site.path(name));
        for rank in 0..3 {
            job.wait_for(&format!("rank {rank} of 3"));
        }
        (processes(&job.output()), job)
    };
    let (ranks, job) = start(&site, "first.log");
    job.kill();
    gone(&ranks);
    let (ranks, mut job) = start(&site, "second.log");
    if let Some(agent) = site.agents[1].take() {
        agent.kill();
    }
    assert_eq!(job.wait().code(), Some(1), "{}", job.output());
    assert!(job.output().contains("it is lost: ") && job.output().contains("the job is ended"), "{}", job.output());
    gone(&ranks);
}

#[test]
fn only_who_knows_the_secret_is_obeyed() {
    let Some(site) = Site::new() else { return };
    site.secret("other");
    let mut command = site.mpirun(HOSTS, &[(0, 1), (1, 1)], "other");
    let output = run(
        {
            command.arg("touch").arg(site.path("trace"));
            command
        },
        "",
    );
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(text(&output.stderr).contains("refuses: it has another secret"), "{}", shown(&output));
    assert!(!site.path("trace").exists());
    // An agent does not start without either.
    let mut agent = site.network.command(HOSTS, program("noded"));
    let output = agent.args(["serve", &format!("raw:{DEVICE}")]).output().expect("noded runs");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(text(&output.stderr).contains("--insecure"), "{}", shown(&output));
}

#[test]
fn a_host_without_an_agent_is_named() {
    let Some(mut site) = Site::new() else { return };
    site.agents[2] = None;
    let hosts = site.hosts(&[(2, 1)]);
    let mut command = site.mpirun(HOSTS, &[(0, 1), (2, 1)], "secret");
    command.arg("true");
    let output = run(command, "");
    let name = hosts.trim_end_matches(":1");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let errors = text(&output.stderr);
    assert!(errors.contains(&format!("host {name}: its agent cannot be reached")), "{}", shown(&output));
}
