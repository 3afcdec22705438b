//! From the link to the hand-over.

use super::Args;
use super::news::News;
use super::phase2::Phase2;
use crate::files::ImageFolder;
use crate::image::ClusterPublicKey;
use crate::init::handover;
use crate::init::settings::phase_2;
use crate::kexec;
use crate::membership::ClusterSecret;
use crate::phase1::called::CalledPhase1;
use crate::phase1::{NodeSetup, Phase1, nvram};
use crate::session::{BootClient, ChunkStores, NODES, NodeConfig, NodeState, SharedStores, Timing};
use rustix::rand::GetRandomFlags;
use std::sync::Arc;
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::{Addressing, Port, drive};
use twowire_fabric::provider;
use twowire_fabric::spec::FabricSpec;
use twowire_fabric::time::Time;
use twowire_route_store::{Access, Device, Medium, MemoryMedium, Store};

/// Ctrl-C, the folder and the clock are looked at so often at least.
const SLICE: Duration = Duration::from_millis(50);

/// How long to wait for the front end to hear that the node is ready.
const FAREWELL: Duration = Duration::from_secs(5);

/// Bytes of NVRAM where there is none: what it says is lost when the program ends.
const FORGETFUL_BYTES: usize = 1024;

/// Fetches the image, and hands over.
pub(super) fn fetch(
    args: &Args,
    fabric: &FabricSpec,
    key: ClusterPublicKey,
    secret: Option<ClusterSecret>,
    folder: Option<ImageFolder>,
) -> Result<(), Failure> {
    let mut news = News::new(args.json);
    let nvram = open_nvram(args.nvram.as_ref(), &mut news)?;
    let mut port = provider::open(fabric, None).map_err(Failure::failed)?;
    news.tell("link up")?;
    let boot = NodeConfig {
        timing: Timing::real(),
        oldest_version: args.oldest_version,
        allow_older: args.allow_older,
        rate_bits_per_s: port.limits().rate_bits_per_s,
        hand_over: None,
    };
    let stores: Arc<dyn ChunkStores> = match &folder {
        Some(folder) => Arc::new(folder.clone()),
        None => Arc::new(SharedStores::default()),
    };
    let setup = NodeSetup { key, secret, boot: boot.into(), stores };
    let (limits, id) = (port.limits(), port.unique_id());
    let seed = seed()? ^ id.0.rotate_left(32);
    let since = port.now();
    let mut work = Work { args, fabric, folder, news, since, verified_at: None, placed_at: None, phase2: None };
    match limits.addressing {
        Addressing::Hops => {
            let mut node = Phase1::new(port.now(), &setup, id, nvram, seed);
            work.run(port.as_mut(), &mut node)
        }
        Addressing::Cards => {
            port.join(NODES).map_err(Failure::failed)?;
            let mut node = CalledPhase1::new(&setup, id, limits.max_payload, nvram, seed);
            work.run(port.as_mut(), &mut node)
        }
    }
}

/// A number that differs from start to start, for pauses and the like, not for secrets: so a kernel that has just started
/// need not gather randomness first, which on a machine without a source of it takes more than a minute.
fn seed() -> Result<u64, Failure> {
    let mut seed = [0; 8];
    match rustix::rand::getrandom(&mut seed, GetRandomFlags::INSECURE) {
        Ok(8) => Ok(u64::from_ne_bytes(seed)),
        // A kernel before 5.6 does not know the flag.
        _ => getrandom::u64().map_err(Failure::failed),
    }
}

/// Opens the NVRAM, and says what it holds.
fn open_nvram(device: Option<&Device>, news: &mut News) -> Result<Store<Box<dyn Medium>>, Failure> {
    let Some(device) = device else { return Ok(Store::new(Box::new(MemoryMedium::new(FORGETFUL_BYTES)))) };
    let remedy = "make it with `route-store format --device`";
    let opened = device
        .open(Access::Write)
        .map_err(|error| Failure::Failed(format!("NVRAM {device}: {error}; {remedy} {device}")))?;
    let mut store = Store::new(opened);
    if let Some(record) = nvram::read(&mut store) {
        let routes = 1 + record.alternates.len();
        news.tell(&format!("route read: {}, {routes} routes to the front end", record.node))?;
    }
    Ok(store)
}

/// What is left to do.
struct Work<'a> {
    args: &'a Args,
    fabric: &'a FabricSpec,
    folder: Option<ImageFolder>,
    news: News,
    since: Time,
    /// When nobody depended on this node any more.
    verified_at: Option<Time>,
    /// When the image was put where phase 2 starts from.
    placed_at: Option<Time>,
    /// The command that has to become ready.
    phase2: Option<Phase2>,
}

impl Work<'_> {
    fn run<N: BootClient>(&mut self, port: &mut dyn Port, node: &mut N) -> Result<(), Failure> {
        loop {
            let (slice, before) = (port.now() + SLICE, node.state());
            let step = |node: &mut N| node.state() != before || self.may_leave(slice, node);
            drive(port, node, slice, step).map_err(|error| Failure::Failed(format!("the link failed: {error}")))?;
            self.news.tell_state(node.state())?;
            if node.boots_fallback() {
                self.news.tell_once("boots the fallback")?;
            }
            if let Some(problem) = self.folder.as_ref().and_then(ImageFolder::take_problem) {
                return Err(Failure::failed(problem));
            }
            if interrupted() {
                return Err(Failure::Interrupted);
            }
            let now = port.now();
            match node.state() {
                NodeState::HandingOver if self.placed_at.is_none() && !self.may_hand_over(now, node) => {}
                NodeState::HandingOver if self.placed_at.is_none() => self.hand_over(now, node)?,
                NodeState::HandingOver if self.phase2.is_some() => self.look_at_phase2(now, node)?,
                NodeState::HandingOver | NodeState::Ready if self.may_leave(now, node) => return self.leave(),
                NodeState::HandingOver | NodeState::Ready => {}
                state => {
                    self.verified_at = None;
                    self.check_time(now, state)?;
                }
            }
        }
    }

    /// To load a kernel takes a while in which the node answers nothing: the front end is to know before that it hands over, or it
    /// takes the silence for a failure.
    fn may_hand_over(&mut self, now: Time, boot: &impl BootClient) -> bool {
        let since = *self.verified_at.get_or_insert(now);
        !self.args.kexec || boot.is_heard() || now - since >= FAREWELL
    }

    /// The image is verified, and nobody depends on this node any more. An ordinary process is ready once the image is in
    /// its place; on a node that starts a kernel, phase 2 says so.
    fn hand_over(&mut self, now: Time, boot: &mut impl BootClient) -> Result<(), Failure> {
        let image = boot.image().expect("a node hands over to an image that it has verified");
        self.placed_at = Some(now);
        if let Some(folder) = &self.folder {
            folder.place(image.manifest()).map_err(Failure::failed)?;
            self.news.tell("phase 2 up")?;
            let (Some(command), Some(root)) = (&self.args.start, &self.args.root) else {
                boot.handed_over(now);
                return Ok(());
            };
            self.phase2 = Some(Phase2::start(now, command, root, self.args.ready_timeout)?);
            return Ok(());
        }
        let (kernel, initramfs) = (image.kernel(), image.initramfs());
        let cmdline = phase_2(image.manifest(), &self.fabric.to_string(), boot.ticket().as_ref());
        let secret = self.args.secret.as_deref().map(ClusterSecret::read_text).transpose().map_err(Failure::failed)?;
        let initramfs: Vec<&[u8]> = initramfs.as_deref().into_iter().collect();
        let before = initramfs.iter().map(|bytes| bytes.len()).sum();
        let ours = handover::archive(before, boot.routes().as_deref(), secret.as_deref());
        // A kernel that brings its own root is not to be given another one.
        let with_ours: Vec<&[u8]> = initramfs.iter().copied().chain([&ours[..]]).collect();
        let pieces = if initramfs.is_empty() { initramfs } else { with_ours };
        kexec::load(kernel.as_deref(), &pieces, &cmdline).map_err(Failure::failed)
    }

    /// Phase 2 runs: it becomes ready, or is seen to fail, which is written down.
    fn look_at_phase2(&mut self, now: Time, boot: &mut impl BootClient) -> Result<(), Failure> {
        let Some(phase2) = &mut self.phase2 else { return Ok(()) };
        match phase2.is_ready(now) {
            Ok(false) => return Ok(()),
            Ok(true) => boot.handed_over(now),
            Err(why) => {
                boot.phase2_failed(now);
                return Err(why);
            }
        }
        (self.phase2, self.placed_at) = (None, Some(now));
        Ok(())
    }

    /// The front end knows of the last stage, or does not answer any more.
    fn may_leave(&self, now: Time, boot: &impl BootClient) -> bool {
        self.phase2.is_none() && self.placed_at.is_some_and(|at| boot.is_heard() || now - at >= FAREWELL)
    }

    fn leave(&mut self) -> Result<(), Failure> {
        if self.args.kexec {
            match kexec::start().map_err(Failure::failed)? {}
        }
        self.news.tell("ready")
    }

    fn check_time(&self, now: Time, state: NodeState) -> Result<(), Failure> {
        match self.args.timeout {
            Some(limit) if now - self.since >= limit => {
                Err(Failure::Failed(format!("failed at `{state}`: no image within {limit:?}")))
            }
            _ => Ok(()),
        }
    }
}
