//! The files of a lab, all in one folder.

use super::LabError;
use super::plan::LabPlan;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What says that a folder is a lab's.
const PLAN: &str = "lab.json";

/// See the module.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Without links, as the processes have it in their environment.
    path: PathBuf,
}

impl Folder {
    /// Where a lab is if nothing else is said: `$XDG_RUNTIME_DIR/twowire-lab`, else `twowire-lab-UID` among temporary files.
    pub fn default_path() -> PathBuf {
        match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => Path::new(&dir).join("twowire-lab"),
            None => std::env::temp_dir().join(format!("twowire-lab-{}", rustix::process::getuid().as_raw())),
        }
    }

    /// Makes a folder for a lab, for nobody else to read; it may exist if it is empty.
    pub(super) fn create(at: &Path) -> Result<Folder, LabError> {
        if at.join(PLAN).exists() {
            return Err(LabError::Exists(at.to_owned()));
        }
        match fs::DirBuilder::new().mode(0o700).create(at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut entries = fs::read_dir(at).map_err(LabError::file("read", at))?;
                if entries.next().is_some() {
                    return Err(LabError::NotALab(at.to_owned()));
                }
            }
            made => made.map_err(LabError::file("make the folder", at))?,
        }
        Ok(Folder { path: at.canonicalize().map_err(LabError::file("find", at))? })
    }

    /// The folder of a lab.
    pub(super) fn open(at: &Path) -> Result<Folder, LabError> {
        if !at.join(PLAN).exists() {
            return Err(LabError::NoLab(at.to_owned()));
        }
        Ok(Folder { path: at.canonicalize().map_err(LabError::file("find", at))? })
    }

    /// Removes it with all that is in it.
    pub(super) fn remove(&self) -> Result<(), LabError> {
        fs::remove_dir_all(&self.path).map_err(LabError::file("remove", &self.path))
    }

    pub(super) fn write_plan(&self, plan: &LabPlan) -> Result<(), LabError> {
        let file = self.path.join(PLAN);
        let text = serde_json::to_string_pretty(plan).map_err(|error| LabError::Usage(error.to_string()))?;
        fs::write(&file, text).map_err(LabError::file("write", &file))
    }

    pub(super) fn read_plan(&self) -> Result<LabPlan, LabError> {
        let file = self.path.join(PLAN);
        let text = fs::read_to_string(&file).map_err(LabError::file("read", &file))?;
        let damaged = |error: serde_json::Error| {
            let remedy = "is it of another version? `twowire lab down` takes the lab away all the same";
            LabError::Process { what: file.display().to_string(), reason: format!("{error}; {remedy}") }
        };
        serde_json::from_str(&text).map_err(damaged)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// The cabling, and the names of all that is plugged in.
    pub fn topology(&self) -> PathBuf {
        self.file("fabric.topo")
    }

    /// Where the crossbars are served.
    pub fn socket(&self) -> PathBuf {
        self.file("xbar")
    }

    /// The cluster's secret key; its public one has `.pub` behind it.
    pub fn key(&self) -> PathBuf {
        self.file("cluster.key")
    }

    /// The cluster's public key.
    pub fn public_key(&self) -> PathBuf {
        self.file("cluster.key.pub")
    }

    /// The cluster's secret, which is in the nodes' flash too.
    pub fn secret(&self) -> PathBuf {
        self.file("cluster.secret")
    }

    /// The map of the fabric, once `twowire up --lab` has made it.
    pub fn map(&self) -> PathBuf {
        self.file("map.topo")
    }

    /// The routes of that map.
    pub fn routes(&self) -> PathBuf {
        self.file("map.routes")
    }

    /// The phase-2 initramfs.
    pub fn phase2(&self) -> PathBuf {
        self.file("phase2.img")
    }

    /// The phase-1 initramfs.
    pub fn phase1(&self) -> PathBuf {
        self.file("phase1.img")
    }

    /// An image that the cluster's key has signed.
    pub fn image(&self) -> PathBuf {
        self.file("node.img")
    }

    /// What a node has printed since it was switched on.
    pub fn console(&self, node: &str) -> PathBuf {
        self.file(format!("{node}.console"))
    }

    /// What it had printed the time before.
    pub fn old_console(&self, node: &str) -> PathBuf {
        self.file(format!("{node}.console.old"))
    }

    /// A node's NVRAM.
    pub fn nvram(&self, node: &str) -> PathBuf {
        self.file(format!("{node}.nvram"))
    }

    /// The address of a node's card.
    pub fn card(&self, node: &str) -> PathBuf {
        self.file(format!("{node}.card"))
    }

    /// All frames of a node's card, if they are captured.
    pub fn capture(&self, node: &str) -> PathBuf {
        self.file(format!("{node}.pcap"))
    }

    /// What a process of the lab says.
    pub fn log(&self, role: &str) -> PathBuf {
        self.file(format!("{role}.log"))
    }
}
