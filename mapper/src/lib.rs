//! The mapper: what is out there, what it is called, and how to get from anywhere to anywhere.

pub mod diff;
mod levels;
pub mod naming;
pub mod svg;
