//! PMI-1: lines `cmd=name key=value …`.

use super::{Socket, neighbours};
use crate::launch::Manager;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

/// The connection to the process manager.
#[derive(Debug)]
pub(super) struct Pmi1 {
    socket: Socket,
    /// The name of the job's store of keys and values.
    store: String,
}

/// An answer: its fields by their keys.
pub(super) type Answer = BTreeMap<String, String>;

impl Pmi1 {
    /// After both sides agreed on the version.
    pub(super) fn start(socket: Socket) -> io::Result<Pmi1> {
        let mut pmi = Pmi1 { socket, store: String::new() };
        let answer = pmi.ask("cmd=get_my_kvsname", "my_kvsname")?;
        pmi.store = field(&answer, "kvsname")?.to_owned();
        Ok(pmi)
    }

    fn value(&mut self, key: &str) -> io::Result<String> {
        let answer = self.ask(&format!("cmd=get kvsname={} key={key}", self.store), "get_result")?;
        field(&answer, "value").map(str::to_owned)
    }

    fn ask(&mut self, line: &str, expected: &str) -> io::Result<Answer> {
        self.socket.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let fields = read(&mut self.socket)?;
        let done = fields.get("rc").is_none_or(|code| code == "0");
        match fields.get("cmd") {
            Some(command) if command == expected && done => Ok(fields),
            _ => Err(io::Error::other(format!("`{line}` was answered by {fields:?}"))),
        }
    }
}

impl Manager for Pmi1 {
    fn put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let line = format!("cmd=put kvsname={} key={key} value={value}", self.store);
        self.ask(&line, "put_result").map(|_| ())
    }

    fn get(&mut self, _rank: u32, key: &str) -> io::Result<String> {
        self.value(key)
    }

    fn fence(&mut self) -> io::Result<()> {
        self.ask("cmd=barrier_in", "barrier_out").map(|_| ())
    }

    fn appnum(&mut self) -> Option<u32> {
        let answer = self.ask("cmd=get_appnum", "appnum").ok()?;
        answer.get("appnum")?.parse().ok()
    }

    fn local_ranks(&mut self, rank: u32, size: u32) -> io::Result<Vec<u32>> {
        neighbours(&self.value("PMI_process_mapping")?, rank, size)
    }

    fn finalize(mut self: Box<Self>) -> io::Result<()> {
        self.ask("cmd=finalize", "finalize_ack").map(|_| ())
    }

    fn abort(&mut self, code: i32) {
        let _ = self.socket.get_mut().write_all(format!("cmd=abort exitcode={code}\n").as_bytes());
    }
}

/// The fields of the next line.
pub(super) fn read(socket: &mut Socket) -> io::Result<Answer> {
    let mut line = String::new();
    socket.read_line(&mut line)?;
    Ok(parse(&line))
}

fn field<'a>(answer: &'a Answer, key: &str) -> io::Result<&'a str> {
    answer.get(key).map(String::as_str).ok_or_else(|| io::Error::other(format!("an answer without `{key}`")))
}

fn parse(line: &str) -> Answer {
    let fields = line.split_ascii_whitespace().filter_map(|field| field.split_once('='));
    fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;
    use std::os::unix::net::UnixStream;

    /// Plays the manager: what it expects to read, and what it answers.
    fn manager(script: &'static [(&str, &str)]) -> Socket {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut theirs = BufReader::new(theirs);
            for (expected, answer) in script {
                let mut line = String::new();
                theirs.read_line(&mut line).unwrap();
                assert_eq!(line.trim_end(), *expected);
                theirs.get_mut().write_all(format!("{answer}\n").as_bytes()).unwrap();
            }
        });
        BufReader::new(ours)
    }

    const NAME: (&str, &str) = ("cmd=get_my_kvsname", "cmd=my_kvsname kvsname=kvs_7");

    #[test]
    fn a_conversation() {
        const SCRIPT: &[(&str, &str)] = &[
            NAME,
            ("cmd=get kvsname=kvs_7 key=PMI_process_mapping", "cmd=get_result rc=0 msg=success value=(vector,(0,2,2))"),
            ("cmd=put kvsname=kvs_7 key=a value=1,2", "cmd=put_result rc=0 msg=success"),
            ("cmd=barrier_in", "cmd=barrier_out"),
            ("cmd=get_appnum", "cmd=appnum appnum=-1"),
            ("cmd=get kvsname=kvs_7 key=b", "cmd=get_result rc=1 msg=key_b_not_found value=unknown"),
            ("cmd=finalize", "cmd=finalize_ack"),
        ];
        let mut pmi = Box::new(Pmi1::start(manager(SCRIPT)).unwrap());
        assert_eq!(pmi.local_ranks(3, 4).unwrap(), [2, 3]);
        pmi.put("a", "1,2").unwrap();
        pmi.fence().unwrap();
        assert_eq!(pmi.appnum(), None);
        assert!(pmi.get(0, "b").unwrap_err().to_string().contains("key_b_not_found"));
        pmi.finalize().unwrap();
    }

    #[test]
    fn a_manager_that_is_gone_is_an_error() {
        let (ours, _) = UnixStream::pair().unwrap();
        assert!(Pmi1::start(BufReader::new(ours)).is_err());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,60}") {
            let _ = parse(&line);
        }
    }
}
