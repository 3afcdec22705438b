//! `bootnode --report-ready`: phase 2 tells the front end that it runs.

use super::Args;
use super::news::News;
use crate::init::left::Left;
use crate::session::{ReadyReport, Ticket, Timing};
use std::time::Duration;
use twowire_fabric::program::Failure;
use twowire_fabric::program::interrupt::interrupted;
use twowire_fabric::protocol::drive;
use twowire_fabric::provider;

/// Ctrl-C and the clock are looked at so often.
const SLICE: Duration = Duration::from_millis(50);

/// How long the front end may take to answer, unless `--timeout` says something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reports until the front end has heard it. What is not given is on the kernel's command line.
pub(super) fn report(args: &Args, ticket: Option<&Ticket>) -> Result<(), Failure> {
    report_with(args, ticket, &Left::read()?)
}

fn report_with(args: &Args, ticket: Option<&Ticket>, left: &Left) -> Result<(), Failure> {
    let ticket = ticket.map_or_else(|| left.ticket(), |ticket| Ok(ticket.clone()))?;
    let fabric = args.fabric.as_ref().map_or_else(|| left.fabric(), |fabric| Ok(fabric.clone()))?;
    let mut news = News::new(args.json);
    let mut port = provider::open(&fabric, None).map_err(Failure::failed)?;
    news.tell("phase 2 up")?;
    // First of all: a front end that is silent says nothing against the image.
    let noted = args.nvram.as_ref().map_or(Ok(()), |device| left.note_ready(device));
    let mut report = ReadyReport::new(ticket, Timing::real());
    let deadline = port.now() + args.timeout.unwrap_or(PATIENCE);
    while !report.is_heard() {
        let slice = (port.now() + SLICE).min(deadline);
        drive(port.as_mut(), &mut report, slice, |report| report.is_heard())
            .map_err(|error| Failure::Failed(format!("the link failed: {error}")))?;
        if interrupted() {
            return Err(Failure::Interrupted);
        }
        if !report.is_heard() && port.now() >= deadline {
            let why = "the front end does not answer; is the bootd that sent this image still running?";
            return noted.and(Err(Failure::failed(why)));
        }
    }
    noted?;
    news.tell("ready")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use twowire_fabric::topology::generate;
    use twowire_fabric::xbar::{Server, ServerConfig};
    use twowire_route_store::{Access, Attempts, Device, Hops, Record, Store};

    const TAG: &str = "000000aa";

    /// What `bootnode --report-ready` says on a fabric where no front end answers.
    fn report_to_nobody(dir: &Path, cmdline: &str) -> Result<(), Failure> {
        let socket = dir.join("fabric");
        let topology = generate::xgft(&[2], &[1]).expect("a crossbar");
        let host = topology.hosts()[1].name.clone();
        let mut server = Server::bind(&socket, topology, ServerConfig::default()).expect("a socket in a new folder");
        let cmdline = format!("\"twowire.fabric=xbar:{},host={host}\" {cmdline}", socket.display());
        let nvram = format!("file:{}", dir.join("nvram").display());
        let args = ["bootnode", "--report-ready", "--timeout", "50ms", "--json", "--nvram", &nvram];
        let (args, done) = (Args::parse_from(args), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| server.run(|| done.load(Ordering::Relaxed)));
            let result = report_with(&args, None, &Left::of(&cmdline).expect("good settings"));
            done.store(true, Ordering::Relaxed);
            result
        })
    }

    fn store(dir: &Path) -> Store<Box<dyn twowire_route_store::Medium>> {
        let device: Device = format!("file:{}", dir.join("nvram").display()).parse().expect("a device");
        Store::new(device.open(Access::Write).expect("a file"))
    }

    /// The record of a node on which an image was tried once.
    fn tried_once(dir: &Path) {
        fs::write(dir.join("nvram"), [0xff; 512]).expect("room");
        let attempts = Attempts { image: TAG.parse().expect("a tag"), begun: 1, proven: false };
        let record = Record::new(1, 0, Hops::default(), Vec::new()).expect("a record").with_attempts(Some(attempts));
        store(dir).write(&record).expect("room");
    }

    #[test]
    fn an_image_that_runs_is_proven_even_if_the_front_end_is_silent() {
        let dir = tempfile::tempdir().expect("a folder");
        tried_once(dir.path());
        let cmdline = format!("twowire.image={TAG} twowire.version=7 twowire.ready=1/n0/1/1/81");
        let failure = report_to_nobody(dir.path(), &cmdline).expect_err("nobody answers");
        assert!(format!("{failure:?}").contains("the front end does not answer"), "{failure:?}");
        let record = store(dir.path()).load().expect("a record").record;
        assert_eq!((record.attempts().map(|attempts| attempts.proven), record.floor()), (Some(true), 7));
    }
}
