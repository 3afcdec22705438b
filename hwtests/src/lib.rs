//! Tests that look at the whole workspace, or need real kernels, devices or other programs; they are in `tests/`. The library is
//! what they share with the benches: Ethernet networks made of network namespaces, the programs as processes, virtual machines, and labs of them.

pub mod lab;
pub mod netns;
pub mod programs;
pub mod vm;
