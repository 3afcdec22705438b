//! How the two sides of a connection know one another: every message has a tag that only who knows the cluster's secret can make.
//!
//! ```text
//! hello       1 | nonce of the front end (16) | tag under the secret
//! challenge   2 | nonce of the agent (16)     | tag under the secret, over the front end's nonce too
//! message     3 | number (8) | bytes          | tag under the connection's key
//! refusal     4 | text; it is not believed, only shown
//! ```
//! The connection's key is made of the secret, both nonces, which are random, and both unique ids. So a message is of no use on another
//! connection, in the other direction, twice, or in another place among the others. Nothing is encrypted.

use std::fmt;
use twowire_fabric::id::UniqueId;

/// Bytes of a nonce.
pub const NONCE: usize = 16;
/// Bytes of a tag: half of a BLAKE3 hash.
const TAG: usize = 16;

const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const MESSAGE: u8 = 3;
const REFUSAL: u8 = 4;

/// What both sides know.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who starts programs.
    FrontEnd,
    /// Who runs them.
    Agent,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The front end.
    pub front: UniqueId,
    /// The agent.
    pub agent: UniqueId,
}

/// A connection on which both sides have shown that they know the secret.
pub struct Channel {
    key: [u8; 32],
    side: Side,
    sent: u64,
    came: u64,
}

/// What came before there is a channel.
#[derive(Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The front end's nonce.
    Hello([u8; NONCE]),
    /// The agent's.
    Challenge([u8; NONCE]),
    /// The agent's reason to say no.
    Refusal(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    fn tag(&self, parts: &[&[u8]]) -> [u8; TAG] {
        tag(&self.0, parts)
    }

    /// The front end's first word.
    pub fn hello(&self, nonce: &[u8; NONCE]) -> Vec<u8> {
        [&[HELLO], &nonce[..], &self.tag(&[&[HELLO], nonce])].concat()
    }

    /// The agent's answer to a hello with nonce `front`.
    pub fn challenge(&self, front: &[u8; NONCE], agent: &[u8; NONCE]) -> Vec<u8> {
        [&[CHALLENGE], &agent[..], &self.tag(&[&[CHALLENGE], front, agent])].concat()
    }

    /// What a first word says; `None` if it is none, or of somebody who does not know the secret. `front` is the nonce that a challenge
    /// must answer.
    pub fn greeting(&self, bytes: &[u8], front: Option<&[u8; NONCE]>) -> Option<Greeting> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == REFUSAL {
            return Some(Greeting::Refusal(String::from_utf8_lossy(rest).into_owned()));
        }
        let (nonce, stated) = rest.split_first_chunk::<NONCE>()?;
        let (expected, greeting) = match (kind, front) {
            (HELLO, None) => (self.tag(&[&[HELLO], nonce]), Greeting::Hello(*nonce)),
            (CHALLENGE, Some(front)) => (self.tag(&[&[CHALLENGE], front, nonce]), Greeting::Challenge(*nonce)),
            _ => return None,
        };
        same(&self.0, &expected, stated).then_some(greeting)
    }

    /// The channel between two ends that have exchanged nonces.
    pub fn channel(&self, side: Side, ends: Ends, front: &[u8; NONCE], agent: &[u8; NONCE]) -> Channel {
        let ids = [ends.front.0.to_le_bytes(), ends.agent.0.to_le_bytes()].concat();
        let material = [b"channel", &front[..], &agent[..], &ids].concat();
        Channel { key: *blake3::keyed_hash(&self.0, &material).as_bytes(), side, sent: 0, came: 0 }
    }
}

/// A refusal, which needs no secret.
pub fn refusal(text: &str) -> Vec<u8> {
    [&[REFUSAL], text.as_bytes()].concat()
}

impl Channel {
    /// A message on its way out.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        let number = self.sent.to_le_bytes();
        self.sent += 1;
        let tag = tag(&self.key, &[&[self.side as u8], &number, message]);
        [&[MESSAGE], &number[..], message, &tag].concat()
    }

    /// A message that came; `None` if it is not the next one of the other side.
    pub fn open<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (&kind, rest) = bytes.split_first()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (message, stated) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        let other = if self.side == Side::Agent { Side::FrontEnd } else { Side::Agent };
        let expected = tag(&self.key, &[&[other as u8], number, message]);
        let is_next = kind == MESSAGE && u64::from_le_bytes(*number) == self.came;
        if !is_next || !same(&self.key, &expected, stated) {
            return None;
        }
        self.came += 1;
        Some(message)
    }
}

/// Half of the keyed hash of parts of which all but the last have a fixed length.
fn tag(key: &[u8; 32], parts: &[&[u8]]) -> [u8; TAG] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(part);
    }
    let mut tag = [0; TAG];
    tag.copy_from_slice(&hasher.finalize().as_bytes()[..TAG]);
    tag
}

/// True if two tags are equal. How long it takes says nothing of the right one: both are hashed under the key once more.
fn same(key: &[u8; 32], expected: &[u8; TAG], stated: &[u8]) -> bool {
    blake3::keyed_hash(key, expected) == blake3::keyed_hash(key, stated)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: Ends = Ends { front: UniqueId(1), agent: UniqueId(2) };

    fn pair(secret: u8, ends: Ends) -> (Channel, Channel) {
        let secret = Secret([secret; 32]);
        let channel = |side| secret.channel(side, ends, &[3; NONCE], &[4; NONCE]);
        (channel(Side::FrontEnd), channel(Side::Agent))
    }

    #[test]
    fn who_knows_the_secret_is_understood_and_nobody_else() {
        let (secret, other) = (Secret([7; 32]), Secret([8; 32]));
        let hello = secret.hello(&[3; NONCE]);
        assert_eq!(secret.greeting(&hello, None), Some(Greeting::Hello([3; NONCE])));
        assert_eq!(other.greeting(&hello, None), None);
        let challenge = secret.challenge(&[3; NONCE], &[4; NONCE]);
        assert_eq!(secret.greeting(&challenge, Some(&[3; NONCE])), Some(Greeting::Challenge([4; NONCE])));
        assert_eq!(secret.greeting(&challenge, Some(&[5; NONCE])), None, "an answer to another hello");
        for bit in 0..8 * hello.len() {
            let mut forged = hello.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(secret.greeting(&forged, None), Some(Greeting::Hello(_))), "bit {bit}");
        }
    }

    #[test]
    fn a_message_counts_once_in_its_place_and_direction() {
        let (mut front, mut agent) = pair(7, ENDS);
        let (first, second) = (front.seal(b"one"), front.seal(b"two"));
        assert_eq!(agent.open(&second), None, "out of turn");
        assert_eq!(agent.open(&first), Some(&b"one"[..]));
        assert_eq!(agent.open(&first), None, "a second time");
        assert_eq!(front.open(&first), None, "back to its sender");
        for bit in 0..8 * second.len() {
            let mut forged = second.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(agent.open(&forged), None, "bit {bit}");
        }
        assert_eq!(agent.open(&second), Some(&b"two"[..]));
        let answer = agent.seal(b"");
        assert_eq!(front.open(&answer), Some(&b""[..]));
    }

    #[test]
    fn a_message_is_of_no_use_on_another_connection() {
        let mut sealed = pair(7, ENDS).0;
        let message = sealed.seal(b"rm -r /");
        assert_eq!(pair(8, ENDS).1.open(&message), None, "another secret");
        assert_eq!(pair(7, Ends { front: UniqueId(9), ..ENDS }).1.open(&message), None, "another card");
        let later = Secret([7; 32]).channel(Side::Agent, ENDS, &[3; NONCE], &[5; NONCE]);
        assert_eq!({ later }.open(&message), None, "another connection");
        for length in 0..30 {
            assert_eq!(pair(7, ENDS).1.open(&vec![3; length]), None);
        }
    }
}
