//! The processes of a lab: found by what they carry in their environment, so that none is forgotten, and none of somebody else is
//! ended.

use super::LabError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The variable that holds a lab's folder.
const FOLDER: &str = "TWOWIRE_LAB";

/// The variable that says which process of the lab this is.
const ROLE: &str = "TWOWIRE_LAB_ROLE";

/// How long a process may take to end once it was killed.
const END: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// How often another process is looked at.
const SLICE: Duration = Duration::from_millis(10);

/// A process of a lab.
#[derive(Debug)]
pub struct LabProcess {
    pid: Pid,
    /// The process itself: its number may be another's by now.
    fd: OwnedFd,
    role: String,
}

impl LabProcess {
    /// Its number.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What it is: a node's name, or the crossbars.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// When it was started, to a hundredth of a second; `None` if it has ended.
    #[expect(clippy::disallowed_methods, reason = "other processes start in real time")]
    pub fn started(&self) -> Option<Instant> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        Instant::now().checked_sub(age(&stat, &uptime)?)
    }
}

/// How old a process is by its `/proc/PID/stat` and by `/proc/uptime`.
fn age(stat: &str, uptime: &str) -> Option<Duration> {
    // Its name, in brackets, may have any characters; the twentieth word after it counts ticks from when the system was started.
    let started: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_secs_f64((now - started / clock_ticks_per_second() as f64).max(0.0)))
}

/// A process that is starting.
#[derive(Debug)]
pub(super) struct Starting {
    child: Child,
    role: String,
    log: PathBuf,
}

/// Starts a process of a lab. Ctrl-C is not for it; it goes on when this one ends, unless its words say otherwise.
pub(super) fn start(command: &mut Command, folder: &Path, role: &str, log: &Path) -> Result<Starting, LabError> {
    let file = File::create(log).map_err(LabError::file("write", log))?;
    let errors = file.try_clone().map_err(LabError::file("write", log))?;
    command.env(FOLDER, folder).env(ROLE, role).process_group(0);
    let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
    let child = child.map_err(|error| {
        let program = command.get_program().display();
        LabError::Process { what: role.to_owned(), reason: format!("{program} cannot be started: {error}") }
    })?;
    Ok(Starting { child, role: role.to_owned(), log: log.to_owned() })
}

impl Starting {
    /// Waits until something shows that it runs.
    pub(super) fn wait_until(mut self, limit: Duration, runs: impl Fn() -> bool) -> Result<(), LabError> {
        let mut ended = None;
        let came = until(limit, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some() || runs()
        });
        match ended {
            Some(status) => Err(self.failed(&format!("it ended at once with {status}"))),
            None if came => Ok(()),
            None => Err(self.failed(&format!("it does not get ready within {limit:?}"))),
        }
    }

    /// One line: what it said last, or why it is believed to have failed.
    fn failed(&self, reason: &str) -> LabError {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        LabError::Process { what: self.role.clone(), reason: last.unwrap_or(reason).to_owned() }
    }
}

/// Waits until something holds that other processes bring about; false if it does not within `limit`.
#[expect(clippy::disallowed_methods, reason = "nobody says when another process has come so far")]
pub fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(SLICE);
    }
    true
}

/// The processes of the lab in a folder, by role.
pub(super) fn find(folder: &Path) -> Result<Vec<LabProcess>, LabError> {
    let proc = Path::new("/proc");
    let entries = fs::read_dir(proc).map_err(LabError::file("read", proc))?;
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<LabProcess> = ids.filter_map(|id| of_lab(Pid::from_raw(id)?, folder)).collect();
    found.sort_by(|a, b| a.role.cmp(&b.role).then(a.id().cmp(&b.id())));
    Ok(found)
}

/// The process of this number, if it is one of the lab. What cannot be read is somebody else's, or has ended.
fn of_lab(pid: Pid, folder: &Path) -> Option<LabProcess> {
    let file = format!("/proc/{}/environ", pid.as_raw_nonzero());
    let role = role(&fs::read(&file).ok()?, folder)?;
    let fd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // The number may have become another process's between the two calls: then this says so.
    let again = fs::read(&file).ok()?;
    (self::role(&again, folder)? == role).then_some(LabProcess { pid, fd, role })
}

/// The role that an environment says, if it is of this lab.
fn role(environment: &[u8], folder: &Path) -> Option<String> {
    let value = |name: &str| {
        let found = environment.split(|&byte| byte == 0).find_map(|word| word.strip_prefix(name.as_bytes()))?;
        found.strip_prefix(b"=")
    };
    let own = Path::new(OsStr::from_bytes(value(FOLDER)?)) == folder;
    own.then_some(())?;
    String::from_utf8(value(ROLE)?.to_vec()).ok()
}

/// Kills processes, and waits until they have ended.
pub(super) fn end(processes: &[LabProcess]) -> Result<(), LabError> {
    for process in processes {
        // One that has ended meanwhile takes no signal.
        let _ = pidfd_send_signal(&process.fd, Signal::KILL);
    }
    for process in processes {
        let mut fds = [PollFd::new(&process.fd, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&END)), Ok(1)) {
            let what = format!("{}, process {}", process.role, process.id());
            return Err(LabError::Process { what, reason: "it does not end although it was killed".to_owned() });
        }
        // Where this process has started it, nobody else asks how it ended; of another's this is an error, and of no interest.
        let _ = waitpid(Some(process.pid), WaitOptions::NOHANG);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processes_of_the_lab_are_its_own() {
        let environment = b"HOME=/\0TWOWIRE_LAB=/tmp/a\0TWOWIRE_LAB_ROLE=n3\0";
        assert_eq!(role(environment, Path::new("/tmp/a")), Some("n3".to_owned()));
        assert_eq!(role(environment, Path::new("/tmp/b")), None);
        assert_eq!(role(b"TWOWIRE_LAB=/tmp/a\0", Path::new("/tmp/a")), None);
        assert_eq!(role(b"", Path::new("/tmp/a")), None);
    }

    /// How exactly the kernel knows when a process has started.
    const TICK: Duration = Duration::from_millis(20);

    #[expect(clippy::disallowed_methods, reason = "other processes start in real time")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_process_is_as_old_as_the_kernel_says() {
        let stat = "7 (a) b 1) S 1 7 7 0 -1 4194304 95 0 0 0 0 0 0 0 20 0 1 0 2050 8192 1";
        let seconds = 2050.0 / clock_ticks_per_second() as f64;
        let age_at = |uptime: f64| age(stat, &format!("{uptime} 99.5")).unwrap();
        assert_eq!(age_at(seconds + 1.5), Duration::from_millis(1500));
        assert_eq!(age_at(seconds - 0.01), Duration::ZERO, "the two are not read at once");
        assert_eq!(age("7 (sh) S 1", "5.0 1.0"), None);
    }

    #[test]
    fn a_process_is_found_and_ended_and_says_why_it_did_not_start() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, log) = (dir.path(), dir.path().join("log"));
        let mut sleeper = Command::new("sleep");
        // Its environment can be read a moment after it has started.
        let is_there = || find(folder).is_ok_and(|found| !found.is_empty());
        let before = now();
        let started = start(sleeper.arg("600"), folder, "n1", &log).unwrap();
        started.wait_until(Duration::from_secs(60), is_there).unwrap();
        let found = find(folder).unwrap();
        assert_eq!(found.iter().map(LabProcess::role).collect::<Vec<_>>(), ["n1"]);
        let started = found[0].started().unwrap();
        assert!(before.duration_since(started) < TICK, "{:?}", before - started);
        end(&found).unwrap();
        assert_eq!(found[0].started(), None);
        assert!(find(folder).unwrap().is_empty());
        let mut wrong = Command::new("sh");
        let started = start(wrong.args(["-c", "echo no room >&2; exit 3"]), folder, "n2", &log).unwrap();
        let error = started.wait_until(Duration::from_secs(60), || false).unwrap_err().to_string();
        assert_eq!(error, "n2: no room");
    }
}
