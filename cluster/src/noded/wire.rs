//! What a front end and the agent of a host say to one another, as bytes: a kind, then its fields, all little-endian.
//!
//! | kind | from | fields |
//! |---|---|---|
//! | 1 reserve | front end | u32 lanes |
//! | 2 start | front end | u32 first rank, u32 ranks here, u32 ranks of the job, seats, directory, list of arguments, list of variables |
//! | 3 input | front end | bytes; none for the end |
//! | 4 signal | front end | u32 number |
//! | 17 reserved | agent | list of lanes, two bytes each |
//! | 18 output | agent | u32 1 or 2, bytes |
//! | 19 input taken | agent | |
//! | 20 ended | agent | u32 exit code |
//! | 21 refused | agent | text |
//!
//! Bytes are a u32 length and so many bytes; a list is a u32 count and so many bytes, each with its length.

/// The processes of a job that one host runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The first of them.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// Processes of the whole job.
    pub size: u32,
    /// The file that says where every rank sits.
    pub seats: Vec<u8>,
    /// Where they start.
    pub directory: Vec<u8>,
    /// The arguments of `mpirun`.
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=VALUE` for each environment variable.
    pub environment: Vec<Vec<u8>>,
}

/// A message of either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Lanes for so many ranks are wanted.
    Reserve(u32),
    /// Run this.
    Start(Box<Start>),
    /// Standard input; its end if empty. The next piece follows [`Message::InputTaken`].
    Input(Vec<u8>),
    /// A signal for the job.
    Signal(i32),
    /// These lanes are the job's.
    Reserved(Vec<u16>),
    /// Something was written to descriptor 1 or 2.
    Output(u8, Vec<u8>),
    /// The last piece of input was written.
    InputTaken,
    /// All has ended, with this exit code.
    Ended(i32),
    /// It cannot be done.
    Refused(String),
}

impl Message {
    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(Vec::new());
        match self {
            Message::Reserve(lanes) => out.kind(1).number(*lanes),
            Message::Start(start) => {
                let numbers = out.kind(2).number(start.first).number(start.count).number(start.size);
                numbers.bytes(&start.seats).bytes(&start.directory).list(&start.arguments).list(&start.environment)
            }
            Message::Input(bytes) => out.kind(3).bytes(bytes),
            Message::Signal(number) => out.kind(4).number(number.cast_unsigned()),
            Message::Reserved(lanes) => {
                out.kind(17).list(&lanes.iter().map(|lane| lane.to_le_bytes().to_vec()).collect::<Vec<_>>())
            }
            Message::Output(stream, bytes) => out.kind(18).number((*stream).into()).bytes(bytes),
            Message::InputTaken => out.kind(19),
            Message::Ended(code) => out.kind(20).number(code.cast_unsigned()),
            Message::Refused(text) => out.kind(21).bytes(text.as_bytes()),
        };
        out.0
    }

    /// The message that these bytes are; `None` if they are none, or have bytes behind it.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        let mut from = Reader(bytes);
        let message = match from.kind()? {
            1 => Message::Reserve(from.number()?),
            2 => Message::Start(Box::new(Start {
                first: from.number()?,
                count: from.number()?,
                size: from.number()?,
                seats: from.bytes()?,
                directory: from.bytes()?,
                arguments: from.list()?,
                environment: from.list()?,
            })),
            3 => Message::Input(from.bytes()?),
            4 => Message::Signal(from.number()?.cast_signed()),
            17 => {
                let lane = |bytes: Vec<u8>| Some(u16::from_le_bytes(bytes.try_into().ok()?));
                Message::Reserved(from.list()?.into_iter().map(lane).collect::<Option<_>>()?)
            }
            18 => Message::Output(u8::try_from(from.number()?).ok()?, from.bytes()?),
            19 => Message::InputTaken,
            20 => Message::Ended(from.number()?.cast_signed()),
            21 => Message::Refused(String::from_utf8(from.bytes()?).ok()?),
            _ => return None,
        };
        from.0.is_empty().then_some(message)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn kind(&mut self, kind: u8) -> &mut Writer {
        self.0.push(kind);
        self
    }

    fn number(&mut self, number: u32) -> &mut Writer {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.number(bytes.len() as u32).0.extend_from_slice(bytes);
        self
    }

    fn list(&mut self, list: &[Vec<u8>]) -> &mut Writer {
        list.iter().fold(self.number(list.len() as u32), |out, bytes| out.bytes(bytes))
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn kind(&mut self) -> Option<u8> {
        let (&kind, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(kind)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }

    fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        // What the count claims is not believed: each element takes bytes that must be there.
        (0..self.number()?).map(|_| self.bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..20)
    }

    fn some_message() -> impl Strategy<Value = Message> {
        let list = || prop::collection::vec(some_bytes(), 0..4);
        let start = (any::<[u32; 3]>(), some_bytes(), some_bytes(), list(), list()).prop_map(
            |([first, count, size], seats, directory, arguments, environment)| {
                let start = Start { first, count, size, seats, directory, arguments, environment };
                Message::Start(Box::new(start))
            },
        );
        prop_oneof![
            any::<u32>().prop_map(Message::Reserve),
            start,
            some_bytes().prop_map(Message::Input),
            any::<i32>().prop_map(Message::Signal),
            prop::collection::vec(any::<u16>(), 0..5).prop_map(Message::Reserved),
            (any::<u8>(), some_bytes()).prop_map(|(stream, bytes)| Message::Output(stream, bytes)),
            Just(Message::InputTaken),
            any::<i32>().prop_map(Message::Ended),
            ".{0,9}".prop_map(Message::Refused),
        ]
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written(message in some_message(), cut in 1usize..9) {
            let mut bytes = message.to_bytes();
            prop_assert_eq!(Message::parse(&bytes), Some(message));
            let short = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert_eq!(Message::parse(short), None);
            bytes.push(0);
            prop_assert_eq!(Message::parse(&bytes), None, "a byte too many");
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in prop::sample::select(vec![1u8, 2, 3, 4, 17, 18, 19, 20, 21])) {
            let _ = Message::parse(&bytes);
            let _ = Message::parse(&[&[kind], &bytes[..]].concat());
        }
    }
}
