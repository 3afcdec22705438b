//! PMI-1, as Hydra and Slurm speak it with the processes that they start: lines `cmd=name key=value …` on a socket.

use super::{Store, mapping, sys};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// The connection to the process manager.
#[derive(Debug)]
pub(super) struct Pmi1 {
    socket: BufReader<UnixStream>,
    /// The name of the job's store of keys and values.
    store: String,
}

/// An answer: its fields by their keys.
type Answer = BTreeMap<String, String>;

impl Pmi1 {
    /// Begins to speak on the descriptor that the launcher left open.
    pub(super) fn connect(descriptor: i32) -> io::Result<Pmi1> {
        Pmi1::start(UnixStream::from(sys::adopt(descriptor)?))
    }

    fn start(socket: UnixStream) -> io::Result<Pmi1> {
        let mut pmi = Pmi1 { socket: BufReader::new(socket), store: String::new() };
        pmi.ask("cmd=init pmi_version=1 pmi_subversion=1", "response_to_init")?;
        let answer = pmi.ask("cmd=get_my_kvsname", "my_kvsname")?;
        pmi.store = field(&answer, "kvsname")?.to_owned();
        Ok(pmi)
    }

    fn value(&mut self, key: &str) -> io::Result<String> {
        let answer = self.ask(&format!("cmd=get kvsname={} key={key}", self.store), "get_result")?;
        field(&answer, "value").map(str::to_owned)
    }

    /// Which of the programs of the job this is, where the launcher says so.
    pub(super) fn appnum(&mut self) -> Option<u32> {
        let answer = self.ask("cmd=get_appnum", "appnum").ok()?;
        answer.get("appnum")?.parse().ok()
    }

    /// The ranks on this process's node, in rising order.
    pub(super) fn ranks_of_my_node(&mut self, rank: u32, size: u32) -> io::Result<Vec<u32>> {
        let text = self.value("PMI_process_mapping")?;
        let unclear = || io::Error::other(format!("PMI_process_mapping={text} is not a mapping of {size} ranks"));
        let nodes = mapping::nodes(&text, size).ok_or_else(unclear)?;
        let mine = nodes.get(rank as usize).ok_or_else(unclear)?;
        Ok((0..size).filter(|&other| nodes[other as usize] == *mine).collect())
    }

    /// Says that this process will not be heard of again.
    pub(super) fn finalize(&mut self) -> io::Result<()> {
        self.ask("cmd=finalize", "finalize_ack").map(|_| ())
    }

    /// Asks the launcher to end the job. No answer comes.
    pub(super) fn abort(&mut self, code: i32) {
        let _ = self.socket.get_mut().write_all(format!("cmd=abort exitcode={code}\n").as_bytes());
    }

    fn ask(&mut self, line: &str, expected: &str) -> io::Result<Answer> {
        self.socket.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        self.socket.read_line(&mut answer)?;
        let fields = parse(&answer);
        let done = fields.get("rc").is_none_or(|code| code == "0");
        match fields.get("cmd") {
            Some(command) if command == expected && done => Ok(fields),
            _ => Err(io::Error::other(format!("`{line}` was answered by `{}`", answer.trim_end()))),
        }
    }
}

impl Store for Pmi1 {
    fn put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let line = format!("cmd=put kvsname={} key={key} value={value}", self.store);
        self.ask(&line, "put_result").map(|_| ())
    }

    fn get(&mut self, _rank: u32, key: &str) -> io::Result<String> {
        self.value(key)
    }

    fn barrier(&mut self) -> io::Result<()> {
        self.ask("cmd=barrier_in", "barrier_out").map(|_| ())
    }
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

    /// Plays the manager: what it expects to read, and what it answers.
    fn manager(script: &'static [(&str, &str)]) -> UnixStream {
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
        ours
    }

    const INIT: [(&str, &str); 2] = [
        ("cmd=init pmi_version=1 pmi_subversion=1", "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0"),
        ("cmd=get_my_kvsname", "cmd=my_kvsname kvsname=kvs_7"),
    ];

    #[test]
    fn a_conversation() {
        const SCRIPT: &[(&str, &str)] = &[
            INIT[0],
            INIT[1],
            ("cmd=get kvsname=kvs_7 key=PMI_process_mapping", "cmd=get_result rc=0 msg=success value=(vector,(0,2,2))"),
            ("cmd=put kvsname=kvs_7 key=a value=1,2", "cmd=put_result rc=0 msg=success"),
            ("cmd=barrier_in", "cmd=barrier_out"),
            ("cmd=get kvsname=kvs_7 key=b", "cmd=get_result rc=1 msg=key_b_not_found value=unknown"),
            ("cmd=finalize", "cmd=finalize_ack"),
        ];
        let mut pmi = Pmi1::start(manager(SCRIPT)).unwrap();
        assert_eq!(pmi.ranks_of_my_node(3, 4).unwrap(), [2, 3]);
        pmi.put("a", "1,2").unwrap();
        pmi.barrier().unwrap();
        assert!(pmi.get(0, "b").unwrap_err().to_string().contains("rc=1 msg=key_b_not_found"));
        pmi.finalize().unwrap();
    }

    #[test]
    fn a_manager_that_is_gone_is_an_error() {
        let (ours, _) = UnixStream::pair().unwrap();
        assert!(Pmi1::start(ours).is_err());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".{0,60}") {
            let _ = parse(&line);
        }
    }
}
