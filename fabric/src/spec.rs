//! `FABRIC`: the one way to say on a command line which fabric is meant.
//!
//! `PROVIDER:WHAT`, where the provider decides what `WHAT` is: `sim:pink`, `sim:clos:hosts=11664,radix=36,levels=3`,
//! `sim:torus:8x8x8,hosts-per=2`, `sim:hypercube:7`, `sim:random:crossbars=40,radix=16,hosts=100,seed=1`, `sim:FILE`;
//! `xbar:PATH` or `xbar:PATH,host=n17` is a host of a running `xbar serve`; `raw:eth1` is a network device, and `wire:eth0` one
//! whose cable leads to crossbars; `umad:mlx5_0/1` is an InfiniBand port of this machine, and `ibsim:H0` a node of the subnet
//! that a running ibsim simulates.

use crate::topology::generate::{Clos, GenerateError, Random, Torus, hypercube, pink};
use crate::topology::{HostId, NodeId, TopoFileError, Topology, read_file};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub use umad::UmadSpec;

mod umad;

/// A way to reach a fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The word before the colon.
    pub name: &'static str,
    /// What is behind it.
    pub what: &'static str,
    /// What follows the colon.
    pub expects: &'static str,
    /// True if this build has it.
    pub available: bool,
}

/// The providers that the syntax knows.
pub const PROVIDERS: [Provider; 7] = [
    Provider { name: "sim", what: "a simulated fabric, in this process", expects: SIMULATED, available: true },
    Provider {
        name: "xbar",
        what: "crossbars in real time, in a process of their own",
        expects: SERVED,
        available: cfg!(target_os = "linux"),
    },
    Provider {
        name: "raw",
        what: "frames on an Ethernet device, without IP",
        expects: DEVICE,
        available: cfg!(target_os = "linux"),
    },
    Provider {
        name: "wire",
        what: "frames with hops on an Ethernet device whose cable leads to crossbars",
        expects: CABLE,
        available: cfg!(target_os = "linux"),
    },
    Provider { name: "verbs", what: "an RDMA device, through libibverbs", expects: RDMA, available: false },
    Provider {
        name: "umad",
        what: "InfiniBand ports of this machine, for the mapper",
        expects: UMAD,
        available: cfg!(target_os = "linux"),
    },
    Provider {
        name: "ibsim",
        what: "the InfiniBand fabric simulator ibsim, for the mapper",
        expects: NODE,
        available: cfg!(target_os = "linux"),
    },
];

/// What may follow `sim:`, for errors and help.
const SIMULATED: &str = "`pink`, `clos:…`, `torus:…`, `hypercube:…`, `random:…` or a .topo file";

/// What may follow `xbar:`.
const SERVED: &str = "the path of a running `xbar serve`, as in `xbar:/run/pink` or `xbar:/run/pink,host=n17`";
/// What may follow `raw:`.
const DEVICE: &str = "the name of a network device, as in `raw:eth1`";

/// What may follow `wire:`.
const CABLE: &str = "the name of a network device, as in `wire:eth0`";

/// What may follow `ibsim:`.
const NODE: &str = "the name of a node in ibsim's network file, as in `ibsim:H0`";

/// What may follow `verbs:`.
const RDMA: &str = "a device and its port, as in `mlx5_0/1`";

/// What may follow `umad:`.
const UMAD: &str = "a device and its port, as in `umad:mlx5_0/1`, or nothing for the first that is active";

/// The longest name that Linux gives a network device, in bytes.
const MAX_DEVICE_NAME: usize = 15;

fn provider_names(present_only: bool) -> String {
    let names: Vec<_> = PROVIDERS.iter().filter(|p| p.available || !present_only).map(|p| p.name).collect();
    names.join(", ")
}

/// A fabric as a command line names it.
#[derive(Clone, Debug, PartialEq)]
pub enum FabricSpec {
    /// The simulator, with this topology.
    Sim(SimSpec),
    /// The crossbars of another process, as one of its hosts.
    Xbar(XbarSpec),
    /// The network device of this name.
    Raw(String),
    /// The network device of this name, whose cable leads to crossbars.
    Wire(String),
    /// The InfiniBand subnet that a port of this machine has a cable to.
    Umad(UmadSpec),
    /// The InfiniBand subnet of a running ibsim, from its node of this name.
    Ibsim(String),
}

/// A host of the crossbars that a process serves: `PATH[,host=NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XbarSpec {
    /// Where the process listens.
    pub path: PathBuf,
    /// Which host to be; without a name `master`, else the first.
    pub host: Option<String>,
}

/// The topology of a simulated fabric.
#[derive(Clone, Debug, PartialEq)]
pub enum SimSpec {
    /// `pink`.
    Pink,
    /// `clos:hosts=N,radix=N,levels=N[,oversubscription=N]`.
    Clos(Clos),
    /// `torus:AxBxC[,hosts-per=N]`.
    Torus(Torus),
    /// `hypercube:DIMENSIONS`.
    Hypercube(u32),
    /// `random:crossbars=N,radix=N,hosts=N[,seed=N]`.
    Random(Random),
    /// The path of a `.topo` file.
    File(PathBuf),
}

/// Why text does not name a fabric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FabricSpecError {
    /// A provider that is known, but not part of this build.
    #[error("this build has no provider `{provider}`; it has: {names}", names = provider_names(true))]
    NoProvider {
        /// Its name.
        provider: String,
    },
    /// A provider that nobody knows.
    #[error("`{0}` is not a provider: expected one of {names}, as in `sim:pink`", names = provider_names(false))]
    UnknownProvider(String),
    /// A provider without what it should provide.
    #[error("`{name}` does not say which fabric: expected `{name}:` and {expects}", name = .0.name, expects = .0.expects)]
    Nothing(&'static Provider),
    /// An `xbar` without a path or a host's name, or with something else.
    #[error("xbar: `{0}` is not understood: expected {SERVED}")]
    Xbar(String),
    /// A `umad` with something else than a device and its port.
    #[error("umad: `{0}` is not understood: expected {UMAD}")]
    Umad(String),
    /// A name that no network device can have.
    #[error("`{name}` is not {expects}", name = .0, expects = .1.expects)]
    Device(String, &'static Provider),
    /// A generator was given what it does not take.
    #[error("{generator}: `{word}` is not understood: expected {expected}")]
    Parameter {
        /// The generator.
        generator: &'static str,
        /// What was given.
        word: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A generator was not given what it needs.
    #[error("{generator}: `{missing}=` is missing: expected {expected}")]
    Missing {
        /// The generator.
        generator: &'static str,
        /// The parameter.
        missing: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

/// Why the topology of a simulated fabric cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SimSpecError {
    /// The parameters do not make a topology.
    #[error("{spec}: {source}")]
    Generate {
        /// What was asked for.
        spec: String,
        /// Why not.
        source: GenerateError,
    },
    /// The file is not one.
    #[error("{0}")]
    File(TopoFileError),
    /// A word that is neither a generator nor a file.
    #[error("{0} (and it is no generator either: expected {SIMULATED})")]
    NoFile(TopoFileError),
    /// Two hosts that would answer with the same unique id.
    #[error("hosts `{0}` and `{1}` have the same unique id: on a fabric each card has its own")]
    SameId(String, String),
}

impl FromStr for FabricSpec {
    type Err = FabricSpecError;

    fn from_str(text: &str) -> Result<FabricSpec, FabricSpecError> {
        let (provider, what) = text.split_once(':').unwrap_or((text, ""));
        match PROVIDERS.iter().find(|p| p.name == provider) {
            Some(p) if p.available && p.name == "umad" => what.parse().map(FabricSpec::Umad),
            Some(p) if p.available && what.is_empty() => Err(FabricSpecError::Nothing(p)),
            Some(p) if p.available && p.name == "sim" => what.parse().map(FabricSpec::Sim),
            Some(p) if p.available && p.name == "xbar" => what.parse().map(FabricSpec::Xbar),
            Some(p) if p.available && p.name == "raw" => device(p, what).map(FabricSpec::Raw),
            Some(p) if p.available && p.name == "wire" => device(p, what).map(FabricSpec::Wire),
            Some(p) if p.available && p.name == "ibsim" => Ok(FabricSpec::Ibsim(what.to_owned())),
            Some(_) => Err(FabricSpecError::NoProvider { provider: provider.to_owned() }),
            None => Err(FabricSpecError::UnknownProvider(provider.to_owned())),
        }
    }
}

impl fmt::Display for FabricSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FabricSpec::Sim(what) => write!(f, "sim:{what}"),
            FabricSpec::Xbar(what) => write!(f, "xbar:{what}"),
            FabricSpec::Raw(device) => write!(f, "raw:{device}"),
            FabricSpec::Wire(device) => write!(f, "wire:{device}"),
            FabricSpec::Umad(port) => write!(f, "umad:{port}"),
            FabricSpec::Ibsim(node) => write!(f, "ibsim:{node}"),
        }
    }
}

/// A name that a network device can have.
fn device(provider: &'static Provider, name: &str) -> Result<String, FabricSpecError> {
    let wrong = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if name.len() > MAX_DEVICE_NAME || name.contains(wrong) || name == "." || name == ".." {
        return Err(FabricSpecError::Device(name.to_owned(), provider));
    }
    Ok(name.to_owned())
}

impl FromStr for XbarSpec {
    type Err = FabricSpecError;

    fn from_str(text: &str) -> Result<XbarSpec, FabricSpecError> {
        let (path, host) = match text.rsplit_once(',') {
            None => (text, None),
            Some((path, word)) => (path, Some(word.strip_prefix("host=").unwrap_or_default())),
        };
        if path.is_empty() || host == Some("") {
            return Err(FabricSpecError::Xbar(text.to_owned()));
        }
        Ok(XbarSpec { path: path.into(), host: host.map(str::to_owned) })
    }
}

impl fmt::Display for XbarSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, ",host={host}"))
    }
}

impl SimSpec {
    /// Generates or reads the topology.
    pub fn topology(&self) -> Result<Topology, SimSpecError> {
        let made = match self {
            SimSpec::Pink => Ok(pink()),
            SimSpec::Clos(clos) => clos.build(),
            SimSpec::Torus(torus) => torus.build(),
            SimSpec::Hypercube(dimensions) => hypercube(*dimensions),
            SimSpec::Random(random) => random.build(),
            SimSpec::File(path) => return read_fabric(path),
        };
        made.map_err(|source| SimSpecError::Generate { spec: self.to_string(), source })
    }
}

fn read_fabric(path: &PathBuf) -> Result<Topology, SimSpecError> {
    let topology = read_file(path).map_err(|error| match error {
        TopoFileError::Read { .. } if path.components().count() == 1 && path.extension().is_none() => {
            SimSpecError::NoFile(error)
        }
        _ => SimSpecError::File(error),
    })?;
    let mut seen = HashMap::new();
    for host in topology.hosts() {
        if let Some(other) = seen.insert(host.id, host) {
            return Err(SimSpecError::SameId(other.name.clone(), host.name.clone()));
        }
    }
    Ok(topology)
}

impl FromStr for SimSpec {
    type Err = FabricSpecError;

    fn from_str(text: &str) -> Result<SimSpec, FabricSpecError> {
        let (generator, rest) = text.split_once(':').unwrap_or((text, ""));
        match generator {
            "pink" => Parameters::new("pink", "nothing more", rest).end(SimSpec::Pink),
            "clos" => clos(rest),
            "torus" => torus(rest),
            "hypercube" => hypercube_spec(rest),
            "random" => random(rest),
            _ => Ok(SimSpec::File(text.into())),
        }
    }
}

impl fmt::Display for SimSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SimSpec::Pink => f.write_str("pink"),
            SimSpec::Clos(Clos { hosts, radix, levels, oversubscription }) => {
                write!(f, "clos:hosts={hosts},radix={radix},levels={levels}")?;
                if *oversubscription != 1.0 { write!(f, ",oversubscription={oversubscription}") } else { Ok(()) }
            }
            SimSpec::Torus(Torus { dimensions, hosts_per }) => {
                let lengths: Vec<String> = dimensions.iter().map(u32::to_string).collect();
                write!(f, "torus:{}", lengths.join("x"))?;
                if *hosts_per != 1 { write!(f, ",hosts-per={hosts_per}") } else { Ok(()) }
            }
            SimSpec::Hypercube(dimensions) => write!(f, "hypercube:{dimensions}"),
            SimSpec::Random(Random { crossbars, radix, hosts, seed }) => {
                write!(f, "random:crossbars={crossbars},radix={radix},hosts={hosts},seed={seed}")
            }
            SimSpec::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The comma-separated words after a generator's name; each is taken out as it is understood.
struct Parameters<'a> {
    generator: &'static str,
    expected: &'static str,
    words: Vec<&'a str>,
}

impl<'a> Parameters<'a> {
    fn new(generator: &'static str, expected: &'static str, text: &'a str) -> Parameters<'a> {
        let words = if text.is_empty() { Vec::new() } else { text.split(',').collect() };
        Parameters { generator, expected, words }
    }

    fn wrong(&self, word: &str) -> FabricSpecError {
        FabricSpecError::Parameter { generator: self.generator, word: word.to_owned(), expected: self.expected }
    }

    /// The value of `key=`, if it is given.
    fn value<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, FabricSpecError> {
        let matches = |word: &&str| word.split_once('=').is_some_and(|(name, _)| name == key);
        let Some(index) = self.words.iter().position(matches) else { return Ok(None) };
        let word = self.words.remove(index);
        let value = word[key.len() + 1..].parse().map_err(|_| self.wrong(word))?;
        Ok(Some(value))
    }

    /// The value of `key=`, which must be given.
    fn required<T: FromStr>(&mut self, key: &'static str) -> Result<T, FabricSpecError> {
        let missing = FabricSpecError::Missing { generator: self.generator, missing: key, expected: self.expected };
        self.value(key)?.ok_or(missing)
    }

    /// `spec`, if nothing is left that was not understood.
    fn end(&self, spec: SimSpec) -> Result<SimSpec, FabricSpecError> {
        self.words.first().map_or(Ok(spec), |word| Err(self.wrong(word)))
    }
}

fn clos(text: &str) -> Result<SimSpec, FabricSpecError> {
    let mut given = Parameters::new("clos", "`hosts=N,radix=N,levels=N[,oversubscription=N]`", text);
    let clos = Clos {
        hosts: given.required("hosts")?,
        radix: given.required("radix")?,
        levels: given.required("levels")?,
        oversubscription: given.value("oversubscription")?.unwrap_or(1.0),
    };
    given.end(SimSpec::Clos(clos))
}

fn torus(text: &str) -> Result<SimSpec, FabricSpecError> {
    let (lengths, rest) = text.split_once(',').unwrap_or((text, ""));
    let mut given = Parameters::new("torus", "the lengths of its dimensions, `8x8x8[,hosts-per=N]`", rest);
    let dimensions = lengths.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| given.wrong(lengths))?;
    let hosts_per = given.value("hosts-per")?.unwrap_or(1);
    given.end(SimSpec::Torus(Torus { dimensions, hosts_per }))
}

fn hypercube_spec(text: &str) -> Result<SimSpec, FabricSpecError> {
    let given = Parameters::new("hypercube", "its number of dimensions, as in `hypercube:7`", "");
    text.parse().map(SimSpec::Hypercube).map_err(|_| given.wrong(text))
}

fn random(text: &str) -> Result<SimSpec, FabricSpecError> {
    let mut given = Parameters::new("random", "`crossbars=N,radix=N,hosts=N[,seed=N]`", text);
    let random = Random {
        crossbars: given.required("crossbars")?,
        radix: given.required("radix")?,
        hosts: given.required("hosts")?,
        seed: given.value("seed")?.unwrap_or(1),
    };
    given.end(SimSpec::Random(random))
}

/// Why there is no such front end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontEndError {
    /// A fabric without hosts.
    #[error("the topology has no host, so it has no front end")]
    NoHosts,
    /// A name that is no host's.
    #[error("front end `{name}`: {what}; expected a host, as `{example}`")]
    NotAHost {
        /// The name.
        name: String,
        /// What there is instead.
        what: &'static str,
        /// The name of a host.
        example: String,
    },
}

/// The front end of a simulated fabric: the host of that name; without one the host `master`, else the first.
pub fn front_end(topology: &Topology, name: Option<&str>) -> Result<HostId, FrontEndError> {
    let first = topology.hosts().first().ok_or(FrontEndError::NoHosts)?;
    let not_a_host =
        |name: &str, what| FrontEndError::NotAHost { name: name.to_owned(), what, example: first.name.clone() };
    match (name, topology.find(name.unwrap_or("master"))) {
        (_, Some(NodeId::Host(host))) => Ok(host),
        (None, _) => Ok(HostId(0)),
        (Some(name), Some(NodeId::Crossbar(_))) => Err(not_a_host(name, "that is a crossbar")),
        (Some(name), None) => Err(not_a_host(name, "there is no such host")),
    }
}

#[cfg(test)]
mod tests;
