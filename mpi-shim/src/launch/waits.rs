//! What a rank waits for, as it says so on the board once it has slept for a while.
//!
//! ```text
//! word  0      even: what follows can be read; odd: it is being written
//! word  1      form | reason << 8 | number of awaited processes << 16; 0: the rank waits for nothing
//! words 2, 3   since when, and
//! words 4, 5   since when nothing was found to do meanwhile: milliseconds of the host's monotonic clock
//! word  6      bytes of the text
//! words 8…15   the awaited processes
//! words 16…63  the text, for people: "MPI_Recv from rank 1 with tag 5, on MPI_COMM_WORLD"
//! ```
//! Ranks write when they go to sleep again after a twentieth of a second without work, so a rank that is busy writes nothing, and says
//! nothing. Whoever reads while a rank writes tries again.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, fence};

/// Words of a slot.
pub(super) const SLOT_WORDS: usize = 64;
const PEERS: usize = 8;
const TEXT: usize = 16;
/// The most awaited processes that are named.
pub const MOST_PEERS: usize = TEXT - PEERS;
/// Bytes of the longest text.
const LONGEST_TEXT: usize = (SLOT_WORDS - TEXT) * 4;
/// How often a reader tries.
const TRIES: usize = 1000;

/// Which of the awaited processes have to do something for a wait to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// All that are named, and perhaps more.
    #[default]
    All,
    /// One of those that are named is enough.
    Any,
    /// Any other process of the job is enough.
    Anybody,
    /// Nobody can tell: something outside of MPI, or another thread of the same process, may end it.
    Unknown,
}

/// What an awaited process has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// To send a message.
    #[default]
    Message,
    /// To receive one.
    Receive,
    /// To take part in a collective.
    Collective,
    /// More than one of these.
    Several,
}

/// What a rank waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Who must act.
    pub form: Form,
    /// How.
    pub reason: Reason,
    /// The awaited processes, by their numbers in the job; the first [`MOST_PEERS`] are kept.
    pub peers: Vec<u32>,
    /// Since when the rank waits, in milliseconds of the host's monotonic clock.
    pub since_ms: u64,
    /// Since when it found nothing to do meanwhile.
    pub quiet_since_ms: u64,
    /// The call, the peer, the tag and the communicator, for people.
    pub text: String,
}

const FORMS: [Form; 4] = [Form::All, Form::Any, Form::Anybody, Form::Unknown];
const REASONS: [Reason; 4] = [Reason::Message, Reason::Receive, Reason::Collective, Reason::Several];

impl Wait {
    /// The second word.
    fn head(&self) -> u32 {
        let peers = self.peers.len().min(MOST_PEERS) as u32;
        // More processes than have room: that one of them is enough cannot be told from the rest.
        let form = if self.form == Form::Any && self.peers.len() > MOST_PEERS { Form::Anybody } else { self.form };
        (form as u32 + 1) | (self.reason as u32) << 8 | peers << 16
    }

    /// How the text ends in what is kept of it.
    fn kept_text(&self) -> &str {
        let mut len = self.text.len().min(LONGEST_TEXT);
        while !self.text.is_char_boundary(len) {
            len -= 1;
        }
        &self.text[..len]
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Message => "for a message from",
            Reason::Receive => "until its message is received by",
            Reason::Collective => "in a collective for",
            Reason::Several => "for",
        })
    }
}

/// The milliseconds of the host's monotonic clock.
pub fn now_ms() -> u64 {
    crate::clock::now().as_millis() as u64
}

/// The words of a rank.
pub(super) struct Slot<'a>(&'a [AtomicU32]);

impl<'a> Slot<'a> {
    pub(super) fn new(words: &'a [AtomicU32]) -> Slot<'a> {
        Slot(words)
    }

    /// Writes; only the rank itself does.
    pub(super) fn write(&self, wait: Option<&Wait>) {
        let version = self.0[0].load(Relaxed) & !1;
        self.0[0].store(version.wrapping_add(1), Relaxed);
        fence(Release);
        match wait {
            None => self.0[1].store(0, Relaxed),
            Some(wait) => self.fill(wait),
        }
        self.0[0].store(version.wrapping_add(2), Release);
    }

    fn fill(&self, wait: &Wait) {
        self.0[1].store(wait.head(), Relaxed);
        self.set_time(2, wait.since_ms);
        self.set_time(4, wait.quiet_since_ms);
        for (word, &peer) in self.0[PEERS..TEXT].iter().zip(&wait.peers) {
            word.store(peer, Relaxed);
        }
        let text = wait.kept_text().as_bytes();
        self.0[6].store(text.len() as u32, Relaxed);
        for (word, bytes) in self.0[TEXT..].iter().zip(text.chunks(4)) {
            let mut four = [0; 4];
            four[..bytes.len()].copy_from_slice(bytes);
            word.store(u32::from_ne_bytes(four), Relaxed);
        }
    }

    fn set_time(&self, word: usize, time: u64) {
        self.0[word].store(time as u32, Relaxed);
        self.0[word + 1].store((time >> 32) as u32, Relaxed);
    }

    /// What was written last; nothing if the rank waits for nothing, or is always writing.
    pub(super) fn read(&self) -> Option<Wait> {
        for _ in 0..TRIES {
            let before = self.0[0].load(Acquire);
            let words: Vec<u32> = self.0.iter().map(|word| word.load(Relaxed)).collect();
            fence(Acquire);
            if before & 1 == 0 && self.0[0].load(Relaxed) == before {
                return parse(&words);
            }
            std::hint::spin_loop();
        }
        None
    }
}

/// The wait of a slot's words. They come from the job's processes, which may have overwritten them with anything.
fn parse(words: &[u32]) -> Option<Wait> {
    let head = words[1];
    let form = *FORMS.get((head & 0xff).checked_sub(1)? as usize)?;
    let reason = *REASONS.get((head >> 8 & 0xff) as usize)?;
    let peers = words[PEERS..TEXT].get(..(head >> 16) as usize)?.to_vec();
    let time = |word: usize| u64::from(words[word]) | u64::from(words[word + 1]) << 32;
    let text: Vec<u8> = words[TEXT..].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let text = text.get(..words[6] as usize)?;
    let text = String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    Some(Wait { form, reason, peers, since_ms: time(2), quiet_since_ms: time(4), text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> Vec<AtomicU32> {
        (0..SLOT_WORDS).map(|_| AtomicU32::new(0)).collect()
    }

    #[test]
    fn what_is_written_is_read_and_taken_back() {
        let words = words();
        let slot = Slot::new(&words);
        assert_eq!(slot.read(), None);
        let wait = Wait {
            form: Form::Any,
            reason: Reason::Receive,
            peers: vec![3, 1007],
            since_ms: 1 << 40,
            quiet_since_ms: 7,
            text: "MPI_Recv from rank 3".to_owned(),
        };
        slot.write(Some(&wait));
        assert_eq!(slot.read(), Some(wait));
        slot.write(None);
        assert_eq!(slot.read(), None);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let words = words();
        let slot = Slot::new(&words);
        slot.write(Some(&Wait { peers: (0..20).collect(), text: "ä".repeat(300), ..Wait::default() }));
        let read = slot.read().expect("a wait");
        assert_eq!((read.peers, read.text), ((0..8).collect(), "ä".repeat(96)));
        slot.write(Some(&Wait { form: Form::Any, peers: (0..20).collect(), ..Wait::default() }));
        assert_eq!(slot.read().map(|wait| wait.form), Some(Form::Anybody));
    }

    #[test]
    fn half_written_is_not_read() {
        let words = words();
        Slot::new(&words).write(Some(&Wait::default()));
        words[0].store(1, Relaxed);
        assert_eq!(Slot::new(&words).read(), None);
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic(words in prop::collection::vec(any::<u32>(), SLOT_WORDS), small in 0..0x0007_0305_u32) {
            let _ = parse(&words);
            let _ = parse(&[&[0, small][..], &words[2..]].concat());
        }
    }
}
