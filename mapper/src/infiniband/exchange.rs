//! Requests and answers: as many on their way as the carrier bears, and repeated when they are lost.

use super::error::InfinibandError;
use super::smp::{DATA, Smp};

/// How often a request is sent at most, for what is known to be there.
pub const ATTEMPTS: u8 = 4;

/// What carries packets into a subnet.
pub trait SmpPort {
    /// How many requests may be on their way at once.
    fn window(&self) -> usize;

    /// True if it is said at once of a request that it cannot arrive. Otherwise nobody says so, and it is waited in vain.
    fn tells_of_loss(&self) -> bool;

    /// Sends a request.
    fn send(&mut self, smp: &Smp) -> Result<(), InfinibandError>;

    /// Waits for what comes next; `None` if for as long as an answer may take nothing came.
    fn receive(&mut self) -> Result<Option<Arrival>, InfinibandError>;
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// An answer.
    Answer(Box<Smp>),
    /// The carrier says that the request of this transaction did not arrive.
    Undeliverable(u32),
}

/// What the kernel, and ibsim, say of a request that got no answer: `ETIMEDOUT`.
pub const TIMED_OUT: u32 = 110;

impl Arrival {
    /// What bytes mean that come with a status of the carrier's: 0 for a packet from the subnet. With a request that got no
    /// answer comes its header, or more of it. Traps and requests of others mean nothing.
    pub fn read(status: u32, bytes: &[u8]) -> Option<Arrival> {
        match status {
            0 => Smp::parse_answer(bytes).map(|smp| Arrival::Answer(Box::new(smp))),
            TIMED_OUT => Smp::transaction_in(bytes).map(Arrival::Undeliverable),
            _ => None,
        }
    }
}

/// A request, and how often it may be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The packet.
    pub smp: Smp,
    /// More than 1 for what should be there.
    pub attempts: u8,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The attribute, after the request.
    Data([u8; DATA]),
    /// The node would not; its status.
    Refused(u16),
    /// No answer to any attempt.
    Silent,
}

/// Something that asks, and goes on by what is answered. No clock, no socket: requests come out, answers go in.
pub trait Conversation {
    /// What a request is remembered by.
    type Key;

    /// The next request; `None` if there is none before the next answer.
    fn next(&mut self) -> Option<(Self::Key, Request)>;

    /// What became of a request.
    fn answered(&mut self, key: Self::Key, answer: Answer) -> Result<(), InfinibandError>;
}

/// A port, and the count of what went through it.
pub struct Exchange {
    port: Box<dyn SmpPort>,
    last_transaction: u32,
    sent: u64,
}

struct Pending<K> {
    key: K,
    request: Request,
}

impl Exchange {
    /// Uses a port.
    pub fn new(port: Box<dyn SmpPort>) -> Exchange {
        Exchange { port, last_transaction: 0, sent: 0 }
    }

    /// See [`SmpPort::tells_of_loss`].
    pub fn tells_of_loss(&self) -> bool {
        self.port.tells_of_loss()
    }

    /// How many packets were sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Carries out a conversation to its end.
    pub fn run<C: Conversation>(&mut self, conversation: &mut C) -> Result<(), InfinibandError> {
        let mut pending: Vec<Pending<C::Key>> = Vec::new();
        loop {
            while pending.len() < self.port.window()
                && let Some((key, mut request)) = conversation.next()
            {
                self.last_transaction = self.last_transaction.wrapping_add(1);
                request.smp.set_transaction(self.last_transaction);
                self.send(&mut request)?;
                pending.push(Pending { key, request });
            }
            if pending.is_empty() {
                return Ok(());
            }
            match self.port.receive()? {
                Some(Arrival::Answer(smp)) => {
                    if let Some(index) = find(&pending, smp.transaction()) {
                        let answer =
                            if smp.status() == 0 { Answer::Data(smp.data) } else { Answer::Refused(smp.status()) };
                        conversation.answered(pending.swap_remove(index).key, answer)?;
                    }
                }
                Some(Arrival::Undeliverable(transaction)) => {
                    if let Some(index) = find(&pending, transaction) {
                        self.lost(&mut pending, index, conversation)?;
                    }
                }
                // Nothing came for as long as an answer may take: so all that is on its way is lost.
                None => {
                    for index in (0..pending.len()).rev() {
                        self.lost(&mut pending, index, conversation)?;
                    }
                }
            }
        }
    }

    fn send(&mut self, request: &mut Request) -> Result<(), InfinibandError> {
        request.attempts -= 1;
        self.sent += 1;
        self.port.send(&request.smp)
    }

    /// Repeats a request, or gives it up.
    fn lost<C: Conversation>(
        &mut self,
        pending: &mut Vec<Pending<C::Key>>,
        index: usize,
        conversation: &mut C,
    ) -> Result<(), InfinibandError> {
        if pending[index].request.attempts > 0 {
            return self.send(&mut pending[index].request);
        }
        conversation.answered(pending.swap_remove(index).key, Answer::Silent)
    }
}

fn find<K>(pending: &[Pending<K>], transaction: u32) -> Option<usize> {
    pending.iter().position(|p| p.request.smp.transaction() == transaction)
}

/// A conversation whose requests are known before: each is answered, or the whole fails.
pub struct Batch<I, F> {
    requests: I,
    take: F,
}

impl<K, I, F> Batch<I, F>
where
    I: Iterator<Item = (K, Smp)>,
    F: FnMut(K, Result<[u8; DATA], Option<u16>>) -> Result<(), InfinibandError>,
{
    /// `take` gets each answer: the attribute, or the status of a node that refuses, or `None` from one that is silent.
    pub fn new(requests: I, take: F) -> Batch<I, F> {
        Batch { requests, take }
    }
}

impl<K, I, F> Conversation for Batch<I, F>
where
    I: Iterator<Item = (K, Smp)>,
    F: FnMut(K, Result<[u8; DATA], Option<u16>>) -> Result<(), InfinibandError>,
{
    type Key = K;

    fn next(&mut self) -> Option<(K, Request)> {
        self.requests.next().map(|(key, smp)| (key, Request { smp, attempts: ATTEMPTS }))
    }

    fn answered(&mut self, key: K, answer: Answer) -> Result<(), InfinibandError> {
        let answer = match answer {
            Answer::Data(data) => Ok(data),
            Answer::Refused(status) => Err(Some(status)),
            Answer::Silent => Err(None),
        };
        (self.take)(key, answer)
    }
}
