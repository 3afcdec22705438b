//! Schedules of all ranks are played against each other in one process, and compared with what the collective means.

mod moves;
mod others;
mod play;
mod reductions;
mod rig;
