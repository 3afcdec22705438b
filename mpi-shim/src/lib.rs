//! The MPI library of Twowire, with the MPI 5.0 standard ABI; `docs/mpi.md` says how to use it.
//!
//! | module | what it is |
//! |---|---|
//! | `abi`, `error`, `handles` | what C sees of our objects: values, error classes, handles |
//! | `state` | the process's one state, and who may touch it |
//! | `launch` | how a process learns its place in the job |
//! | `transport` | how bytes get to another process |
//! | `copy` | bytes from here to there, in the fastest way |
//! | `datatype`, `op` | what lies in a message, and what is done to it |
//! | `group`, `comm`, `topology` | who talks to whom |
//! | `info`, `attribute` | hints, what is told of things, and what programs hang on them |
//! | `calls` | which call the program is in |
//! | `debug` | what the library says of itself when `TWOWIRE_DEBUG` asks |
//! | `errhandler`, `error_codes` | what happens when a call fails |
//! | `p2p` | matching, eager and rendezvous messages, requests, waiting |
//! | `coll` | collectives |
//! | `report` | what `mpirun --report` is told |
//! | `world`, `session` | beginning and end |
//! | `ffi` | the functions that C calls |

pub mod abi;
pub mod attribute;
pub mod calls;
pub mod clock;
pub mod coll;
pub mod comm;
pub mod copy;
pub mod datatype;
pub mod debug;
pub mod errhandler;
pub mod error;
pub mod error_codes;
pub mod ffi;
pub mod group;
pub mod handles;
pub mod info;
pub mod launch;
pub mod op;
pub mod p2p;
pub mod report;
pub mod session;
pub mod state;
pub mod topology;
pub mod transport;
pub mod world;
