//! The files that a bring-up saves.

use super::{UpError, UpOptions};
use std::path::{Path, PathBuf};
use twowire_fabric::map::FabricMap;
use twowire_fabric::map::RouteSet;
use twowire_mapper::routes_file;
use twowire_mapper::verify::Verified;
use twowire_route_store::atomic_file;

/// Where the map and the routes go.
pub struct Outputs {
    topo: Option<PathBuf>,
    routes: Option<PathBuf>,
}

impl Outputs {
    /// Finds out before the work whether the files can be written after it.
    pub fn open(options: &UpOptions) -> Result<Outputs, UpError> {
        for path in options.topo_out.iter().chain(&options.routes_out) {
            atomic_file::check_writable(path).map_err(|error| cannot_write(path, &error))?;
        }
        Ok(Outputs { topo: options.topo_out.clone(), routes: options.routes_out.clone() })
    }

    /// Saves them. Each file appears whole or not at all.
    pub fn save(&self, map: &FabricMap, routes: &Verified<RouteSet>) -> Result<(), UpError> {
        if let Some(path) = &self.topo {
            atomic_file::replace(path, &[map.topology().to_string().as_bytes()])
                .map_err(|error| cannot_write(path, &error))?;
        }
        if let Some(path) = &self.routes {
            atomic_file::replace_with(path, |file| routes_file::write(file, map.topology(), routes))
                .map_err(|error| cannot_write(path, &error))?;
        }
        Ok(())
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> UpError {
    UpError::Failed(format!("cannot write {}: {error}; choose a directory that exists and is writable", path.display()))
}
