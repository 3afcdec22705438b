//! Programs, and what they take.

use std::process::Command;
use std::time::Instant;
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
}
