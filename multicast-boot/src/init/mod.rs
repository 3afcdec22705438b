//! Process 1 of a node: what the kernel starts from the initramfs in the node's flash.
//!
//! It mounts what programs need, loads the modules of the network card, switches the card on, and runs `bootnode` with the
//! settings of the kernel's command line as a child: whatever happens to the child, process 1 tries again, ever more
//! slowly, and restarts the machine when it has failed for too long. It never ends, for that would stop the kernel.
//!
//! | module | what it is |
//! |---|---|
//! | [`settings`] | the words `twowire.KEY=VALUE` of the kernel's command line |
//! | [`handover`] | what phase 1 leaves to phase 2 besides |
//! | [`left`] | what phase 2 finds of it |
//! | [`machine`] | file systems, modules, restarting |
//! | [`link`] | the network device |
//! | [`patience`] | when to try again, and when to restart |

pub mod handover;
pub mod left;
pub mod link;
pub mod machine;
pub mod patience;
pub mod settings;

/// Where the phase-1 initramfs has the cluster's public key.
pub const KEY_FILE: &str = "/etc/twowire/cluster.pub";

/// Where the cluster's secret lies in phase 1, if it has one.
pub const SECRET_FILE: &str = "/etc/twowire/cluster.secret";

/// Where phase 2 finds the node's routes as phase 1 had them.
pub const ROUTES_FILE: &str = "/etc/twowire/routes";

/// The program that phase 2 runs, where the image has it: the node's agent.
pub const AGENT: &str = "/bin/noded";

/// Where the phase-1 initramfs lists its kernel modules, a path on each line, in the order in which they are loaded.
pub const MODULES_FILE: &str = "/etc/twowire/modules";
