//! Sockets that nobody waits for when they are closed.

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A descriptor that the kernel closes by itself a little later, while whoever dropped it goes on.
///
/// To close a packet socket takes 5 to 30 ms: the kernel waits until no processor can still be about to hand it a frame.
pub(super) struct ClosedByKernel {
    fd: OwnedFd,
    /// Made when it is dropped, and dropped after `fd`.
    queue: Option<Queue>,
}

/// A pair of Unix sockets, the far one of which is in its own queue. Once it is dropped, nobody can take anything out of that queue any more.
/// The kernel looks for such queues, in a thread of its own, whenever a Unix socket is closed, and closes what is in them: so the near one goes last.
struct Queue {
    _far: OwnedFd,
    _near: OwnedFd,
}

impl ClosedByKernel {
    pub(super) fn new(fd: OwnedFd) -> ClosedByKernel {
        ClosedByKernel { fd, queue: None }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for ClosedByKernel {
    fn drop(&mut self) {
        // Without it closing takes its time.
        self.queue = Queue::with(self.fd.as_fd()).ok();
    }
}

impl Queue {
    /// A queue in which this descriptor is, too.
    fn with(fd: BorrowedFd<'_>) -> io::Result<Queue> {
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        let both = [fd, far.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut passed = SendAncillaryBuffer::new(&mut space);
        passed.push(SendAncillaryMessage::ScmRights(&both));
        sendmsg(&near, &[IoSlice::new(&[0])], &mut passed, SendFlags::empty())?;
        Ok(Queue { _far: far, _near: near })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    /// True if the other end of a pair is closed, or is within so many seconds.
    fn is_closed(end: &OwnedFd, seconds: i64) -> bool {
        let mut polls = [PollFd::new(end, PollFlags::empty())];
        let limit = rustix::event::Timespec { tv_sec: seconds, tv_nsec: 0 };
        poll(&mut polls, Some(&limit)).unwrap();
        polls[0].revents().contains(PollFlags::HUP)
    }

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn what_is_dropped_is_closed() {
        let (kept, dropped) = pair();
        drop(ClosedByKernel::new(dropped));
        assert!(is_closed(&kept, 30));
    }

    #[test]
    fn who_drops_it_is_not_the_one_who_closes_it() {
        let (kept, dropped) = pair();
        let queue = Queue::with(dropped.as_fd()).unwrap();
        drop(dropped);
        assert!(!is_closed(&kept, 0));
        drop(queue);
        assert!(is_closed(&kept, 30));
    }
}
