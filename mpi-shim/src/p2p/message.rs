//! What goes through a ring or over the fabric, and what is kept of it until somebody asks.
use crate::abi::MPI_Request;
use crate::transport::shm::Parcel;

/// The kinds of messages; what their prefix holds.
///
/// ```text
/// sender                               receiver
///   Eager (data) ------------------------>          up to the eager limit
///   Parcel (cell, bytes) ---------------->          within a node, as long as there are cells: the data lies in one
///   Synchronous (send; data) ------------>
///                <------------------ Done (send)    it was matched
///   Announced (bytes, address, send) ---->          more than that: the receiver copies it
///                <------------------ Done (send)
///   Announced (bytes, address, send) ---->          where it cannot
///                <- Wanted (send, receive, bytes)
///   Data (receive; data) ... ------------>
///                <--------------- Throttle (on)      it holds much that nobody asked for
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A whole message.
    Eager = 1,
    /// The same, whose sender waits for its match.
    Synchronous,
    /// A message's length, and where its data is.
    Announced,
    /// The sender need not keep its data any longer.
    Done,
    /// Send the data.
    Wanted,
    /// A piece of it.
    Data,
    /// Announce messages in place of sending their data (1), or no longer (0): to a process of another node; within a node
    /// a flag in shared memory says that.
    Throttle,
    /// A whole message, whose data lies in a cell of shared memory.
    Parcel,
}

impl Kind {
    /// The kind of this number.
    pub(super) fn of(number: u8) -> Option<Kind> {
        const ALL: [Kind; 8] = [
            Kind::Eager,
            Kind::Synchronous,
            Kind::Announced,
            Kind::Done,
            Kind::Wanted,
            Kind::Data,
            Kind::Throttle,
            Kind::Parcel,
        ];
        ALL.into_iter().find(|&kind| kind as u8 == number)
    }
}

/// A message that nobody has asked for yet.
#[derive(Debug)]
pub struct Message {
    /// Where it came from.
    pub sender: Sender,
    /// Its data, or where that is.
    pub body: Body,
    /// The sender's request, if it waits for the match.
    pub synchronous: Option<u64>,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This process.
    Oneself,
    /// Another process.
    Process(u32),
}

/// A message's data.
#[derive(Debug)]
pub enum Body {
    /// Here it is.
    Data(Box<[u8]>),
    /// It lies in a cell, which is this process's.
    Parcel(Parcel),
    /// The sender has it.
    Announced(Announced),
}

/// What is known of a message whose data the sender has.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// Its length.
    pub bytes: u64,
    /// Its address in the sender's memory; 0 if it does not lie there in one piece.
    pub address: u64,
    /// The sender's request.
    pub request: MPI_Request,
}

impl Message {
    /// Bytes of the message.
    pub fn bytes(&self) -> u64 {
        match &self.body {
            Body::Data(bytes) => bytes.len() as u64,
            Body::Parcel(parcel) => parcel.bytes() as u64,
            Body::Announced(announced) => announced.bytes,
        }
    }
}
