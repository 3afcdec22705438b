//! What is known of a message that was received or probed.
use super::{MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_PROC_NULL, MPI_SUCCESS};
use std::ffi::c_int;

/// `MPI_Status`: 32 bytes, of which the standard names the first three fields.
///
/// ```text
/// MPI_SOURCE  MPI_TAG  MPI_ERROR  bytes, low  bytes, high  cancelled  0  0
/// ```
#[allow(non_snake_case)]
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MPI_Status {
    /// Rank of the sender.
    pub MPI_SOURCE: c_int,
    /// The message's tag.
    pub MPI_TAG: c_int,
    /// The error code, where a call completes several operations.
    pub MPI_ERROR: c_int,
    internal: [c_int; 5],
}

impl MPI_Status {
    /// The *empty* status of the standard.
    pub const EMPTY: MPI_Status =
        MPI_Status { MPI_SOURCE: MPI_ANY_SOURCE, MPI_TAG: MPI_ANY_TAG, MPI_ERROR: MPI_SUCCESS, internal: [0; 5] };

    /// The status of a receive from `MPI_PROC_NULL`.
    pub const NOBODY: MPI_Status = MPI_Status { MPI_SOURCE: MPI_PROC_NULL, ..MPI_Status::EMPTY };

    /// The same, with an error code.
    pub fn with_error(self, code: c_int) -> MPI_Status {
        MPI_Status { MPI_ERROR: code, ..self }
    }

    /// A message of so many bytes.
    pub fn message(source: c_int, tag: c_int, bytes: u64) -> MPI_Status {
        let mut status = MPI_Status::EMPTY;
        status.set_message(source, tag, bytes);
        status
    }

    /// Says that it is a message of so many bytes.
    #[inline]
    pub fn set_message(&mut self, source: c_int, tag: c_int, bytes: u64) {
        // Field by field: a whole status made elsewhere would be read again in other widths than it was just written, for which a
        // processor waits until all earlier writes are done.
        self.MPI_SOURCE = source;
        self.MPI_TAG = tag;
        self.MPI_ERROR = MPI_SUCCESS;
        self.set_bytes(bytes);
        self.set_cancelled(false);
    }

    /// Bytes of the message, as its sender's datatype counts them.
    #[inline]
    pub fn bytes(&self) -> u64 {
        u64::from(self.internal[0] as u32) | u64::from(self.internal[1] as u32) << 32
    }

    /// Sets the bytes of the message.
    #[inline]
    pub fn set_bytes(&mut self, bytes: u64) {
        self.internal[0] = bytes as u32 as c_int;
        self.internal[1] = (bytes >> 32) as u32 as c_int;
    }

    /// True if the operation was cancelled.
    pub fn cancelled(&self) -> bool {
        self.internal[2] != 0
    }

    /// Says whether the operation was cancelled.
    #[inline]
    pub fn set_cancelled(&mut self, cancelled: bool) {
        self.internal[2] = cancelled.into();
    }
}

const _: () = assert!(size_of::<MPI_Status>() == 32);
