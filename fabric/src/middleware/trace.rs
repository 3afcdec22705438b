//! One `tracing` event for each frame, at level TRACE and with the target `twowire::frames`.

use crate::id::UniqueId;
use crate::protocol::{Group, Port, PortError, PortLimits, Received, Transmit};
use crate::time::Time;

/// The target of the events.
pub const TARGET: &str = "twowire::frames";

/// A port whose frames are traced.
///
/// An event's fields: `at`, the port's clock; `host`, its unique id; `way`, `>` for sent, `<` for received and `!` for
/// rejected; `path`, the hops of a frame that is sent; `header` and `payload`, the bytes' number; or `error`.
pub struct Trace<P> {
    port: P,
}

impl<P: Port> Trace<P> {
    /// Traces what `port` sends and receives.
    pub fn new(port: P) -> Trace<P> {
        Trace { port }
    }

    /// The port within.
    pub fn into_inner(self) -> P {
        self.port
    }
}

impl<P: Port> Port for Trace<P> {
    fn unique_id(&self) -> UniqueId {
        self.port.unique_id()
    }

    fn limits(&self) -> PortLimits {
        self.port.limits()
    }

    fn now(&self) -> Time {
        self.port.now()
    }

    fn can_send(&self) -> bool {
        self.port.can_send()
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        let (at, host) = (self.port.now(), self.port.unique_id());
        let packet = &transmit.packet;
        tracing::trace!(target: TARGET, %at, %host, way = ">", path = %transmit.path, header = ?packet.header, payload = packet.payload.len());
        self.port.send(transmit)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.port.flush()
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        self.port.join(group)
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let received = self.port.recv()?;
        let (at, host) = (self.port.now(), self.port.unique_id());
        match &received {
            Some(Received::Packet(packet)) => {
                tracing::trace!(target: TARGET, %at, %host, way = "<", header = ?packet.header, payload = packet.payload.len());
            }
            Some(Received::Rejected(error)) => tracing::trace!(target: TARGET, %at, %host, way = "!", %error),
            None => {}
        }
        Ok(received)
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.port.wait(deadline)
    }
}
