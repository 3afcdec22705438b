//! The program `twowire`.
fn main() {}
