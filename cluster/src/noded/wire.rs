//! What a front end and the agent of a host say to one another, as bytes: a kind, then its fields, all little-endian.
//!
//! | kind | from | fields |
//! |---|---|---|
//! | 1 reserve | front end | u32 lanes |
//! | 2 start | front end | u32 first rank, u32 ranks here, u32 ranks of the job, seats, directory, list of arguments, list of variables, list of placed files |
//! | 3 input | front end | bytes; none for the end |
//! | 4 signal | front end | u32 number |
//! | 5 need | front end | list of files |
//! | 6 piece | front end | bytes of the files that the agent lacks, one after the other |
//! | 17 reserved | agent | u32 1 if the programs must be sent, list of lanes, two bytes each |
//! | 18 output | agent | u32 1 or 2, bytes |
//! | 19 input taken | agent | |
//! | 20 ended | agent | u32 exit code |
//! | 21 refused | agent | text |
//! | 22 lacking | agent | list of files |
//!
//! A file is the BLAKE3 of its bytes and their number, u64; a placed file is a file and the path where it is wanted.
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
    /// Files that have been sent, and where the ranks look for them.
    pub files: Vec<Placed>,
}

/// The contents of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// How many they are.
    pub len: u64,
}

/// A file at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where.
    pub path: Vec<u8>,
    /// What.
    pub blob: Blob,
}

impl Blob {
    fn to_bytes(self) -> Vec<u8> {
        [&self.hash[..], &self.len.to_le_bytes()].concat()
    }

    fn split(bytes: &[u8]) -> Option<(Blob, &[u8])> {
        let (hash, rest) = bytes.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        Some((Blob { hash: *hash, len: u64::from_le_bytes(*len) }, rest))
    }

    fn parse(bytes: &[u8]) -> Option<Blob> {
        Blob::split(bytes).filter(|(_, rest)| rest.is_empty()).map(|(blob, _)| blob)
    }
}

impl Placed {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.blob.to_bytes()[..], &self.path].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Placed> {
        Blob::split(bytes).map(|(blob, path)| Placed { path: path.to_vec(), blob })
    }
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
    /// These files will be needed.
    Need(Vec<Blob>),
    /// Bytes of the files of [`Message::Lacking`].
    Piece(Vec<u8>),
    /// These lanes are the job's.
    Reserved {
        /// Their numbers.
        lanes: Vec<u16>,
        /// The host has no programs of its own: they must be sent.
        takes_files: bool,
    },
    /// These files are not here.
    Lacking(Vec<Blob>),
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
                numbers
                    .bytes(&start.seats)
                    .bytes(&start.directory)
                    .list(&start.arguments)
                    .list(&start.environment)
                    .list(&start.files.iter().map(Placed::to_bytes).collect::<Vec<_>>())
            }
            Message::Input(bytes) => out.kind(3).bytes(bytes),
            Message::Signal(number) => out.kind(4).number(number.cast_unsigned()),
            Message::Need(blobs) => out.kind(5).blobs(blobs),
            Message::Piece(bytes) => out.kind(6).bytes(bytes),
            Message::Reserved { lanes, takes_files } => out
                .kind(17)
                .number((*takes_files).into())
                .list(&lanes.iter().map(|lane| lane.to_le_bytes().to_vec()).collect::<Vec<_>>()),
            Message::Output(stream, bytes) => out.kind(18).number((*stream).into()).bytes(bytes),
            Message::InputTaken => out.kind(19),
            Message::Ended(code) => out.kind(20).number(code.cast_unsigned()),
            Message::Refused(text) => out.kind(21).bytes(text.as_bytes()),
            Message::Lacking(blobs) => out.kind(22).blobs(blobs),
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
                files: from.list()?.iter().map(|bytes| Placed::parse(bytes)).collect::<Option<_>>()?,
            })),
            3 => Message::Input(from.bytes()?),
            4 => Message::Signal(from.number()?.cast_signed()),
            5 => Message::Need(from.blobs()?),
            6 => Message::Piece(from.bytes()?),
            17 => {
                let takes_files = match from.number()? {
                    0 => false,
                    1 => true,
                    _ => return None,
                };
                let lane = |bytes: Vec<u8>| Some(u16::from_le_bytes(bytes.try_into().ok()?));
                let lanes = from.list()?.into_iter().map(lane).collect::<Option<_>>()?;
                Message::Reserved { lanes, takes_files }
            }
            18 => Message::Output(u8::try_from(from.number()?).ok()?, from.bytes()?),
            19 => Message::InputTaken,
            20 => Message::Ended(from.number()?.cast_signed()),
            21 => Message::Refused(String::from_utf8(from.bytes()?).ok()?),
            22 => Message::Lacking(from.blobs()?),
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

    fn blobs(&mut self, blobs: &[Blob]) -> &mut Writer {
        self.list(&blobs.iter().map(|blob| blob.to_bytes()).collect::<Vec<_>>())
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

    fn blobs(&mut self) -> Option<Vec<Blob>> {
        self.list()?.iter().map(|bytes| Blob::parse(bytes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..20)
    }

    fn some_blob() -> impl Strategy<Value = Blob> {
        any::<([u8; 32], u64)>().prop_map(|(hash, len)| Blob { hash, len })
    }

    fn some_message() -> impl Strategy<Value = Message> {
        let list = || prop::collection::vec(some_bytes(), 0..4);
        let blobs = || prop::collection::vec(some_blob(), 0..4);
        let placed = (some_bytes(), some_blob()).prop_map(|(path, blob)| Placed { path, blob });
        let files = prop::collection::vec(placed, 0..4);
        let start = (any::<[u32; 3]>(), some_bytes(), some_bytes(), list(), list(), files).prop_map(
            |([first, count, size], seats, directory, arguments, environment, files)| {
                let start = Start { first, count, size, seats, directory, arguments, environment, files };
                Message::Start(Box::new(start))
            },
        );
        prop_oneof![
            any::<u32>().prop_map(Message::Reserve),
            start,
            some_bytes().prop_map(Message::Input),
            any::<i32>().prop_map(Message::Signal),
            blobs().prop_map(Message::Need),
            blobs().prop_map(Message::Lacking),
            some_bytes().prop_map(Message::Piece),
            (prop::collection::vec(any::<u16>(), 0..5), any::<bool>())
                .prop_map(|(lanes, takes_files)| Message::Reserved { lanes, takes_files }),
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
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 17, 18, 19, 20, 21, 22])) {
            let _ = Message::parse(&bytes);
            let _ = Message::parse(&[&[kind], &bytes[..]].concat());
        }
    }
}
