//! What Linux offers for whole frames: packet(7) sockets, and questions to a device.
#![allow(unsafe_code)]

use super::ethernet::Mac;
use super::ring::Layout;
use arrayvec::ArrayVec;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{MaybeUninit, size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// The most frames that one call hands over.
pub(super) const BATCH: usize = 64;

/// Bytes of a frame that is copied into one piece.
const SHORT: usize = 512;

/// How long the frames of a batch are.
pub(super) type Lens = ArrayVec<usize, BATCH>;

/// A frame in pieces.
pub(super) type Pieces<'a> = [IoSlice<'a>; 3];

/// The name of a device as ioctls take it; `None` if it is too long.
fn request(device: &str) -> Option<libc::ifreq> {
    // SAFETY: `ifreq` is plain data, for which all zeros are valid.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let name = device.as_bytes();
    let room = request.ifr_name.len() - 1;
    request.ifr_name.get_mut(..name.len().min(room))?.iter_mut().zip(name).for_each(|(to, from)| *to = *from as _);
    (name.len() <= room).then_some(request)
}

/// Room for the messages of one call; it takes no time to make.
const NO_MESSAGES: [MaybeUninit<libc::mmsghdr>; BATCH] = [const { MaybeUninit::uninit() }; BATCH];

/// A message of these pieces, for calls that move many at once.
fn of_pieces(pieces: *mut libc::iovec, count: usize) -> libc::mmsghdr {
    // SAFETY: `mmsghdr` is plain data, for which all zeros are valid: no name, no pieces, no control data.
    let mut message: libc::mmsghdr = unsafe { zeroed() };
    message.msg_hdr.msg_iov = pieces;
    message.msg_hdr.msg_iovlen = count as _;
    message
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// What a device's driver says of its link: the start of `struct ethtool_cmd`, whose other fields are not of interest.
#[repr(C)]
#[derive(Default)]
struct EthtoolCmd {
    cmd: u32,
    supported: u32,
    advertising: u32,
    speed: u16,
    _duplex_to_autoneg: [u8; 6],
    _maxtxpkt_maxrxpkt: [u32; 2],
    speed_hi: u16,
    _tp: [u8; 2],
    _lp_advertising: u32,
    _reserved: [u32; 2],
}
const _: () = assert!(size_of::<EthtoolCmd>() == 44);

/// `ETHTOOL_GSET`: get the settings of the link.
const ETHTOOL_GSET: u32 = 1;

/// `PACKET_COPY_THRESH`: a frame that does not fit its slot waits in the socket's queue.
const PACKET_COPY_THRESH: libc::c_int = 7;

/// Memory that is shared with the kernel.
#[derive(Debug)]
pub(super) struct Memory {
    start: *mut u8,
    bytes: usize,
}

impl Memory {
    pub(super) fn start(&self) -> *mut u8 {
        self.start
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody has a reference into it any longer.
        unsafe { libc::munmap(self.start.cast(), self.bytes) };
    }
}

// SAFETY: the mapping belongs to whoever has the value, on whichever thread.
unsafe impl Send for Memory {}

/// A packet socket that gets nothing yet.
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// Opens one; the error is `EPERM` for want of `CAP_NET_RAW`.
    pub(super) fn new() -> io::Result<Socket> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: `fd` is open, and nobody else has it.
        Ok(Socket(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn ioctl(&self, code: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: each `code` used here takes an `ifreq`, and what it points to outlives the call.
        check(unsafe { libc::ioctl(self.fd(), code as _, request as *mut libc::ifreq) }).map(drop)
    }

    fn ask(&self, device: &str, code: libc::c_ulong) -> io::Result<libc::ifreq> {
        let mut request = request(device).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
        self.ioctl(code, &mut request).map(|()| request)
    }

    /// The number that the kernel gives the device.
    pub(super) fn index(&self, device: &str) -> io::Result<i32> {
        // SAFETY: the ioctl filled this member.
        self.ask(device, libc::SIOCGIFINDEX).map(|request| unsafe { request.ifr_ifru.ifru_ifindex })
    }

    /// The device's MTU.
    pub(super) fn mtu(&self, device: &str) -> io::Result<usize> {
        // SAFETY: the ioctl filled this member.
        let mtu = self.ask(device, libc::SIOCGIFMTU).map(|request| unsafe { request.ifr_ifru.ifru_mtu })?;
        Ok(usize::try_from(mtu).unwrap_or(0))
    }

    /// True if the device is switched on.
    pub(super) fn is_up(&self, device: &str) -> io::Result<bool> {
        // SAFETY: the ioctl filled this member.
        let flags = self.ask(device, libc::SIOCGIFFLAGS).map(|request| unsafe { request.ifr_ifru.ifru_flags })?;
        Ok(i32::from(flags) & libc::IFF_UP != 0)
    }

    /// The device's address; `None` if it is not Ethernet.
    pub(super) fn mac(&self, device: &str) -> io::Result<Option<Mac>> {
        // SAFETY: the ioctl filled this member.
        let address = self.ask(device, libc::SIOCGIFHWADDR).map(|request| unsafe { request.ifr_ifru.ifru_hwaddr })?;
        let mut mac = [0; 6];
        mac.iter_mut().zip(address.sa_data).for_each(|(to, from)| *to = from as u8);
        Ok((address.sa_family == libc::ARPHRD_ETHER).then_some(Mac(mac)))
    }

    /// The link's rate in megabits a second, if the driver tells it.
    pub(super) fn megabits_per_s(&self, device: &str) -> Option<u32> {
        let mut link = EthtoolCmd { cmd: ETHTOOL_GSET, ..EthtoolCmd::default() };
        let mut request = request(device)?;
        request.ifr_ifru.ifru_data = (&raw mut link).cast();
        self.ioctl(libc::SIOCETHTOOL, &mut request).ok()?;
        let speed = u32::from(link.speed) | u32::from(link.speed_hi) << 16;
        (speed != 0 && speed != u32::MAX && speed != 0xffff).then_some(speed)
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        let len = size_of_val(value) as libc::socklen_t;
        // SAFETY: `value` is `len` readable bytes for the time of the call.
        check(unsafe { libc::setsockopt(self.fd(), level, option, ptr::from_ref(value).cast(), len) }).map(drop)
    }

    fn get<T>(&self, level: libc::c_int, option: libc::c_int, mut value: T) -> io::Result<T> {
        let mut len = size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` is `len` writable bytes for the time of the call; every `T` used here is plain integers.
        check(unsafe { libc::getsockopt(self.fd(), level, option, (&raw mut value).cast(), &raw mut len) })?;
        Ok(value)
    }

    /// Frames leave without a queue of the kernel's, which would drop them silently; what this host sends does not
    /// come back to it; the driver may hold so many bytes, and so many may wait to be received. Without `CAP_NET_ADMIN` it
    /// is no more of each than the system's limit.
    pub(super) fn prepare(&self, send_bytes: i32, receive_bytes: i32) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1i32)?;
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32)?;
        self.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &send_bytes)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_SNDBUF, &send_bytes))?;
        self.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &receive_bytes)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &receive_bytes))
    }

    /// Frames go out and come in behind ten bytes that say how a device would cut them up: see `long`.
    pub(super) fn describe_offload(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1i32)
    }

    /// Gives the socket a ring, and maps it.
    pub(super) fn map_ring(&self, layout: &Layout) -> io::Result<Memory> {
        let (bytes, request) = (layout.bytes(), layout.request());
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as i32))?;
        self.set(libc::SOL_PACKET, PACKET_COPY_THRESH, &1i32)?;
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses where, and the socket has a ring of that many bytes.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, self.fd(), 0) };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Memory { start: start.cast(), bytes })
        }
    }

    /// Only frames that this classic BPF program accepts come in.
    pub(super) fn filter(&self, program: &[libc::sock_filter]) -> io::Result<()> {
        let len = libc::c_ushort::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // The kernel copies the program and writes nothing to it.
        let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// The device takes frames for this group in.
    pub(super) fn join(&self, index: i32, group: Mac) -> io::Result<()> {
        let mut address = [0; 8];
        address[..6].copy_from_slice(&group.0);
        let membership = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_MULTICAST as u16,
            mr_alen: 6,
            mr_address: address,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// From now on frames of this ethertype come in from the device, and what is sent leaves by it.
    pub(super) fn bind(&self, index: i32, ethertype: u16) -> io::Result<()> {
        // SAFETY: `sockaddr_ll` is plain data, for which all zeros are valid.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ethertype.to_be();
        address.sll_ifindex = index;
        let len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` is `len` readable bytes for the time of the call.
        check(unsafe { libc::bind(self.fd(), (&raw const address).cast(), len) }).map(drop)
    }

    /// Hands over one short frame, for which gathering the pieces costs less than to describe them to the kernel.
    fn send_short(&self, pieces: &Pieces<'_>) -> io::Result<usize> {
        let mut frame: ArrayVec<u8, SHORT> = ArrayVec::new();
        pieces.iter().for_each(|piece| frame.extend(piece.iter().copied()));
        // SAFETY: the frame is that many readable bytes for the time of the call.
        let sent = unsafe { libc::send(self.fd(), frame.as_ptr().cast(), frame.len(), libc::MSG_DONTWAIT) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) }
    }

    /// Hands over the first frames of `frames`, at most [`BATCH`]; says how many the kernel took.
    pub(super) fn send(&self, frames: &[Pieces<'_>]) -> io::Result<usize> {
        if let [pieces] = frames
            && pieces.iter().map(|piece| piece.len()).sum::<usize>() <= SHORT
        {
            return self.send_short(pieces);
        }
        let mut messages = NO_MESSAGES;
        let count = frames.len().min(BATCH) as libc::c_uint;
        for (message, pieces) in messages.iter_mut().zip(frames) {
            // The kernel only reads what the pieces point to. `IoSlice` has the layout of `iovec`.
            message.write(of_pieces(pieces.as_ptr().cast_mut().cast(), pieces.len()));
        }
        // SAFETY: the first `count` messages point to pieces that outlive the call.
        let sent = unsafe { libc::sendmmsg(self.fd(), messages.as_mut_ptr().cast(), count, libc::MSG_DONTWAIT as _) };
        check(sent).map(|sent| sent as usize)
    }

    /// Takes in frames that wait, each into one of `places`, at most [`BATCH`], and notes in `lens` how long they are. What does not
    /// fit its place is cut off.
    pub(super) fn receive(&self, places: &mut [IoSliceMut<'_>], lens: &mut Lens) -> io::Result<()> {
        if let [place] = places {
            return self.receive_one(place).map(|len| lens.push(len));
        }
        let mut messages = NO_MESSAGES;
        let (count, flags) = (places.len().min(BATCH) as libc::c_uint, libc::MSG_DONTWAIT as _);
        for (message, place) in messages.iter_mut().zip(&mut *places) {
            // `IoSliceMut` has the layout of `iovec`.
            message.write(of_pieces(ptr::from_mut(place).cast(), 1));
        }
        // SAFETY: the first `count` messages point to places that outlive the call, and that nobody else uses.
        let came = unsafe { libc::recvmmsg(self.fd(), messages.as_mut_ptr().cast(), count, flags, ptr::null_mut()) };
        let came = check(came)? as usize;
        // SAFETY: the first `count` messages were written, and no more have come.
        lens.extend(messages[..came].iter().map(|message| unsafe { message.assume_init_ref() }.msg_len as usize));
        Ok(())
    }

    fn receive_one(&self, place: &mut [u8]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: the place is that many writable bytes for the time of the call.
        let came = unsafe { libc::recv(self.fd(), place.as_mut_ptr().cast(), place.len(), flags) };
        usize::try_from(came).map_err(|_| io::Error::last_os_error())
    }

    /// Frames that there was no room for since the last call.
    pub(super) fn drops(&self) -> io::Result<u32> {
        let none = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, none).map(|stats| stats.tp_drops)
    }

    /// The error that the socket holds, as `ENETDOWN` when the device is switched off; reading it clears it.
    pub(super) fn take_error(&self) -> io::Result<()> {
        match self.get(libc::SOL_SOCKET, libc::SO_ERROR, 0i32)? {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// Waits for a frame here or at `other`, an error, or the end of `limit`.
    pub(super) fn wait(&self, other: Option<&Socket>, limit: Duration) -> io::Result<()> {
        let of = |socket: &Socket| libc::pollfd { fd: socket.fd(), events: libc::POLLIN, revents: 0 };
        let mut polls: ArrayVec<libc::pollfd, 2> = std::iter::once(self).chain(other).map(of).collect();
        // SAFETY: `timespec` is plain data, for which all zeros are valid.
        let mut timeout: libc::timespec = unsafe { zeroed() };
        // An hour at most, so that every number fits; who waits longer calls again.
        let limit = limit.min(Duration::from_secs(3600));
        timeout.tv_sec = limit.as_secs() as _;
        timeout.tv_nsec = limit.subsec_nanos() as _;
        let count = polls.len() as libc::nfds_t;
        // SAFETY: that many `pollfd`s and the timeout outlive the call; no signal mask is given.
        match check(unsafe { libc::ppoll(polls.as_mut_ptr(), count, &raw const timeout, ptr::null()) }) {
            Ok(_) if polls[0].revents & libc::POLLERR != 0 => self.take_error(),
            Ok(_) if polls.len() > 1 && polls[1].revents & libc::POLLERR != 0 => {
                other.map_or(Ok(()), Socket::take_error)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}
