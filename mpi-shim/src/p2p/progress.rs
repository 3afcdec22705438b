//! Progress and waiting. These functions enter the state themselves: call them without a guard.
use super::{Buffer, Mode, Plane, irecv, isend, test};
use crate::abi::{MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::Result;
use crate::state::{self, State};

/// Makes progress until `ready` gives something.
pub fn wait_until<T>(mut ready: impl FnMut(&mut State) -> Result<Option<T>>) -> Result<T> {
    loop {
        if let Some(value) = ready(&mut state::enter())? {
            return Ok(value);
        }
        std::thread::yield_now();
    }
}

/// Waits for a request, and takes it out of the table.
pub fn wait(request: MPI_Request) -> Result<MPI_Status> {
    wait_until(|state| test(state, request))
}

/// Sends bytes within the library.
pub fn send_bytes(comm: &Comm, plane: Plane, dest: i32, tag: i32, bytes: &[u8]) -> Result<()> {
    let request = isend(&mut state::enter(), comm, plane, dest, tag, Buffer::lent(bytes), Mode::Standard)?;
    wait(request).map(|_| ())
}

/// Receives bytes within the library; how many came.
pub fn recv_bytes(comm: &Comm, plane: Plane, source: i32, tag: i32, bytes: &mut [u8]) -> Result<usize> {
    let request = irecv(&mut state::enter(), comm, plane, source, tag, Buffer::lent_mut(bytes))?;
    Ok(wait(request)?.bytes() as usize)
}
