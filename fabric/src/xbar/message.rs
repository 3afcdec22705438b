//! What goes over the control socket. The document is `docs/xbar.md`.

use super::Attachment;
use crate::id::UniqueId;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The version of the protocol and of the rings' layout.
pub(super) const VERSION: u8 = 1;

/// The longest message, in bytes.
pub(super) const MAX_MESSAGE: usize = 4096;

/// A message in either direction. Some come with a file descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks to be this host; an empty name asks for the front end.
    Attach {
        /// How frames are to go.
        attachment: Attachment,
        /// Wanted size of each ring.
        ring_bytes: u32,
        /// The host's name in the topology.
        name: String,
    },
    /// Look at the rings. Also the answer's direction has it.
    Doorbell,
    /// Something to do, or to tell.
    Command(String),
    /// The caller is this host now. Comes with the rings or the datagram socket.
    Attached {
        /// How frames go.
        attachment: Attachment,
        /// Size of each ring.
        ring_bytes: u32,
        /// The largest payload that the crossbars carry, in bytes.
        max_payload: u32,
        /// Of the host's card.
        id: UniqueId,
        /// The host's name in the topology.
        name: String,
    },
    /// The command is done. Comes with a file if there is something to tell.
    Done,
    /// It cannot be, for this reason; or the attachment is over.
    Refused(String),
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The two programs are of different versions.
    #[error("the other side speaks version {0} of the control protocol, this one {VERSION}: update the older program")]
    Version(u8),
    /// No message.
    #[error("{0} bytes are no message of the control protocol")]
    Malformed(usize),
}

/// ```text
/// 0          1          2            3          4
/// | kind     | version  | attachment | zero     |
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Prefix {
    kind: u8,
    version: u8,
    attachment: u8,
    zero: u8,
}
const _: () = assert!(size_of::<Prefix>() == 4);

/// ```text
/// 4                8
/// | ring bytes, LE | name …
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AttachLayout {
    ring_bytes: U32,
}
const _: () = assert!(size_of::<AttachLayout>() == 4);

/// ```text
/// 4                8                 12              20
/// | ring bytes, LE | max payload, LE | unique id, LE | name …
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AttachedLayout {
    ring_bytes: U32,
    max_payload: U32,
    id: U64,
}
const _: () = assert!(size_of::<AttachedLayout>() == 16);

mod kind {
    pub(super) const ATTACH: u8 = 0x01;
    pub(super) const DOORBELL: u8 = 0x02;
    pub(super) const COMMAND: u8 = 0x03;
    pub(super) const ATTACHED: u8 = 0x81;
    pub(super) const DONE: u8 = 0x83;
    pub(super) const REFUSED: u8 = 0x84;
}

impl Message {
    /// The message's bytes. A text that is too long is cut.
    pub fn encode(&self) -> Vec<u8> {
        let start = |kind, attachment| Prefix { kind, version: VERSION, attachment, zero: 0 }.as_bytes().to_vec();
        let mut bytes = match self {
            Message::Attach { attachment, ring_bytes, name } => {
                let mut bytes = start(kind::ATTACH, *attachment as u8);
                bytes.extend_from_slice(AttachLayout { ring_bytes: (*ring_bytes).into() }.as_bytes());
                bytes.extend_from_slice(name.as_bytes());
                bytes
            }
            Message::Attached { attachment, ring_bytes, max_payload, id, name } => {
                let mut bytes = start(kind::ATTACHED, *attachment as u8);
                let layout = AttachedLayout {
                    ring_bytes: (*ring_bytes).into(),
                    max_payload: (*max_payload).into(),
                    id: id.0.into(),
                };
                bytes.extend_from_slice(layout.as_bytes());
                bytes.extend_from_slice(name.as_bytes());
                bytes
            }
            Message::Doorbell => start(kind::DOORBELL, 0),
            Message::Done => start(kind::DONE, 0),
            Message::Command(text) => [&start(kind::COMMAND, 0), text.as_bytes()].concat(),
            Message::Refused(text) => [&start(kind::REFUSED, 0), text.as_bytes()].concat(),
        };
        bytes.truncate(MAX_MESSAGE);
        bytes
    }

    /// Reads a message. Text that is no UTF-8 is read as well as possible.
    pub fn parse(bytes: &[u8]) -> Result<Message, MessageError> {
        let malformed = || MessageError::Malformed(bytes.len());
        let (prefix, rest) = Prefix::ref_from_prefix(bytes).map_err(|_| malformed())?;
        if prefix.version != VERSION {
            return Err(MessageError::Version(prefix.version));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match prefix.kind {
            kind::ATTACH => {
                let (layout, name) = AttachLayout::ref_from_prefix(rest).map_err(|_| malformed())?;
                let attachment = Attachment::from_byte(prefix.attachment).ok_or_else(malformed)?;
                Message::Attach { attachment, ring_bytes: layout.ring_bytes.get(), name: text(name) }
            }
            kind::ATTACHED => {
                let (layout, name) = AttachedLayout::ref_from_prefix(rest).map_err(|_| malformed())?;
                Message::Attached {
                    attachment: Attachment::from_byte(prefix.attachment).ok_or_else(malformed)?,
                    ring_bytes: layout.ring_bytes.get(),
                    max_payload: layout.max_payload.get(),
                    id: UniqueId(layout.id.get()),
                    name: text(name),
                }
            }
            kind::DOORBELL => Message::Doorbell,
            kind::COMMAND => Message::Command(text(rest)),
            kind::DONE => Message::Done,
            kind::REFUSED => Message::Refused(text(rest)),
            _ => return Err(malformed()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let name = "n17".to_owned();
        let id = UniqueId(0x0002_c903_0000_00a1);
        let attached =
            Message::Attached { attachment: Attachment::Rings, ring_bytes: 1 << 18, max_payload: 4096, id, name };
        let messages = [
            Message::Attach { attachment: Attachment::Datagrams, ring_bytes: 0, name: String::new() },
            attached,
            Message::Doorbell,
            Message::Command("cut:x1.0:8".to_owned()),
            Message::Done,
            Message::Refused("no host is called `n9`".to_owned()),
        ];
        for message in messages {
            assert_eq!(Message::parse(&message.encode()), Ok(message));
        }
        assert_eq!(Message::parse(&[2, 9, 0, 0]), Err(MessageError::Version(9)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..64), valid in any::<bool>()) {
            if let (true, Some(version)) = (valid, bytes.get_mut(1)) {
                *version = VERSION;
            }
            let _ = Message::parse(&bytes);
        }
    }
}
