//! `noded node`: what a node runs in phase 2. It says that it is ready and that it is still there, answers probes, takes routes, and runs
//! what front ends send; a node that hears of no front end for long is restarted.

use super::AGENT_LANE;
use super::agent::{Agent, nonce};
use super::cli::secret_of;
use super::site::Site;
use super::store::Store;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use twowire_fabric::id::UniqueId;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::{Port, drive};
use twowire_fabric::provider;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::spec::FabricSpec;
use twowire_multicast_boot::init::left::Left;
use twowire_multicast_boot::init::{ROUTES_FILE, SECRET_FILE, machine};
use twowire_multicast_boot::phase2::Phase2;
use twowire_route_store::{Access, Medium, MemoryMedium, Store as Nvram, atomic_file};

/// Where programs are kept that come over the fabric.
const STORE: &str = "/run/twowire";

/// While there is such a file the node is not restarted, whether there is a front end or not.
const HOLD: &str = "/run/twowire-hold";

/// How often the part that says it is ready looks at the clock.
const SLICE: Duration = Duration::from_millis(200);

/// Bytes of NVRAM where there is none.
const FORGETFUL_BYTES: usize = 1024;

/// What both threads know.
struct Shared {
    began: Instant,
    /// When a front end was heard of last, in milliseconds since the beginning.
    met: AtomicU64,
    stop: AtomicBool,
    /// It was said that the node waits although there is no front end.
    held: AtomicBool,
}

impl Shared {
    fn meet(&self) {
        self.met.fetch_max(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// There has been no front end for so long, and nobody has said that the node is to wait.
    fn is_abandoned(&self, limit: Option<Duration>) -> bool {
        let met = Duration::from_millis(self.met.load(Ordering::Relaxed));
        let Some(limit) = limit.filter(|&limit| self.began.elapsed() > met + limit) else { return false };
        let held = Path::new(HOLD).exists();
        if held && !self.held.swap(true, Ordering::Relaxed) {
            say(&format!("held: no front end for {limit:?}"));
        }
        !held
    }
}

/// Runs until the machine is restarted or the program is ended.
#[expect(clippy::disallowed_methods, reason = "an agent runs in real time")]
pub(super) fn run() -> Result<(), Failure> {
    let left = Left::read()?;
    let fabric = left.fabric()?;
    // Before the node says that it is ready: from then on it may be asked for something.
    let agent = agent(&fabric)?;
    let (stop, held) = (AtomicBool::new(false), AtomicBool::new(false));
    let shared = Shared { began: Instant::now(), met: AtomicU64::new(0), stop, held };
    let alone = std::thread::scope(|scope| {
        let present = scope.spawn(|| {
            let ended = be_present(&fabric, &left, &shared);
            shared.stop.store(true, Ordering::Relaxed);
            ended
        });
        let served = serve(agent, &left, &shared);
        shared.stop.store(true, Ordering::Relaxed);
        let failed = || Err(Failure::failed("the thread that says the node is ready has failed"));
        let present = present.join().unwrap_or_else(|_| failed());
        served.and_then(|alone| present.map(|()| alone))
    })?;
    if alone {
        let limit = left.restart_alone().unwrap_or_default();
        say(&format!("restarts the machine: no front end for {limit:?}"));
        return Err(Failure::failed(machine::restart()));
    }
    Ok(())
}

/// Says that this node is to wait for its front end however long there is none, or that it need not any longer.
pub(super) fn hold(off: bool) -> Result<(), Failure> {
    if Left::read()?.ticket().is_err() {
        let remedy = "run it on one, as `mpirun --hosts n3 … noded hold`";
        return Err(Failure::usage(format!("this host is no node that has booted over the fabric: {remedy}")));
    }
    let file = Path::new(HOLD);
    let done = if off { fs::remove_file(file) } else { fs::write(file, "") };
    match done {
        Err(error) if !(off && error.kind() == io::ErrorKind::NotFound) => Err(Failure::write(file, &error)),
        _ => Ok(()),
    }
}

/// For the console: where there is none, nobody reads it.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "noded: {text}");
}

/// What the node is for the front end that has booted it.
fn presence(left: &Left, card: UniqueId) -> Result<Phase2<Box<dyn Medium>>, Failure> {
    let medium: Option<Box<dyn Medium>> = left.nvram()?.and_then(|device| {
        let opened = device.open(Access::Write);
        opened.inspect_err(|why| say(&format!("routes of later epochs are not kept: {why}"))).ok()
    });
    let medium = medium.unwrap_or_else(|| Box::new(MemoryMedium::new(FORGETFUL_BYTES)));
    let seed = u64::from_le_bytes(*nonce().first_chunk().expect("a nonce is longer"));
    Ok(Phase2::new(card, left.ticket()?, table()?, Nvram::new(medium), seed))
}

/// The routes that phase 1 had.
fn table() -> Result<Option<RouteTable>, Failure> {
    let file = Path::new(ROUTES_FILE);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(file).map_err(|error| Failure::read(file, &error))?;
    text.parse().map(Some).map_err(|error| Failure::Failed(format!("{ROUTES_FILE}: {error}")))
}

/// The agent; `None` where nobody could prove to it that he may start programs.
fn agent(fabric: &FabricSpec) -> Result<Option<Agent<Box<dyn Port>>>, Failure> {
    let secret = Path::new(SECRET_FILE);
    if !secret.exists() {
        say("the cluster has no secret: no programs are started here");
        return Ok(None);
    }
    let secret = secret_of(secret)?;
    let port = provider::open_for_messages(fabric, None, AGENT_LANE).map_err(Failure::failed)?;
    let store = Store::open(Path::new(STORE)).map_err(Failure::failed)?;
    let routes = Path::new(ROUTES_FILE);
    let routes = routes.exists().then(|| routes.to_owned());
    let site = Site { device: super::cli::device(fabric)?, store: Some(store), routes };
    Ok(Some(Agent::new(port, site, secret)))
}

/// Says that the node is ready, answers probes, and takes routes.
fn be_present(fabric: &FabricSpec, left: &Left, shared: &Shared) -> Result<(), Failure> {
    let mut port = provider::open(fabric, None).map_err(Failure::failed)?;
    say("phase 2 up");
    // First of all: a front end that is silent says nothing against the image.
    if let Some(Err(Failure::Failed(why))) = left.nvram()?.map(|device| left.note_ready(&device)) {
        say(&why);
    }
    let mut presence = presence(left, port.unique_id())?;
    let mut heard = None;
    while !shared.stop.load(Ordering::Relaxed) {
        let slice = port.now() + SLICE;
        let step = |presence: &mut Phase2<_>| presence.last_heard() != heard;
        drive(port.as_mut(), &mut presence, slice, step)
            .map_err(|error| Failure::Failed(format!("the link failed: {error}")))?;
        if presence.last_heard() != heard {
            if heard.is_none() {
                say(&format!("ready, {} KiB resident", resident_kib().unwrap_or(0)));
            }
            heard = presence.last_heard();
            shared.meet();
        }
        if let Some(table) = presence.take_routes() {
            say(&format!("routes of epoch {}", table.epoch()));
            atomic_file::replace(Path::new(ROUTES_FILE), &[table.to_string().as_bytes()]).map_err(Failure::failed)?;
        }
    }
    Ok(())
}

/// Runs what front ends send; true if there has been none for too long.
fn serve(agent: Option<Agent<Box<dyn Port>>>, left: &Left, shared: &Shared) -> Result<bool, Failure> {
    let limit = left.restart_alone();
    let stop = |front_end_is_here: bool| {
        if front_end_is_here {
            shared.meet();
        }
        interrupted() || shared.stop.load(Ordering::Relaxed) || shared.is_abandoned(limit)
    };
    match agent {
        Some(mut agent) => agent.run(stop, &mut |text| say(text)).map_err(Failure::failed)?,
        None => wait_until(|| stop(false)),
    }
    Ok(shared.is_abandoned(limit))
}

#[expect(clippy::disallowed_methods, reason = "there is nothing else to do")]
fn wait_until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::sleep(SLICE);
    }
}

/// Memory of this process that is in use.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
