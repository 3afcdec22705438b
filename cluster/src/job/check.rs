//! The MPI program of the job: checks that messages and collectives give what they should, and measures. It uses the library as any C
//! program does.
#![allow(unsafe_code)]

use mpi_abi::abi::{
    MPI_BYTE, MPI_COMM_WORLD, MPI_Comm, MPI_Datatype, MPI_INT64_T, MPI_Op, MPI_SUCCESS, MPI_SUM, MPI_Status,
};
use serde::{Deserialize, Serialize};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use twowire_fabric::program::{Failure, print_json};

// The prototypes of mpi.h.
unsafe extern "C" {
    fn MPI_Init(argc: *mut c_int, argv: *mut *mut *mut c_char) -> c_int;
    fn MPI_Finalize() -> c_int;
    fn MPI_Comm_rank(comm: MPI_Comm, rank: *mut c_int) -> c_int;
    fn MPI_Comm_size(comm: MPI_Comm, size: *mut c_int) -> c_int;
    fn MPI_Send(buf: *const c_void, count: c_int, of: MPI_Datatype, to: c_int, tag: c_int, comm: MPI_Comm) -> c_int;
    fn MPI_Recv(
        buf: *mut c_void,
        count: c_int,
        of: MPI_Datatype,
        from: c_int,
        tag: c_int,
        comm: MPI_Comm,
        status: *mut MPI_Status,
    ) -> c_int;
    fn MPI_Barrier(comm: MPI_Comm) -> c_int;
    fn MPI_Allreduce(
        send: *const c_void,
        receive: *mut c_void,
        count: c_int,
        of: MPI_Datatype,
        op: MPI_Op,
        comm: MPI_Comm,
    ) -> c_int;
    fn MPI_Alltoall(
        send: *const c_void,
        count: c_int,
        of: MPI_Datatype,
        receive: *mut c_void,
        number: c_int,
        as_type: MPI_Datatype,
        comm: MPI_Comm,
    ) -> c_int;
    fn MPI_Wtime() -> f64;
}

/// Round trips that the latency is taken from.
const ROUND_TRIPS: usize = 200;
/// Messages that the bandwidth is taken from, and their length in bytes.
const BULK: (usize, usize) = (16, 1 << 20);

/// What the program found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Ranks of the job.
    pub ranks: usize,
    /// Values that were compared with what they should be, on all ranks.
    pub verified: i64,
    /// Half of the round trip of 8 bytes between ranks 0 and 1, the mean, in microseconds; 0 in a job of one.
    pub latency_us: f64,
    /// What rank 1 receives of messages of 1 MiB, in MB/s; 0 in a job of one.
    pub bandwidth_mb_per_s: f64,
}

/// Why a check did not hold.
type Wrong = String;

/// Runs the program as one rank; rank 0 prints the figures.
pub fn main() -> Result<(), Failure> {
    match run().map_err(Failure::failed)? {
        Some(figures) => print_json(&figures),
        None => Ok(()),
    }
}

/// Runs the program as one rank; rank 0 has the figures.
pub fn run() -> Result<Option<Figures>, Wrong> {
    // SAFETY: null is allowed for both.
    done("MPI_Init", unsafe { MPI_Init(ptr::null_mut(), ptr::null_mut()) })?;
    let (mut rank, mut ranks) = (0, 0);
    // SAFETY: both are variables of ours.
    unsafe {
        done("MPI_Comm_rank", MPI_Comm_rank(MPI_COMM_WORLD, &mut rank))?;
        done("MPI_Comm_size", MPI_Comm_size(MPI_COMM_WORLD, &mut ranks))?;
    }
    let checked = check_alltoall(rank, ranks)? + check_allreduce(rank, ranks)?;
    let verified = sum(checked)?;
    let (latency_us, bandwidth_mb_per_s) = if ranks > 1 { (ping_pong(rank)?, stream(rank)?) } else { (0.0, 0.0) };
    // SAFETY: no pointers.
    unsafe {
        done("MPI_Barrier", MPI_Barrier(MPI_COMM_WORLD))?;
        done("MPI_Finalize", MPI_Finalize())?;
    }
    Ok((rank == 0).then_some(Figures { ranks: ranks as usize, verified, latency_us, bandwidth_mb_per_s }))
}

fn done(call: &str, code: c_int) -> Result<(), Wrong> {
    if code == MPI_SUCCESS { Ok(()) } else { Err(format!("{call} gave error {code}")) }
}

/// A sum over all ranks.
fn sum(mine: i64) -> Result<i64, Wrong> {
    let (mut all, mine) = (0i64, mine);
    let (send, receive) = ((&raw const mine).cast(), (&raw mut all).cast());
    // SAFETY: both hold one element.
    done("MPI_Allreduce", unsafe { MPI_Allreduce(send, receive, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD) })?;
    Ok(all)
}

/// Everybody sends everybody a number that says from whom and to whom it is; how many were right.
fn check_alltoall(rank: c_int, ranks: c_int) -> Result<i64, Wrong> {
    let out: Vec<i64> = (0..ranks).map(|to| i64::from(rank * 1000 + to)).collect();
    let mut came = vec![0i64; ranks as usize];
    let (send, receive) = (out.as_ptr().cast(), came.as_mut_ptr().cast());
    // SAFETY: both hold an element for each rank.
    done("MPI_Alltoall", unsafe { MPI_Alltoall(send, 1, MPI_INT64_T, receive, 1, MPI_INT64_T, MPI_COMM_WORLD) })?;
    let expected: Vec<i64> = (0..ranks).map(|from| i64::from(from * 1000 + rank)).collect();
    if came == expected { Ok(came.len() as i64) } else { Err(format!("MPI_Alltoall gave {came:?}, not {expected:?}")) }
}

/// Sums of vectors whose elements are known; how many were right.
fn check_allreduce(rank: c_int, ranks: c_int) -> Result<i64, Wrong> {
    let out: Vec<i64> = (0..1000).map(|index| index * (i64::from(rank) + 1)).collect();
    let mut came = vec![0i64; out.len()];
    let (send, receive, count) = (out.as_ptr().cast(), came.as_mut_ptr().cast(), out.len() as c_int);
    // SAFETY: both hold so many elements.
    done("MPI_Allreduce", unsafe { MPI_Allreduce(send, receive, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD) })?;
    let factor = i64::from(ranks) * (i64::from(ranks) + 1) / 2;
    match (0..).zip(&came).find(|&(index, &sum)| sum != index * factor) {
        None => Ok(came.len() as i64),
        Some((index, sum)) => Err(format!("MPI_Allreduce gave {sum} at {index}, not {}", index * factor)),
    }
}

fn send(bytes: &[u8], to: c_int) -> Result<(), Wrong> {
    let (address, len) = (bytes.as_ptr().cast(), bytes.len() as c_int);
    // SAFETY: the bytes are there.
    done("MPI_Send", unsafe { MPI_Send(address, len, MPI_BYTE, to, 1, MPI_COMM_WORLD) })
}

fn receive(bytes: &mut [u8], from: c_int) -> Result<(), Wrong> {
    let (address, len) = (bytes.as_mut_ptr().cast(), bytes.len() as c_int);
    // SAFETY: the bytes are there; null is MPI_STATUS_IGNORE.
    done("MPI_Recv", unsafe { MPI_Recv(address, len, MPI_BYTE, from, 1, MPI_COMM_WORLD, ptr::null_mut()) })
}

fn now() -> f64 {
    // SAFETY: no pointers.
    unsafe { MPI_Wtime() }
}

fn ping_pong(rank: c_int) -> Result<f64, Wrong> {
    let mut bytes = [7u8; 8];
    let begun = now();
    for _ in 0..ROUND_TRIPS {
        match rank {
            0 => send(&bytes, 1).and_then(|()| receive(&mut bytes, 1))?,
            1 => receive(&mut bytes, 0).and_then(|()| send(&bytes, 0))?,
            _ => {}
        }
    }
    Ok((now() - begun) / (2 * ROUND_TRIPS) as f64 * 1e6)
}

fn stream(rank: c_int) -> Result<f64, Wrong> {
    let (count, len) = BULK;
    let mut bytes = vec![rank as u8; len];
    let begun = now();
    for _ in 0..count {
        match rank {
            0 => send(&bytes, 1)?,
            1 => receive(&mut bytes, 0)?,
            _ => {}
        }
    }
    match rank {
        0 => receive(&mut bytes[..1], 1)?,
        1 if bytes.iter().any(|&byte| byte != 0) => return Err("a message of 1 MiB arrived damaged".to_owned()),
        1 => send(&bytes[..1], 0)?,
        _ => {}
    }
    Ok((count * len) as f64 / (now() - begun) / 1e6)
}
