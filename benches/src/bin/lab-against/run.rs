//! One boot of all machines.

use std::fmt;
use std::time::{Duration, Instant};
use twowire_fabric::program::{Failure, interrupt};

/// How often it is looked how far the machines are.
const STEP: Duration = Duration::from_millis(20);

/// What a machine comes to on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Milestone {
    /// It has sent a frame.
    FirstFrame,
    /// It has all of kernel and initramfs.
    Image,
    /// The kernel that it was sent starts.
    Kernel,
    /// The first program of that kernel runs; over the fabric also: its front end knows.
    Ready,
}

impl Milestone {
    /// All, in order.
    pub(super) const ALL: [Milestone; 4] =
        [Milestone::FirstFrame, Milestone::Image, Milestone::Kernel, Milestone::Ready];
}

/// A way to boot machines.
pub(super) trait Way {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Switches all machines on. Their servers have to be there. What is returned is switched off when it is dropped.
    fn switch_on(&self) -> Result<Box<dyn Machines + '_>, Failure>;
}

/// Machines that are on.
pub(super) trait Machines {
    /// How many have come so far.
    fn reached(&self, milestone: Milestone) -> usize;
}

/// When the last machine came how far, in seconds since the first was switched on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times(pub [f64; Milestone::ALL.len()]);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [frame, image, kernel, ready] = self.0;
        write!(f, "first frame {frame:.1} s, image {image:.1} s, kernel {kernel:.1} s, ready {ready:.1} s")
    }
}

/// Switches the machines on, waits until all are ready, and switches them off.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(super) fn measure(way: &dyn Way, nodes: usize, limit: Duration) -> Result<Times, Failure> {
    let begun = Instant::now();
    let machines = way.switch_on()?;
    let mut times = [None; Milestone::ALL.len()];
    while times.iter().any(Option::is_none) {
        if interrupt::interrupted() {
            return Err(Failure::Interrupted);
        }
        let now = begun.elapsed();
        if now > limit {
            let reached = Milestone::ALL.map(|milestone| machines.reached(milestone));
            let what = format!("{} has not booted {nodes} machines within {limit:?}", way.name());
            return Err(Failure::Failed(format!(
                "{what}: {reached:?} of them have sent a frame, have the image, start it, are ready"
            )));
        }
        for (time, milestone) in times.iter_mut().zip(Milestone::ALL) {
            if time.is_none() && machines.reached(milestone) >= nodes {
                *time = Some(now.as_secs_f64());
            }
        }
        std::thread::sleep(STEP);
    }
    Ok(Times(times.map(Option::unwrap_or_default)))
}
