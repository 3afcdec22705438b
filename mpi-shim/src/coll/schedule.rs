//! What one rank does for one collective: a list of steps, built before anything is sent.
//!
//! Sends and receives start where they stand in the list; `Wait` is where all that were started so far must have ended. Copies and
//! reductions between them are done on the spot. Two ranks match messages by their order alone: the k-th send from a to b is the k-th
//! receive at b from a. So a schedule needs no tag of its own, and one tag tells two collectives apart.

use std::mem::MaybeUninit;
use std::sync::Arc;

use crate::datatype::Datatype;
use crate::op::Op;

/// `count` elements of a type in this process's memory. The address is a number here; only [`super::memory`] and the transports use it.
#[derive(Clone, Debug)]
pub struct Data {
    /// Where the first element begins.
    pub address: usize,
    /// How many elements.
    pub count: usize,
    /// Of which type; `None` for bytes.
    pub datatype: Option<Arc<Datatype>>,
}

impl Data {
    /// `count` elements of `datatype` at `address`.
    pub fn new(address: usize, count: usize, datatype: &Arc<Datatype>) -> Data {
        Data { address, count, datatype: Some(Arc::clone(datatype)) }
    }

    /// Bytes of the values, without gaps.
    pub fn bytes(&self) -> usize {
        self.count * self.datatype.as_ref().map_or(1, |datatype| datatype.size())
    }

    /// Bytes from one element to the next.
    pub fn extent(&self) -> isize {
        self.datatype.as_ref().map_or(1, |datatype| datatype.extent())
    }

    /// The elements `first..first + count` of what lies here.
    pub fn elements(&self, first: usize, count: usize) -> Data {
        Data { address: at(self.address, first, self.extent()), count, datatype: self.datatype.clone() }
    }

    /// Elements of the same type elsewhere.
    pub fn moved(&self, address: usize) -> Data {
        Data { address, count: self.count, datatype: self.datatype.clone() }
    }

    /// The values as bytes, if they lie in one run without gaps.
    pub fn as_run(&self) -> Option<Data> {
        let (offset, len) = match &self.datatype {
            Some(datatype) => datatype.contiguous_run(self.count)?,
            None => (0, self.count),
        };
        Some(run(self.address.wrapping_add_signed(offset), len))
    }
}

/// The address `count` times `stride` bytes after `address`.
pub fn at(address: usize, count: usize, stride: isize) -> usize {
    address.wrapping_add_signed((count as isize).wrapping_mul(stride))
}

/// Equal blocks of elements, one for each rank, one after the other.
#[derive(Clone, Debug)]
pub struct Blocks {
    first: Data,
}

impl Blocks {
    /// Blocks of the shape of `first`, which is that of rank 0.
    pub fn new(first: Data) -> Blocks {
        Blocks { first }
    }

    /// The same as blocks of bytes, if there are no gaps in them and between them: those are quicker to handle than elements of a type.
    pub fn in_bytes(self) -> Blocks {
        let length = self.first.extent().checked_mul(self.first.count as isize);
        match self.first.as_run().filter(|run| length == Some(run.count as isize)) {
            Some(run) => Blocks::new(run),
            None => self,
        }
    }

    /// The block of one rank.
    pub fn of(&self, rank: usize) -> Data {
        self.first.elements(rank * self.first.count, self.first.count)
    }

    /// The blocks of `count` ranks that follow one another.
    pub fn range(&self, rank: usize, count: usize) -> Data {
        self.first.elements(rank * self.first.count, count * self.first.count)
    }

    /// Bytes of one block.
    pub fn bytes(&self) -> usize {
        self.first.bytes()
    }

    /// Blocks of the same shape elsewhere.
    pub fn moved(&self, address: usize) -> Blocks {
        Blocks { first: self.first.moved(address) }
    }
}

/// One step of a schedule.
#[derive(Clone, Debug)]
pub enum Step {
    /// Starts a message to a rank of the communicator (of the remote group in an inter-communicator).
    Send {
        /// The receiver.
        to: usize,
        /// The message.
        data: Data,
    },
    /// Starts to receive from a rank.
    Receive {
        /// The sender.
        from: usize,
        /// Where the message goes.
        data: Data,
    },
    /// All sends and receives so far have ended.
    Wait,
    /// Copies values; the two may differ in type, not in bytes.
    Copy {
        /// What is copied.
        from: Data,
        /// Where to.
        to: Data,
    },
    /// `to[i] = from[i] op to[i]`, with the type of `to`.
    Reduce {
        /// The address of the left operands.
        from: usize,
        /// The right operands, replaced by the results.
        to: Data,
    },
}

/// All steps of one rank, and the memory that they need besides the caller's.
#[derive(Debug)]
pub struct Schedule {
    /// The call that it is for.
    pub name: &'static str,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The operation of the `Reduce` steps.
    pub op: Option<Arc<Op>>,
    /// That memory: the steps have its addresses.
    _scratch: Vec<Box<[MaybeUninit<u128>]>>,
}

/// Writes the schedule of one rank.
#[derive(Debug)]
pub struct Builder {
    /// The rank that the schedule is for.
    pub rank: usize,
    /// Ranks of the communicator.
    pub size: usize,
    steps: Vec<Step>,
    op: Option<Arc<Op>>,
    scratch: Vec<Box<[MaybeUninit<u128>]>>,
}

impl Builder {
    /// An empty schedule for `rank` of `size`, with the operation of its reductions.
    pub fn new(rank: usize, size: usize, op: Option<&Arc<Op>>) -> Builder {
        Builder { rank, size, steps: Vec::new(), op: op.cloned(), scratch: Vec::new() }
    }

    /// What has been written.
    pub fn finish(self) -> Schedule {
        Schedule { name: "", steps: self.steps, op: self.op, _scratch: self.scratch }
    }

    /// Starts a message.
    pub fn send(&mut self, to: usize, data: Data) {
        self.steps.push(Step::Send { to, data });
    }

    /// Starts a receive.
    pub fn receive(&mut self, from: usize, data: Data) {
        self.steps.push(Step::Receive { from, data });
    }

    /// Starts a message, unless both sides know that it is empty.
    pub fn send_some(&mut self, to: usize, data: Data) {
        if data.bytes() > 0 {
            self.send(to, data);
        }
    }

    /// Starts a receive, unless both sides know that it is empty.
    pub fn receive_some(&mut self, from: usize, data: Data) {
        if data.bytes() > 0 {
            self.receive(from, data);
        }
    }

    /// Waits for all that was started.
    pub fn wait(&mut self) {
        self.steps.push(Step::Wait);
    }

    /// Copies values, unless both are the same place.
    pub fn copy(&mut self, from: Data, to: Data) {
        let same_type = || match (&from.datatype, &to.datatype) {
            (Some(from), Some(to)) => Arc::ptr_eq(from, to),
            (from, to) => from.is_none() == to.is_none(),
        };
        if to.bytes() > 0 && !(from.address == to.address && same_type()) {
            self.steps.push(Step::Copy { from, to });
        }
    }

    /// `to = from op to`.
    pub fn reduce(&mut self, from: usize, to: Data) {
        if to.count > 0 {
            self.steps.push(Step::Reduce { from, to });
        }
    }

    /// Sends to one and receives from another rank, and waits for both.
    pub fn exchange(&mut self, to: usize, out: Data, from: usize, into: Data) {
        self.receive(from, into);
        self.send(to, out);
        self.wait();
    }

    /// Memory for `bytes` bytes that lives as long as the schedule, aligned for every type.
    pub fn scratch(&mut self, bytes: usize) -> usize {
        let mut block = Box::new_uninit_slice(bytes.div_ceil(16));
        let address = block.as_mut_ptr().expose_provenance();
        self.scratch.push(block);
        address
    }

    /// `len` bytes of scratch memory.
    pub fn scratch_run(&mut self, len: usize) -> Data {
        let address = self.scratch(len);
        run(address, len)
    }

    /// Scratch memory for elements of the type of `like`, gaps and all, so that an operation may be applied there.
    pub fn scratch_like(&mut self, like: &Data) -> Data {
        let Some(datatype) = like.datatype.as_ref().filter(|_| like.count > 0) else {
            return like.moved(self.scratch(like.count));
        };
        let (offset, len) = datatype.footprint(like.count);
        let address = self.scratch(len);
        like.moved(address.wrapping_add_signed(-offset))
    }

    /// The values of `data` as one run of bytes: where they are, or copied to scratch memory if there are gaps.
    pub fn gathered(&mut self, data: &Data) -> Data {
        data.as_run().unwrap_or_else(|| {
            let whole = self.scratch_run(data.bytes());
            self.copy(data.clone(), whole.clone());
            whole
        })
    }

    /// One run of bytes to receive the values of `data` into; [`Builder::scattered`] puts them in their places.
    pub fn place_for(&mut self, data: &Data) -> Data {
        data.as_run().unwrap_or_else(|| self.scratch_run(data.bytes()))
    }

    /// Puts what came into the run of [`Builder::place_for`] in its places.
    pub fn scattered(&mut self, run: Data, data: &Data) {
        if data.as_run().is_none() {
            self.copy(run, data.clone());
        }
    }
}

/// `len` bytes at `address`.
pub fn run(address: usize, len: usize) -> Data {
    Data { address, count: len, datatype: None }
}

/// The part of `total` items that falls to `index` when `parts` share them: its first item and how many. Sizes differ by one at most.
pub fn share(total: usize, parts: usize, index: usize) -> (usize, usize) {
    let (each, more) = (total / parts, total % parts);
    (index * each + index.min(more), each + usize::from(index < more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datatype::{Form, predefined};

    /// A type of four bytes.
    fn four_bytes() -> Arc<Datatype> {
        predefined().into_iter().flatten().find(|datatype| datatype.size() == 4).unwrap()
    }

    #[test]
    fn blocks_without_gaps_are_bytes_at_the_same_places() {
        let int = four_bytes();
        let blocks = Blocks::new(Data::new(64, 3, &int));
        let bytes = blocks.clone().in_bytes();
        for rank in 0..3 {
            let (one, other) = (blocks.of(rank), bytes.of(rank));
            assert_eq!((one.address, one.bytes()), (other.address, other.bytes()));
            assert!(other.datatype.is_none());
        }
        let moved = Blocks::new(Data::new(64, 3, &Arc::new(int.resized(Form::Int, -4, 4).unwrap()))).in_bytes();
        assert_eq!((moved.of(1).address, moved.bytes()), (64 + 12, 12), "bounds that begin elsewhere");
    }

    #[test]
    fn blocks_with_gaps_keep_their_type() {
        let int = four_bytes();
        let gaps = Arc::new(int.resized(Form::Int, 0, 8).unwrap());
        for count in [1, 2] {
            let kept = Blocks::new(Data::new(64, count, &gaps)).in_bytes();
            assert_eq!((kept.of(1).address, kept.bytes()), (64 + 8 * count, 4 * count), "{count} elements");
            assert!(kept.of(0).datatype.is_some());
        }
    }
}
