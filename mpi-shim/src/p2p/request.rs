//! Requests: operations under way, and those that can be started again.
use crate::abi::{MPI_Request, MPI_Status};
use crate::error::{Error, Result};

/// An operation under way, or complete and not yet looked at.
pub struct Request {
    /// Set when it is complete.
    pub outcome: Option<Result<MPI_Status>>,
    /// What it is.
    pub kind: Kind,
}

/// What a request is.
pub enum Kind {
    /// A message that is sent.
    Send,
    /// A message that is received.
    Receive,
    /// Something that the library does in steps (a collective): its steps are in the list of activities.
    Activity,
    /// Kept by the user, to be started again and again.
    Persistent {
        /// How it is started.
        recipe: Box<dyn Recipe>,
        /// The operation that a start began.
        active: Option<MPI_Request>,
    },
}

/// Starts a persistent request.
pub trait Recipe {
    /// Begins the operation; called without a guard.
    fn start(&self) -> Result<MPI_Request>;
}

/// Something that goes on in steps, such as the schedule of a non-blocking collective.
pub trait Activity {
    /// Does what can be done now; called from the progress loop, without a guard. True when all is done.
    fn advance(&mut self) -> Result<bool>;
}

impl Request {
    /// A new operation, not complete.
    pub fn new(kind: Kind) -> Request {
        Request { outcome: None, kind }
    }

    /// Completes it with an error.
    pub fn fail(&mut self, error: Error) {
        self.outcome = Some(Err(error));
    }
}
