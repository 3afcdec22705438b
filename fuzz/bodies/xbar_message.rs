//! A message between a host and its crossbars, from bytes that nobody can trust.

use twowire_fabric::xbar::Message;

/// Texts that are no UTF-8 get longer when they are read; of inputs up to this length the message is never cut.
const SHORT: usize = 1024;

/// Reads the bytes as a message. What can be read is written to bytes that are read as the same.
pub(crate) fn run(data: &[u8]) {
    if let Ok(message) = Message::parse(data)
        && data.len() <= SHORT
    {
        assert_eq!(Message::parse(&message.encode()), Ok(message));
    }
}
