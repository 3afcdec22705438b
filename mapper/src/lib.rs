//! Finds, names, routes and proves a source-routed fabric; the program `mapper`.

pub mod diff;
pub mod engine;
pub mod naming;
pub mod routes;
pub mod routes_file;
pub mod svg;
pub mod verify;
