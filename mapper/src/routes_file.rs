//! The text format of routes: `routes 1 epoch=3 hosts=1024 engine=clos`, then a line for each route.
//!
//! ```text
//! routes 1 epoch=3 hosts=1024 engine=clos
//! n0 n9 88f887                            source, destination, hop bytes in hexadecimal ("-" for none)
//! n0 n9 89f887                            further lines of the same pair are its alternates
//! n0 n7 88 rail=1                         leaves the source by its port 1
//! ```
//!
//! `#` starts a comment. A line that is not understood is an error with its line number: see
//! [`twowire_fabric::map::routes_text`], which reads it.

#[cfg(test)]
mod tests;

use crate::verify::Verified;
use std::io::{self, Write};
use twowire_fabric::map::RouteSet;
use twowire_fabric::topology::Topology;

/// Lines are collected up to this many bytes before they are written.
const CHUNK: usize = 1 << 20;

/// Writes routes that have been proved.
pub fn write(out: &mut impl Write, topology: &Topology, routes: &Verified<RouteSet>) -> io::Result<()> {
    write_unproved(out, topology, routes)
}

/// Writes any routes: tests need wrong ones.
fn write_unproved(out: &mut impl Write, topology: &Topology, routes: &RouteSet) -> io::Result<()> {
    let (epoch, hosts, engine) = (routes.epoch(), routes.hosts(), routes.engine());
    let mut chunk = Vec::with_capacity(CHUNK + 1024);
    writeln!(chunk, "routes 1 epoch={epoch} hosts={hosts} engine={engine}")?;
    for from in topology.host_ids() {
        let source = topology.host(from).name.as_bytes();
        let mut written = Ok(());
        routes.for_each_from(from, |route| {
            let destination = topology.host(route.to).name.as_bytes();
            push_line(&mut chunk, source, destination, route.rail, route.hops);
            if chunk.len() >= CHUNK && written.is_ok() {
                written = out.write_all(&chunk);
                chunk.clear();
            }
        });
        written?;
    }
    out.write_all(&chunk)
}

fn push_line(out: &mut Vec<u8>, source: &[u8], destination: &[u8], rail: u8, hops: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(source);
    out.push(b' ');
    out.extend_from_slice(destination);
    out.push(b' ');
    if hops.is_empty() {
        out.push(b'-');
    }
    for &hop in hops {
        out.extend_from_slice(&[DIGITS[usize::from(hop >> 4)], DIGITS[usize::from(hop & 15)]]);
    }
    if rail != 0 {
        out.extend_from_slice(format!(" rail={rail}").as_bytes());
    }
    out.push(b'\n');
}
