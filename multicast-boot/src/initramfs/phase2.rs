//! What a node runs once it has booted over the fabric: an initramfs of `bootnode`, which prepares the machine, and the node's agent with
//! what that starts.

use super::phase1::{Phase1Error, add_modules, compress, write_error};
use super::{Initramfs, InitramfsError, modules::KernelModules};
use crate::init::AGENT;
use std::path::{Path, PathBuf};
use twowire_route_store::atomic_file;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Phase2Request<'a> {
    /// The program `bootnode`.
    pub bootnode: &'a Path,
    /// The programs `noded` and `mpirun`.
    pub programs: [&'a Path; 2],
    /// The modules of the image's kernel (`/lib/modules/VERSION`) and the names of those that are needed.
    pub modules: Option<(&'a Path, &'a [String])>,
    /// Where the initramfs goes.
    pub output: &'a Path,
}

/// How much room it takes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Phase2Report {
    /// The initramfs's file.
    pub file: PathBuf,
    /// The modules in it, in the order in which they are loaded.
    pub modules: Vec<String>,
    /// Bytes of the initramfs once the kernel has unpacked it.
    pub unpacked_bytes: u64,
    /// Bytes of the initramfs.
    pub initramfs_bytes: u64,
}

/// Builds a phase-2 initramfs: the same bytes for the same files. Neither key nor secret is in it, for it travels in the clear: they go
/// from phase 1 to phase 2 within the node.
pub fn pack(request: &Phase2Request<'_>) -> Result<Phase2Report, Phase1Error> {
    let mut initramfs = Initramfs::new(request.bootnode)?;
    for program in request.programs {
        initramfs.program(program)?;
    }
    if !initramfs.contains(AGENT) {
        return Err(InitramfsError::Name(request.programs[0].to_owned()).into());
    }
    let modules = match request.modules {
        Some((dir, names)) => add_modules(&mut initramfs, &KernelModules::open(dir)?, names)?,
        None => Vec::new(),
    };
    let unpacked = initramfs.finish();
    let packed = compress(&unpacked);
    atomic_file::replace(request.output, &[&packed]).map_err(write_error(request.output))?;
    Ok(Phase2Report {
        file: request.output.to_owned(),
        modules,
        unpacked_bytes: unpacked.len() as u64,
        initramfs_bytes: packed.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_archive;
    use super::*;
    use std::fs;
    use std::io::Read;

    #[test]
    fn it_holds_the_agent_and_what_that_starts_but_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let programs = ["bootnode", "noded", "mpirun"].map(|name| dir.path().join(name));
        for program in &programs {
            fs::copy("/bin/sh", program).unwrap();
        }
        let output = dir.path().join("phase2.img");
        let [bootnode, noded, mpirun] = &programs;
        let request = Phase2Request { bootnode, programs: [noded, mpirun], modules: None, output: &output };
        let report = pack(&request).unwrap();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&fs::read(&output).unwrap()[..]).read_to_end(&mut bytes).unwrap();
        assert_eq!(
            (bytes.len() as u64, fs::metadata(&output).unwrap().len()),
            (report.unpacked_bytes, report.initramfs_bytes)
        );
        let names: Vec<String> = read_archive(&bytes).into_keys().collect();
        for name in ["init", "bin/bootnode", "bin/noded", "bin/mpirun"] {
            assert!(names.iter().any(|other| other == name), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.starts_with("etc/twowire")), "{names:?}");
        let wrong = Phase2Request { programs: [mpirun, mpirun], ..request };
        assert!(pack(&wrong).is_err());
    }
}
