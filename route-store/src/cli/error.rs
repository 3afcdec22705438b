//! What the program says when it fails.

use std::fmt;
use std::io;
use twowire_route_store::{Device, LoadError, OpenError, WriteError};

/// A failure, with the device's name and what to do about it.
#[derive(Debug)]
pub(crate) struct CliError(String);

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CliError {
    pub(super) fn new(error: impl fmt::Display) -> CliError {
        CliError(error.to_string())
    }

    pub(super) fn of(device: &Device, what: impl fmt::Display) -> CliError {
        CliError(format!("{device}: {what}"))
    }

    pub(super) fn open(device: &Device, error: &OpenError) -> CliError {
        let OpenError::Io(cause) = error else { return CliError::of(device, error) };
        let remedy = match cause.kind() {
            io::ErrorKind::NotFound => "; make it with `route-store format`, or name another one with `--device`",
            io::ErrorKind::PermissionDenied => "; run as a user who may use it",
            io::ErrorKind::ResourceBusy => "; it is in use, as a mounted file system",
            _ => "",
        };
        CliError::of(device, format!("{error}{remedy}"))
    }

    pub(super) fn load(device: &Device, error: &LoadError) -> CliError {
        let remedy = match error {
            LoadError::Blank => "; write one with `route-store set`",
            LoadError::Corrupt { .. } | LoadError::Forked { .. } => "; write the right one with `route-store set`",
            LoadError::Version(_) => "; use the program that wrote it, or wipe it with `route-store format --force`",
            LoadError::TooSmall { .. } => "; remove it, and make it anew with `route-store format`",
            LoadError::Io(_) => "",
        };
        CliError::of(device, format!("{error}{remedy}"))
    }

    pub(super) fn write(device: &Device, error: &WriteError) -> CliError {
        match error {
            WriteError::Load(error) => CliError::load(device, error),
            WriteError::Version(_) | WriteError::Foreign => {
                CliError::of(device, format!("{error} (`route-store format --force`)"))
            }
            _ => CliError::of(device, error),
        }
    }
}
