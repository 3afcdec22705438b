//! How each MPI is built with and started on two namespaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use twowire_hwtests::netns::{DEVICE, Network};

const SOURCE: &str = include_str!("pair.c");

/// Gives each rank a core of its own, whoever started it.
const PIN: &str = "r=${PMI_RANK:-${OMPI_COMM_WORLD_RANK:-0}}; exec taskset -c $((r % $(nproc --all))) \"$0\" \"$@\"";

/// An MPI, and the program built with it.
pub(crate) struct Mpi {
    pub(crate) name: String,
    start: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Mpi {
    /// Ours, over raw frames.
    pub(crate) fn ours(programs: &Path, network: &Network, folder: &Path) -> Result<Mpi, String> {
        let program = build(&shown(&programs.join("mpicc")), "ours", folder)?;
        let seats = folder.join("seats");
        let cards: Vec<String> = (0..2).map(|host| card(network, host)).collect::<Result<_, _>>()?;
        let text = format!("seats 1 raw:{DEVICE}\nrank 0 - {}\nrank 1 - {}\n", cards[0], cards[1]);
        fs::write(&seats, text).map_err(|error| error.to_string())?;
        let mut start = vec![shown(&programs.join("mpirun"))];
        for host in 0..2 {
            start.extend((host == 1).then(|| ":".to_owned()));
            start.extend(["-n", "1"].map(str::to_owned));
            start.extend(inside(network, host));
            start.extend(["sh", "-c", PIN].map(str::to_owned));
            start.extend([shown(&program), "SECONDS".to_owned()]);
        }
        Ok(Mpi { name: "ours".to_owned(), start, environment: vec![("TWOWIRE_SEATS", shown(&seats))] })
    }

    /// Another one, over TCP. Its processes are started by a program in the place of `ssh`, which enters the namespace.
    pub(crate) fn rival(name: &str, network: &Network, folder: &Path) -> Result<Mpi, String> {
        let program = build(&format!("mpicc.{name}"), name, folder)?;
        let agent = agent(network, folder)?;
        let hosts = format!("{},{}", network.address(0), network.address(1));
        let launcher = match name {
            "openmpi" => format!(
                "mpirun.openmpi --mca plm_rsh_agent {agent} -H {hosts} --mca pml ob1 --mca btl tcp,self \
                 --mca btl_tcp_if_include {DEVICE} --mca oob_tcp_if_include {DEVICE} --bind-to none"
            ),
            "mpich" => format!("mpiexec.hydra -launcher rsh -launcher-exec {agent} -hosts {hosts} -iface {DEVICE}"),
            other => return Err(format!("`{other}` is unknown; there are openmpi and mpich")),
        };
        let mut start = vec![agent, network.address(0).to_string()];
        // The agent takes one line for a shell, as ssh does.
        start.push(format!("{launcher} -n 2 sh -c '{PIN}' {} SECONDS", shown(&program)));
        let root = ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map(|name| (name, "1".to_owned()));
        let tcp = [("UCX_TLS", "tcp,self".to_owned()), ("UCX_NET_DEVICES", DEVICE.to_owned())];
        Ok(Mpi { name: name.to_owned(), start, environment: root.into_iter().chain(tcp).collect() })
    }

    /// Runs the program once; what it measured.
    pub(crate) fn run(&self, seconds: f64) -> Result<Vec<(String, u64, f64)>, String> {
        let words = self.start.iter().map(|word| word.replace("SECONDS", &seconds.to_string()));
        let mut command = Command::new("timeout");
        command.arg("120").args(words).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {}: {}", self.name, output.status, said.trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let cell = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        Ok(text.lines().filter_map(cell).collect())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn build(mpicc: &str, name: &str, folder: &Path) -> Result<PathBuf, String> {
    let (source, program) = (folder.join("pair.c"), folder.join(format!("pair-{name}")));
    fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
    let built = Command::new(mpicc).args(["-O2", "-w", "-o"]).arg(&program).arg(&source).output();
    let built = built.map_err(|error| format!("{mpicc}: {error}"))?;
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    if built.status.success() { Ok(program) } else { Err(format!("{mpicc}: {said}")) }
}

/// The words that run a program on a host.
fn inside(network: &Network, host: usize) -> Vec<String> {
    let command = network.command(host, "");
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()).filter(|word| !word.is_empty()));
    words
}

/// The unique id of a host's card.
fn card(network: &Network, host: usize) -> Result<String, String> {
    let mut command = network.command(host, "cat");
    let output = command.arg(format!("/sys/class/net/{DEVICE}/address")).output().map_err(|error| error.to_string())?;
    Ok(format!("0x0000{}", String::from_utf8_lossy(&output.stdout).trim().replace(':', "")))
}

/// A script that is called as `ssh` is: options, an address, a command for a shell. Each host has a name of its own, so that nobody takes
/// them for one.
fn agent(network: &Network, folder: &Path) -> Result<String, String> {
    let path = folder.join("agent");
    let case = |host: usize| format!("{}) in=\"{}\";;\n", network.address(host), inside(network, host).join(" "));
    let text = format!(
        "#!/bin/sh\nwhile :; do case $1 in -l) shift 2;; -*) shift;; *) break;; esac; done\nhost=$1; shift\ncase $host in\n{}{}esac\n\
         exec $in unshare --uts sh -c \"hostname host-${{host##*.}}; $*\"\n",
        case(0),
        case(1)
    );
    fs::write(&path, text).map_err(|error| error.to_string())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    Ok(shown(&path))
}
