//! How bytes get to another process of the job.
mod pool;
pub mod remote;
pub mod shm;
