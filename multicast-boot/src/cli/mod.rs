//! The command lines of `bootd` and `bootnode`.

pub mod bootd;
pub mod bootnode;
mod desk;
mod show;

use crate::image::{ClusterPublicKey, ClusterSecretKey};
use crate::membership::ClusterSecret;
use std::path::Path;
use std::time::Duration;
use twowire_fabric::program::Failure;

/// The public key in a file, or of the secret key in it.
fn public_key(file: &Path) -> Result<ClusterPublicKey, Failure> {
    ClusterPublicKey::load(file)
        .or_else(|error| ClusterSecretKey::load(file).map(|key| key.public()).map_err(|_| error))
        .map_err(Failure::failed)
}

/// The cluster's secret in a file, if there is one.
fn secret(file: Option<&Path>) -> Result<Option<ClusterSecret>, Failure> {
    file.map(ClusterSecret::load).transpose().map_err(Failure::failed)
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write for example 500ms or 2s"))
}
