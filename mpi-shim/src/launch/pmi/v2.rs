//! PMI-2: messages `cmd=name;key=value;…`, each behind its length in six digits. A semicolon in a value is doubled.

use super::{Socket, neighbours};
use crate::launch::Manager;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Characters of a length.
const DIGITS: usize = 6;

/// The connection to the process manager.
#[derive(Debug)]
pub(super) struct Pmi2 {
    socket: Socket,
    /// What the manager calls the job.
    job: String,
    appnum: Option<u32>,
}

/// An answer: its fields by their keys.
type Answer = BTreeMap<String, String>;

impl Pmi2 {
    /// After both sides agreed on the version; also this process's rank, and the job's size.
    pub(super) fn start(socket: Socket) -> io::Result<(Pmi2, u32, u32)> {
        let job = std::env::var("PMI_JOBID").unwrap_or_else(|_| "0".to_owned());
        let mut pmi = Pmi2 { socket, job: String::new(), appnum: None };
        // Slurm wants a number here, and looks only whether there is one.
        let rank = std::env::var("PMI_RANK").unwrap_or_else(|_| "0".to_owned());
        let answer = pmi.ask("fullinit", &[("pmijobid", &job), ("pmirank", &rank), ("threaded", "FALSE")])?;
        pmi.job = job;
        pmi.appnum = answer.get("appnum").and_then(|text| text.parse().ok());
        let (rank, size) = (number(&answer, "rank")?, number(&answer, "size")?);
        Ok((pmi, rank, size))
    }

    fn value(&mut self, command: &str, fields: &[(&str, &str)]) -> io::Result<String> {
        let answer = self.ask(command, fields)?;
        match answer.get("found").map(String::as_str) {
            Some("TRUE") => field(&answer, "value").map(str::to_owned),
            _ => Err(io::Error::other(format!("the launcher has nothing for {command} {fields:?}"))),
        }
    }

    fn ask(&mut self, command: &str, fields: &[(&str, &str)]) -> io::Result<Answer> {
        self.say(command, fields)?;
        let answer = parse(&read(&mut self.socket)?);
        let expected = answer.get("cmd").and_then(|said| said.strip_suffix("-response")) == Some(command);
        if expected && answer.get("rc").is_none_or(|code| code == "0") {
            return Ok(answer);
        }
        Err(io::Error::other(format!("`{command}` with {fields:?} was answered by {answer:?}")))
    }

    fn say(&mut self, command: &str, fields: &[(&str, &str)]) -> io::Result<()> {
        self.socket.get_mut().write_all(&message(command, fields)?)
    }
}

impl Manager for Pmi2 {
    fn put(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.ask("kvs-put", &[("key", key), ("value", value)]).map(|_| ())
    }

    fn get(&mut self, _rank: u32, key: &str) -> io::Result<String> {
        let job = self.job.clone();
        self.value("kvs-get", &[("jobid", &job), ("srcid", "-1"), ("key", key)])
    }

    fn fence(&mut self) -> io::Result<()> {
        self.ask("kvs-fence", &[]).map(|_| ())
    }

    fn appnum(&mut self) -> Option<u32> {
        self.appnum
    }

    fn local_ranks(&mut self, rank: u32, size: u32) -> io::Result<Vec<u32>> {
        neighbours(&self.value("info-getjobattr", &[("key", "PMI_process_mapping")])?, rank, size)
    }

    fn finalize(mut self: Box<Self>) -> io::Result<()> {
        self.ask("finalize", &[]).map(|_| ())
    }

    fn abort(&mut self, code: i32) {
        let _ = self.say("abort", &[("isworld", "TRUE"), ("exitcode", &code.to_string()), ("msg", "MPI_Abort")]);
    }
}

/// The bytes of a message.
fn message(command: &str, fields: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let mut text = format!("cmd={command};");
    for (key, value) in fields {
        let _ = write!(text, "{key}={};", value.replace(';', ";;"));
    }
    let bytes = format!("{:DIGITS$}{text}", text.len()).into_bytes();
    if bytes.len() != DIGITS + text.len() {
        return Err(io::Error::other(format!("a message of {} bytes is too long for PMI-2", text.len())));
    }
    Ok(bytes)
}

/// The next message, without its length.
fn read(from: &mut impl Read) -> io::Result<String> {
    let mut digits = [0; DIGITS];
    from.read_exact(&mut digits)?;
    let len = std::str::from_utf8(&digits).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let wrong = || io::Error::other(format!("a length in {DIGITS} digits is expected, not {}", digits.escape_ascii()));
    let mut bytes = vec![0; len.ok_or_else(wrong)? as usize];
    from.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The fields of a message. What has no `=` is left out.
fn parse(text: &str) -> Answer {
    let mut fields = Answer::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, behind) = split_field(rest);
        if let Some((key, value)) = field.split_once('=') {
            fields.insert(key.to_owned(), value.to_owned());
        }
        rest = behind;
    }
    fields
}

/// Up to the first semicolon that stands alone, with the doubled ones made single; and what comes behind it.
fn split_field(text: &str) -> (String, &str) {
    let mut field = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(';') {
        field += before;
        match behind.strip_prefix(';') {
            Some(behind) => {
                field.push(';');
                rest = behind;
            }
            None => return (field, behind),
        }
    }
    (field + rest, "")
}

fn field<'a>(answer: &'a Answer, key: &str) -> io::Result<&'a str> {
    answer.get(key).map(String::as_str).ok_or_else(|| io::Error::other(format!("an answer without `{key}`")))
}

fn number(answer: &Answer, key: &str) -> io::Result<u32> {
    let text = field(answer, key)?;
    text.parse().map_err(|_| io::Error::other(format!("`{key}={text}` is not a number")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;
    use std::os::unix::net::UnixStream;

    /// Plays the manager for one message, whatever it says; what it said.
    pub(in crate::launch::pmi) fn answer(socket: &mut Socket, answer: &str) -> String {
        let asked = read(socket).unwrap();
        write!(socket.get_mut(), "{:6}{answer}", answer.len()).unwrap();
        asked
    }

    /// The same for a script of messages.
    fn manager(script: &'static [(&str, &str)]) -> Socket {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut theirs = BufReader::new(theirs);
            for (expected, said) in script {
                assert_eq!(answer(&mut theirs, said), *expected);
            }
        });
        BufReader::new(ours)
    }

    const INIT: (&str, &str) = (
        "cmd=fullinit;pmijobid=0;pmirank=0;threaded=FALSE;",
        "cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank=3;size=4;appnum=1;debugged=FALSE;pmiverbose=0;",
    );

    #[test]
    fn a_conversation() {
        const SCRIPT: &[(&str, &str)] = &[
            INIT,
            (
                "cmd=info-getjobattr;key=PMI_process_mapping;",
                "cmd=info-getjobattr-response;found=TRUE;value=(vector,(0,2,2));rc=0;",
            ),
            ("cmd=kvs-put;key=a;value=1,2;;3;", "cmd=kvs-put-response;rc=0;"),
            ("cmd=kvs-fence;", "cmd=kvs-fence-response;rc=0;"),
            ("cmd=kvs-get;jobid=0;srcid=-1;key=a;", "cmd=kvs-get-response;found=TRUE;value=1,2;;3;rc=0;"),
            ("cmd=kvs-get;jobid=0;srcid=-1;key=b;", "cmd=kvs-get-response;found=FALSE;rc=0;"),
            ("cmd=kvs-put;key=c;value=;", "cmd=kvs-put-response;rc=14;errmsg=no room;"),
            ("cmd=finalize;", "cmd=finalize-response;rc=0;"),
        ];
        let (pmi, rank, size) = Pmi2::start(manager(SCRIPT)).unwrap();
        let mut pmi = Box::new(pmi);
        assert_eq!((rank, size, pmi.appnum()), (3, 4, Some(1)));
        assert_eq!(pmi.local_ranks(3, 4).unwrap(), [2, 3]);
        pmi.put("a", "1,2;3").unwrap();
        pmi.fence().unwrap();
        assert_eq!(pmi.get(0, "a").unwrap(), "1,2;3");
        assert!(pmi.get(0, "b").unwrap_err().to_string().contains("nothing for kvs-get"));
        assert!(pmi.put("c", "").unwrap_err().to_string().contains("no room"));
        pmi.finalize().unwrap();
    }

    #[test]
    fn what_is_no_conversation_is_an_error() {
        let said = |bytes: &[u8]| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(bytes).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            Pmi2::start(BufReader::new(ours)).unwrap_err().to_string()
        };
        said(b"");
        said(b"    40cmd=fullinit-response;");
        assert!(said(b"abcdefcmd=").contains("not abcdef"));
        assert!(said(b"    -1cmd=").contains("not     -1"));
        assert!(said(b"    10cmd=other;").contains("`fullinit`"));
        assert!(said(b"    22cmd=fullinit-response;").contains("without `rank`"));
        assert!(said(b"    31cmd=fullinit-response;rank=one;").contains("`rank=one`"));
    }

    #[test]
    fn a_message_that_its_length_cannot_tell_is_refused() {
        let long = "x".repeat(1_000_000);
        assert!(message("kvs-put", &[("value", &long)]).is_err());
        assert!(message("kvs-put", &[("value", &long[..999_900])]).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..60), len in prop::option::of(0..60_u32)) {
            if let Some(len) = len {
                bytes.splice(0..bytes.len().min(DIGITS), format!("{len:6}").into_bytes());
            }
            if let Ok(text) = read(&mut &bytes[..]) {
                let _ = parse(&text);
            }
        }

        #[test]
        fn what_is_written_is_read(fields in prop::collection::btree_map("[a-z]{1,5}", "[a-z;= ]{0,8}", 0..5)) {
            let asked: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let mut read = parse(&read(&mut &message("x", &asked).unwrap()[..]).unwrap());
            prop_assume!(!fields.contains_key("cmd"));
            prop_assert_eq!(read.remove("cmd"), Some("x".to_owned()));
            prop_assert_eq!(read, fields);
        }
    }
}
