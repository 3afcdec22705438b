//! What others read of a map: pictures, and files for other programs.
//!
//! | module | what it is |
//! |---|---|
//! | [`groups`] | which crossbars belong together: the fabric as a tree |
//! | [`svg`] | a picture that a person reads at a glance |
//! | [`dot`] | the graph for Graphviz |
//! | [`slurm`] | Slurm's `topology.conf` |
//! | [`hostfile`] | the hosts in the order of their places |

pub mod dot;
pub mod groups;
pub mod hostfile;
pub mod slurm;
pub mod svg;

#[cfg(test)]
mod tests;
