//! The mapper: what is out there, what it is called, and how to get from anywhere to anywhere.

mod levels;
pub mod naming;
