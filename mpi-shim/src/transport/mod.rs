//! How bytes get to another process of the job.
pub mod remote;
pub mod shm;
