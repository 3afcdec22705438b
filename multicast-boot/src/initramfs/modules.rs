//! Which files of a kernel's modules must be loaded, and in which order: as `modules.dep` and `modules.builtin` say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why modules cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    /// A list.
    #[error("cannot read {}: {source}; expected the folder of a kernel's modules, as /lib/modules/VERSION", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A module that the kernel does not have.
    #[error("the kernel of {} has no module `{name}`, neither as a file nor built in", .dir.display())]
    Unknown {
        /// The folder of its modules.
        dir: PathBuf,
        /// The name that was asked for.
        name: String,
    },
    /// A line that is not understood.
    #[error("{} line {line}: expected `FILE: FILES`", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// The modules of one kernel.
#[derive(Clone, Debug)]
pub struct KernelModules {
    dir: PathBuf,
    /// By name: the file, and those that it needs, the last of them first.
    files: BTreeMap<String, (String, Vec<String>)>,
    built_in: BTreeSet<String>,
}

impl KernelModules {
    /// Reads the lists in `dir`, which is `/lib/modules/VERSION`.
    pub fn open(dir: &Path) -> Result<KernelModules, ModulesError> {
        let read = |name| {
            let path = dir.join(name);
            fs::read_to_string(&path).map_err(|source| ModulesError::Read { path, source })
        };
        KernelModules::parse(dir, &read("modules.dep")?, &read("modules.builtin")?)
    }

    fn parse(dir: &Path, dependencies: &str, built_in: &str) -> Result<KernelModules, ModulesError> {
        let mut files = BTreeMap::new();
        for (index, line) in dependencies.lines().enumerate() {
            let wrong = || ModulesError::Line { path: dir.join("modules.dep"), line: index + 1 };
            let (file, needs) = line.split_once(':').ok_or_else(wrong)?;
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            files.insert(name_of(file), (file.to_owned(), needs));
        }
        Ok(KernelModules { dir: dir.to_owned(), files, built_in: built_in.lines().map(name_of).collect() })
    }

    /// The files, below the folder, that must be loaded for these modules: each after those that it needs.
    pub fn load_order(&self, names: &[String]) -> Result<Vec<String>, ModulesError> {
        let mut order: Vec<String> = Vec::new();
        for name in names {
            let name = name_of(name);
            match self.files.get(&name) {
                Some((file, needs)) => {
                    let chain = needs.iter().rev().chain([file]);
                    chain.for_each(|file| {
                        if !order.contains(file) {
                            order.push(file.clone());
                        }
                    });
                }
                None if self.built_in.contains(&name) => {}
                None => return Err(ModulesError::Unknown { dir: self.dir.clone(), name }),
            }
        }
        Ok(order)
    }

    /// Where a file of [`KernelModules::load_order`] lies.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }
}

/// A module's name: its file's, up to the first dot. The kernel takes `-` for `_`.
fn name_of(file: &str) -> String {
    let file = file.rsplit('/').next().unwrap_or(file);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEPENDENCIES: &str = "\
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/net/core/failover.ko:
kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio-pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
";

    fn modules(names: &[&str]) -> Result<Vec<String>, ModulesError> {
        let modules = KernelModules::parse(Path::new("/m"), DEPENDENCIES, "kernel/net/packet/af_packet.ko\n").unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let short = |file: String| file.rsplit('/').next().unwrap().to_owned();
        modules.load_order(&names).map(|files| files.into_iter().map(short).collect())
    }

    #[test]
    fn each_module_comes_once_and_after_what_it_needs() {
        let order = modules(&["virtio_pci", "af_packet", "virtio-net"]).unwrap();
        let expected =
            ["virtio_ring.ko", "virtio.ko", "virtio-pci.ko", "failover.ko", "net_failover.ko.xz", "virtio_net.ko"];
        assert_eq!(order, expected);
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_named() {
        let error = modules(&["mlx5_core"]).unwrap_err().to_string();
        assert!(error.contains("`mlx5_core`") && error.contains("/m"), "{error}");
        let error = KernelModules::parse(Path::new("/m"), "a.ko:\nno colon\n", "").unwrap_err().to_string();
        assert!(error.contains("/m/modules.dep line 2"), "{error}");
        assert!(KernelModules::open(Path::new("/no/such/folder")).unwrap_err().to_string().contains("/lib/modules"));
    }

    proptest! {
        #[test]
        fn no_list_makes_it_panic(text in r"[a-c/.: _\-\né]{0,60}") {
            if let Ok(modules) = KernelModules::parse(Path::new("/m"), &text, &text) {
                let _ = modules.load_order(&["a".to_owned(), "b".to_owned()]);
            }
        }
    }
}
