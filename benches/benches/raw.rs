//! Ports on Ethernet devices: one host sends to a group, and every receiver stores what comes.
//!
//! There is no protocol: the sender is never further ahead of the slowest receiver than a window, which it knows because all
//! are threads of one process. So this is the most that a protocol over these ports can reach. Needs root.
//!
//! `cargo bench -p twowire-benches --bench raw -- --receivers 1,8 --mtu 1500,9000 --mib 256`

use bytes::Bytes;
use clap::Parser;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use twowire_benches::Figures;
use twowire_fabric::protocol::{Group, Path, Port, Received, Transmit};
use twowire_fabric::raw::{RawOptions, RawPort};
use twowire_fabric::wire::boot::Block;
use twowire_fabric::wire::{Header, Packet};
use twowire_hwtests::netns::{DEVICE, NetnsError, Network, Plan};

const GROUP: Group = Group(1);

/// Bytes that may be under way to the slowest receiver.
const WINDOW: u64 = 8 << 20;

/// After so long without a frame a receiver takes the rest for lost.
const SILENCE: Duration = Duration::from_secs(1);

#[derive(Parser)]
struct Args {
    /// Numbers of receivers
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    receivers: Vec<usize>,
    /// MTUs
    #[arg(long, value_delimiter = ',', default_value = "1500,9000")]
    mtu: Vec<u32>,
    /// How much is sent
    #[arg(long, default_value_t = 256)]
    mib: usize,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

/// What the threads share.
struct Course {
    bytes: usize,
    frames: u64,
    payload: usize,
    /// For each receiver, the number above the highest frame that came.
    progress: Vec<AtomicU64>,
    start: Barrier,
}

fn send(port: &mut RawPort, course: &Course) {
    let source = Bytes::from(vec![0x5a; (1 << 20) + course.payload]);
    let window = WINDOW / course.payload as u64;
    course.start.wait();
    for number in 0..course.frames {
        // The receivers say nothing in the frames, so there is nothing to wait for but time.
        while number >= course.progress.iter().map(|p| p.load(Ordering::Relaxed)).min().unwrap_or(0) + window {
            let soon = port.now() + Duration::from_micros(50);
            port.wait(soon).expect("the port is open");
        }
        let header = Block { session: 1, edge: 0, echo: 0, sequence: number as u32, position: number as u32 };
        let at = (number as usize * 1432) % (1 << 20);
        let packet = Packet::with_payload(header, source.slice(at..at + course.payload));
        while !port.can_send() {
            let soon = port.now() + Duration::from_micros(50);
            port.wait(soon).expect("the port is open");
        }
        port.send(Transmit::new(Path::Group(GROUP), packet)).expect("the port is open");
    }
    port.flush().expect("the port is open");
}

/// Stores what comes; returns how many frames came, and when the last one did.
fn receive(port: &mut RawPort, course: &Course, progress: &AtomicU64) -> (u64, Instant) {
    let mut image = vec![1; course.bytes + course.payload];
    let (mut count, mut last) = (0, now());
    course.start.wait();
    while progress.load(Ordering::Relaxed) < course.frames && now() - last < SILENCE {
        while let Some(received) = port.recv().expect("the port is open") {
            let Received::Packet(Packet { header: Header::Block(block), payload }) = received else { continue };
            let at = block.sequence as usize * course.payload;
            image[at..at + payload.len()].copy_from_slice(&payload);
            count += 1;
            progress.fetch_max(u64::from(block.sequence) + 1, Ordering::Relaxed);
            last = now();
        }
        let soon = port.now() + Duration::from_millis(100);
        port.wait(soon).expect("the port is open");
    }
    // Nobody waits for one that has given up.
    progress.store(u64::MAX / 2, Ordering::Relaxed);
    (count, last)
}

/// Goodput at the slowest receiver in MB/s, and the part of the frames that were lost.
fn measure(receivers: usize, mtu: u32, bytes: usize) -> Result<(f64, f64), NetnsError> {
    let network = Network::new(Plan::new(receivers + 1, mtu))?;
    let open = |host| network.inside(host, || RawPort::open(DEVICE, RawOptions::default()).expect("a port"));
    let mut ports = (0..=receivers).map(open).collect::<Result<Vec<_>, _>>()?;
    let payload = ports[0].limits().max_payload;
    let progress = (0..receivers).map(|_| AtomicU64::new(0)).collect();
    let frames = bytes.div_ceil(payload) as u64;
    let course = Course { bytes, frames, payload, progress, start: Barrier::new(receivers + 2) };
    ports[1..].iter_mut().for_each(|port| port.join(GROUP).expect("a group"));
    let (sender, others) = ports.split_first_mut().expect("there is a sender");
    let (start, ends) = std::thread::scope(|scope| {
        let course = &course;
        let threads = others.iter_mut().zip(&course.progress);
        let threads: Vec<_> =
            threads.map(|(port, progress)| scope.spawn(move || receive(port, course, progress))).collect();
        scope.spawn(move || send(sender, course));
        course.start.wait();
        let start = now();
        (start, threads.into_iter().map(|thread| thread.join().expect("it ends")).collect::<Vec<_>>())
    });
    let last = ends.iter().map(|(_, at)| *at).max().unwrap_or(start);
    let came: u64 = ends.iter().map(|(count, _)| count).sum();
    let lost = 1.0 - came as f64 / (frames * receivers as u64) as f64;
    Ok((bytes as f64 / (last - start).as_secs_f64() / 1e6, lost))
}

fn main() {
    let args = Args::parse();
    let mut figures = Figures::of("raw");
    for &mtu in &args.mtu {
        for &receivers in &args.receivers {
            match measure(receivers, mtu, args.mib << 20) {
                Ok((rate, lost)) => figures.record(
                    format!("a port to a group of {receivers}, MTU {mtu}, no protocol, {} MiB", args.mib),
                    format!("{rate:.0} MB/s at each, {:.2} % lost", 100.0 * lost),
                ),
                Err(error) => {
                    eprintln!("skipped: {error}");
                    return;
                }
            }
        }
    }
}
