//! A server in a thread.

use super::super::*;
use crate::topology::Topology;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// What the server's thread is to do, and has noticed.
const RUN: u32 = 0;
const HOLD: u32 = 1;
const HELD: u32 = 2;
const STOP: u32 = 3;

pub(super) struct Running {
    dir: PathBuf,
    pub(super) topology: Topology,
    state: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn new(topology: Topology, config: ServerConfig) -> Running {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("twowire-xbar-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut server = Server::bind(&dir.join("x"), topology.clone(), config).unwrap();
        let state = Arc::new(AtomicU32::new(RUN));
        let asked = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let stop = || {
                if asked.compare_exchange(HOLD, HELD, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    while asked.load(Ordering::SeqCst) == HELD {
                        std::thread::yield_now();
                    }
                }
                asked.load(Ordering::SeqCst) == STOP
            };
            server.run(stop).unwrap();
        });
        Running { dir, topology, state, thread: Some(thread) }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.join("x")
    }

    pub(super) fn attach(&self, host: &str, attachment: Attachment) -> XbarPort {
        self.try_attach(host, attachment).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) fn try_attach(&self, host: &str, attachment: Attachment) -> Result<XbarPort, AttachError> {
        let options = AttachOptions { host: Some(host.to_owned()), attachment, ..AttachOptions::default() };
        XbarPort::attach(&self.path(), &options)
    }

    /// The plug of a card that the test emulates.
    pub(super) fn plug(&self, host: usize) -> Plug {
        Plug::new(&self.path(), Some(&self.topology.hosts()[host].name)).unwrap()
    }

    pub(super) fn control(&self) -> Control {
        Control::connect(&self.path()).unwrap()
    }

    /// Stops the server's thread from doing anything, or lets it go on.
    pub(super) fn hold(&self, held: bool) {
        self.state.store(if held { HOLD } else { RUN }, Ordering::SeqCst);
        while held && self.state.load(Ordering::SeqCst) != HELD {
            std::thread::yield_now();
        }
    }

    /// The drops of a cause, at all ports.
    pub(super) fn drops(&self, cause: DropCause) -> u64 {
        let lines = self.control().counters().unwrap();
        lines.iter().map(|line| line.counters.drops[cause as usize]).sum()
    }

    pub(super) fn stop(mut self) -> PathBuf {
        self.state.store(STOP, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        self.path()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.store(STOP, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
            remove(&self.dir);
        }
    }
}

fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
