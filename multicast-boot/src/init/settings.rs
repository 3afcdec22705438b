//! Settings on a kernel's command line: words `twowire.KEY=VALUE` or `twowire.KEY`.
//!
//! Each is an option `--KEY` of `bootnode`, which knows what they mean; a few are for process 1 itself. As the kernel does,
//! double quotes hold a value with spaces together.

use super::{KEY_FILE, SECRET_FILE};
use crate::image::Manifest;
use crate::session::Ticket;
use std::time::Duration;

/// What the words begin with.
const PREFIX: &str = "twowire.";

/// The word in which phase 1 leaves its ticket to phase 2.
const READY: &str = "ready";

/// The options of `bootnode --report-ready`. The others are for phase 1, or for nobody.
const REPORT_OPTIONS: [&str; 4] = ["fabric", "json", "nvram", "timeout"];

/// After so long without success the machine is restarted, unless something else is said.
const RESTART_AFTER: Duration = Duration::from_secs(600);

/// After so long without a front end the agent of a node restarts it, unless something else is said.
const RESTART_ALONE: Duration = Duration::from_secs(30);

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Options of `bootnode`, in their order, the later of two with the same name only.
    options: Vec<(String, Option<String>)>,
    /// The MTU to give the network device (`twowire.mtu`).
    pub mtu: Option<u32>,
    /// See [`restart_after`].
    restart_after: Option<Duration>,
    /// How long phase 2 goes on without a front end (`twowire.restart-alone`); `None` for ever.
    pub restart_alone: Option<Duration>,
    /// What phase 1 has left (`twowire.ready`): this is phase 2.
    pub ticket: Option<String>,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("on the kernel's command line, `{PREFIX}{key}={value}`: expected {expected}")]
pub struct SettingsError {
    key: String,
    value: String,
    expected: &'static str,
}

impl Settings {
    /// Reads a kernel's command line; what does not begin with `twowire.` is not for us.
    pub fn parse(cmdline: &str) -> Result<Settings, SettingsError> {
        let (restart_after, restart_alone) = (Some(RESTART_AFTER), Some(RESTART_ALONE));
        let mut settings = Settings { options: Vec::new(), mtu: None, restart_after, restart_alone, ticket: None };
        for word in words(cmdline) {
            if let Some(setting) = word.strip_prefix(PREFIX) {
                let (key, value) = setting.split_once('=').map_or((setting, None), |(key, value)| (key, Some(value)));
                settings.set(key, value)?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), SettingsError> {
        let wrong = |expected| {
            let (key, value) = (key.to_owned(), value.unwrap_or_default().to_owned());
            SettingsError { key, value, expected }
        };
        let given = value.unwrap_or_default();
        match key {
            "mtu" => self.mtu = Some(given.parse().map_err(|_| wrong("a number of bytes, as in `9000`"))?),
            "restart-after" | "restart-alone" => {
                let time =
                    humantime::parse_duration(given).map_err(|_| wrong("a time, as in `10min`; `0s` for never"))?;
                let time = Some(time).filter(|time| !time.is_zero());
                *(if key == "restart-after" { &mut self.restart_after } else { &mut self.restart_alone }) = time;
            }
            READY => self.ticket = Some(given.to_owned()),
            _ => {
                self.options.retain(|(other, _)| other != key);
                self.options.push((key.to_owned(), value.map(str::to_owned)));
            }
        }
        Ok(())
    }

    /// The value of an option of `bootnode`.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(other, _)| other == key)?.1.as_deref()
    }

    /// The arguments of `bootnode`: in phase 1 it fetches the image and starts it, in phase 2 it reports that this was done.
    /// `has_secret`: there is a [`SECRET_FILE`].
    pub fn arguments(&self, has_secret: bool) -> Vec<String> {
        let spelled = |(key, value): &(String, Option<String>)| match value {
            Some(value) => format!("--{key}={value}"),
            None => format!("--{key}"),
        };
        let mut arguments: Vec<String> = match &self.ticket {
            Some(ticket) => {
                let kept = self.options.iter().filter(|(key, _)| REPORT_OPTIONS.contains(&key.as_str()));
                return kept.map(spelled).chain([format!("--report-ready={ticket}")]).collect();
            }
            None => self.options.iter().map(spelled).collect(),
        };
        if self.option("key").is_none() {
            arguments.push(format!("--key={KEY_FILE}"));
        }
        if has_secret && self.option("secret").is_none() {
            arguments.push(format!("--secret={SECRET_FILE}"));
        }
        if self.option("root").is_none() {
            arguments.push("--kexec".to_owned());
        }
        arguments
    }
}

/// After how long a time of failing the machine is restarted (`twowire.restart-after`), as far as the command line can be understood;
/// `None` for never, which is `0s`. Never in phase 2: a system that runs is not ended because it cannot say so.
pub fn restart_after(cmdline: &str) -> Option<Duration> {
    let ticket = format!("{PREFIX}{READY}=");
    if words(cmdline).iter().any(|word| word.starts_with(&ticket)) {
        return None;
    }
    Settings::parse(cmdline).map_or(Some(RESTART_AFTER), |settings| settings.restart_after)
}

/// The command line of phase 2: the image's own, with what it needs to report that it runs, and to note that in its NVRAM.
/// A fabric that the image's command line names is kept, for a device may have another name there.
pub fn phase_2(image: &Manifest, fabric: &str, ticket: Option<&Ticket>) -> String {
    let mut cmdline = image.cmdline().to_owned();
    if let Some(ticket) = ticket {
        let fabric_word = format!("{PREFIX}fabric=");
        if !words(&cmdline).iter().any(|word| word.starts_with(&fabric_word)) {
            cmdline += &format!(" \"{fabric_word}{fabric}\"");
        }
        cmdline += &format!(" {PREFIX}{READY}={ticket}");
    }
    cmdline += &format!(" {PREFIX}image={} {PREFIX}version={}", image.tag(), image.version());
    cmdline.trim_start().to_owned()
}

/// The words of a command line, without their quotes.
fn words(cmdline: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in cmdline.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
