//! The mapper: what is out there, what it is called, and how to get from anywhere to anywhere.

pub mod cabling;
pub mod change;
pub mod cli;
pub mod diff;
pub mod discovery;
pub mod engine;
pub mod explain;
pub mod hostlist;
pub mod infiniband;
mod levels;
pub mod merge;
pub mod naming;
pub mod output;
pub mod repair;
pub mod routes_file;
pub mod serve;
pub mod verify;
