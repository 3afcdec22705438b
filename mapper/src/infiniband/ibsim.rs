//! Carries packets to the InfiniBand fabric simulator ibsim, by its own socket protocol.
//!
//! ibsim binds datagram sockets in the abstract name space: `sim:ctl` for control, and `sim:outN` for the data of client N. A
//! client binds `sim:ctlID` and `sim:inID`, where ID is a number of its own, and asks over the control socket to be
//! connected at a node. All names end with a zero byte. Numbers in control messages are in the host's byte order, and those of
//! data messages in the network's.

use super::error::InfinibandError;
use super::exchange::{Arrival, SmpPort};
use super::smp::{SMP_SIZE, Smp};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use zerocopy::big_endian::{U32 as NetU32, U64 as NetU64};
use zerocopy::native_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first part of the sockets' names, unless the environment has another: ibsim and its own clients read the same variable.
const NAME: &str = "sim";
const NAME_VARIABLE: &str = "IBSIM_SOCKNAME";

/// Linux queues ten datagrams at a socket. ibsim waits for room without end, so there must always be some.
const WINDOW: usize = 8;

/// Longer than ibsim needs for a full window, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

const MAGIC: u32 = 0xdead_beef;
const ERROR: u32 = 0;
const CONNECT: u32 = 1;
const DISCONNECT: u32 = 2;

/// A control message: 80 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Control {
    magic: U32,
    client: U32,
    kind: U32,
    length: U32,
    data: [u8; 64],
}

/// What a client says of itself, at the start of a control message's data.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Client {
    id: U32,
    queue_pair: U32,
    is_manager: U32,
    node: [u8; NODE_NAME],
}

/// Bytes of a node's name, with a zero byte at its end.
const NODE_NAME: usize = 32;

/// A data message: 288 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Data {
    /// Identifiers as 16 network-order bits at the start of a number in the host's order: all ones for directed routes.
    destination: U32,
    source: U32,
    queue_pairs: [NetU32; 2],
    status: NetU32,
    padding: [u8; 4],
    length: NetU64,
    mad: [u8; SMP_SIZE],
}

const DIRECTED: u32 = 0xffff;

/// A client of a running ibsim, at one of its nodes.
#[derive(Debug)]
pub struct IbsimPort {
    control: UnixDatagram,
    data: UnixDatagram,
    client: u32,
    window: usize,
}

impl IbsimPort {
    /// Attaches to a node, by the name that it has in ibsim's network file. `window` requests may be on their way, or as many
    /// as ibsim bears.
    pub fn attach(node: &str, window: usize) -> Result<IbsimPort, InfinibandError> {
        let base = std::env::var(NAME_VARIABLE).unwrap_or_else(|_| NAME.to_owned());
        let mut name = [0; NODE_NAME];
        if node.len() >= NODE_NAME {
            return Err(InfinibandError::NoNode(node.to_owned()));
        }
        name[..node.len()].copy_from_slice(node.as_bytes());
        let id = std::process::id();
        let no_ibsim = |source| InfinibandError::NoIbsim { name: format!("{base}:ctl"), source };
        let control = UnixDatagram::bind_addr(&address(&format!("{base}:ctl{id}"))?)?;
        control.connect_addr(&address(&format!("{base}:ctl"))?).map_err(no_ibsim)?;
        control.set_read_timeout(Some(PATIENCE))?;
        let data = UnixDatagram::bind_addr(&address(&format!("{base}:in{id}"))?)?;
        let client = Client { id: id.into(), queue_pair: U32::ZERO, is_manager: U32::ZERO, node: name };
        let answer = ask(&control, 0, CONNECT, client.as_bytes()).map_err(no_ibsim)?;
        let answer = answer.ok_or_else(|| InfinibandError::NoNode(node.to_owned()))?;
        let (Client { id: client, .. }, _) = Client::read_from_prefix(&answer).expect("64 bytes hold a client");
        let port = IbsimPort { control, data, client: client.get(), window: window.min(WINDOW) };
        port.data.connect_addr(&address(&format!("{base}:out{client}"))?)?;
        port.data.set_read_timeout(Some(PATIENCE))?;
        // Without a limit, two that wait for room in each other's queue would wait forever.
        port.data.set_write_timeout(Some(PATIENCE))?;
        Ok(port)
    }
}

impl Drop for IbsimPort {
    fn drop(&mut self) {
        // ibsim notices clients that are gone only when it sends to them; nothing is lost if this fails.
        let _ = ask(&self.control, self.client, DISCONNECT, &[]);
    }
}

/// An abstract name, with the zero byte at its end.
fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("{name}\0"))
}

/// Sends a control message; its answer's data, or `None` if ibsim would not.
fn ask(control: &UnixDatagram, client: u32, kind: u32, data: &[u8]) -> io::Result<Option<[u8; 64]>> {
    let mut message = Control {
        magic: MAGIC.into(),
        client: client.into(),
        kind: kind.into(),
        length: (data.len() as u32).into(),
        data: [0; 64],
    };
    message.data[..data.len()].copy_from_slice(data);
    control.send(message.as_bytes())?;
    let len = control.recv(message.as_mut_bytes())?;
    Ok((len == size_of::<Control>() && message.kind.get() != ERROR).then_some(message.data))
}

impl SmpPort for IbsimPort {
    fn window(&self) -> usize {
        self.window
    }

    fn tells_of_loss(&self) -> bool {
        true
    }

    fn send(&mut self, smp: &Smp) -> Result<(), InfinibandError> {
        let message = Data {
            destination: DIRECTED.into(),
            source: DIRECTED.into(),
            queue_pairs: [NetU32::ZERO; 2],
            status: NetU32::ZERO,
            padding: [0; 4],
            length: (SMP_SIZE as u64).into(),
            mad: zerocopy::transmute!(*smp),
        };
        match self.data.send(message.as_bytes()) {
            Err(error) if waited(&error) => Ok(()), // Lost: it is repeated as others are.
            sent => Ok(sent.map(|_| ())?),
        }
    }

    fn receive(&mut self) -> Result<Option<Arrival>, InfinibandError> {
        let mut message = Data::new_zeroed_message();
        loop {
            match self.data.recv(message.as_mut_bytes()) {
                Ok(len) if len == size_of::<Data>() => {
                    if let Some(arrival) = Arrival::read(message.status.get(), &message.mad) {
                        return Ok(Some(arrival));
                    }
                }
                Ok(_) => {}
                Err(error) if waited(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Data {
    fn new_zeroed_message() -> Data {
        zerocopy::transmute!([0u8; size_of::<Data>()])
    }
}

/// True if a socket was waited for as long as it may be.
fn waited(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
