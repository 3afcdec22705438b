//! Programs, and what they take.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use twowire_fabric::program::Failure;

/// What a program took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// From its start to its end.
    pub wall_s: f64,
    /// Of processors, in user and kernel mode.
    pub cpu_s: f64,
}

/// Runs a program to its end; its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| Failure::Failed(format!("cannot run {name}: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Failed(format!("{name} failed: {}", said.lines().last().unwrap_or_default())));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::Failed(format!("{name} printed no text")))
}

/// Runs a program as [`capture`] does, on one core alone: so it cannot take more of processors than it takes of time.
pub(crate) fn capture_on_one_core(command: &mut Command) -> Result<String, Failure> {
    // A program starts with the cores of the thread that starts it.
    let pinned = move || {
        let mine = sched_getaffinity(None).map_err(Failure::failed)?;
        let mut one = CpuSet::new();
        (0..CpuSet::MAX_CPU).find(|&core| mine.is_set(core)).into_iter().for_each(|core| one.set(core));
        sched_setaffinity(None, &one).map_err(Failure::failed)?;
        capture(command)
    };
    std::thread::scope(|scope| scope.spawn(pinned).join()).expect("it does not panic")
}

/// Runs a program until its log has two lines with these texts, one after the other; what it took from the first to the second. `None` if
/// it ends before.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn between(command: &mut Command, log: &Path, texts: [&str; 2]) -> Result<Option<Took>, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cannot = |error| Failure::Failed(format!("cannot run {name}: {error}"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(cannot)?;
    let mut running = Running(child);
    let mut log = Log { path: log, file: None, line: String::new() };
    let mut first: Option<(Instant, f64)> = None;
    loop {
        let ended = running.0.try_wait().map_err(Failure::failed)?.is_some();
        while log.next_line()? {
            match first {
                None if log.line.contains(texts[0]) => first = Some((Instant::now(), running.cpu_s()?)),
                Some((start, cpu_s)) if log.line.contains(texts[1]) => {
                    let wall_s = start.elapsed().as_secs_f64();
                    return Ok(Some(Took { wall_s, cpu_s: running.cpu_s()? - cpu_s }));
                }
                _ => {}
            }
        }
        if ended {
            return Ok(None);
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A program that runs until it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// What it has taken of processors so far, to the clock tick.
    fn cpu_s(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).map_err(Failure::failed)?;
        let ticks = ticks(&stat).ok_or_else(|| Failure::Failed(format!("/proc/PID/stat said `{stat}`")))?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It holds nothing that is wanted afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ticks in user and kernel mode in a line of `/proc/PID/stat`: the 12th and the 13th word after the program's name.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(|word| word.parse::<u64>().ok());
    ticks.sum()
}

/// A file that somebody else writes, line by line.
struct Log<'a> {
    path: &'a Path,
    file: Option<BufReader<File>>,
    /// The line read last, or as much of it as is there.
    line: String,
}

impl Log<'_> {
    /// Reads a line; false if there is none yet.
    fn next_line(&mut self) -> Result<bool, Failure> {
        let Some(file) = &mut self.file else {
            self.file = File::open(self.path).ok().map(BufReader::new);
            return Ok(false);
        };
        if self.line.ends_with('\n') {
            self.line.clear();
        }
        file.read_line(&mut self.line).map_err(Failure::failed)?;
        Ok(self.line.ends_with('\n'))
    }
}

/// Runs a program as [`capture`] does, and says what it took.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn timed(command: &mut Command) -> Result<(String, Took), Failure> {
    // The shell's `times` says what its children took, to the clock tick.
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\" || exit 1; times >&2", "sh", "env"]);
    // Not the shell's environment: a library that is to be loaded into the program is nothing for the shell.
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        let mut setting = name.to_owned();
        setting.push("=");
        setting.push(value);
        shell.arg(setting);
    }
    shell.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    let start = Instant::now();
    let output = shell.output().map_err(|error| Failure::Failed(format!("cannot run sh: {error}")))?;
    let wall_s = start.elapsed().as_secs_f64();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let last = err.lines().last().unwrap_or_default();
    let name = command.get_program().to_string_lossy();
    if !output.status.success() {
        return Err(Failure::Failed(format!("{name} failed: {last}")));
    }
    let cpu_s =
        children(last).ok_or_else(|| Failure::Failed(format!("the shell's `times` after {name} said `{last}`")))?;
    Ok((out.into_owned(), Took { wall_s, cpu_s }))
}

/// The sum of two times as `times` writes them: `0m1.25s 0m0.03s`.
fn children(line: &str) -> Option<f64> {
    let seconds = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    };
    line.split_whitespace().map(seconds).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_times_are_read() {
        assert_eq!(children("1m1.250000s 0m0.030000s"), Some(61.28));
        assert_eq!(children("no times"), None);
    }

    #[test]
    fn the_kernels_times_are_read() {
        let stat = "71 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("71 (sh) S 1 2"), Some(0));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn what_a_program_takes_between_two_lines_of_its_log_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let run = |script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).current_dir(dir.path());
            between(&mut shell, &log, ["it begins", "it ends"]).unwrap()
        };
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let took =
            run(&format!("echo it ends > log; echo it begins >> log; {busy}; echo it ends >> log; exec sleep 600"));
        let took = took.expect("it has both lines");
        assert!(took.cpu_s > 0.0 && took.wall_s > 0.0, "{took:?}");
        std::fs::remove_file(&log).unwrap();
        assert!(run("echo it ends > log; echo it begins >> log").is_none());
    }
}
