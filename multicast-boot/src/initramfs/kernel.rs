//! The kernel of this machine, if there is one to read.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The kernel that this machine runs, else the newest one in `/boot`, else `/vmlinuz`; `None` if none can be read, as
/// in a container.
pub fn find_kernel() -> Option<PathBuf> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    find_kernel_in(Path::new("/"), release.trim())
}

/// The same for a machine whose files are under `root` and which runs the kernel `release`.
pub fn find_kernel_in(root: &Path, release: &str) -> Option<PathBuf> {
    let boot = root.join("boot");
    let mut installed: Vec<String> = fs::read_dir(&boot)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("vmlinuz"))
        .collect();
    installed.sort_by_key(|name| Reverse((*name == format!("vmlinuz-{release}"), version(name), name.clone())));
    installed.into_iter().map(|name| boot.join(name)).chain([root.join("vmlinuz")]).find(|path| is_readable(path))
}

/// The numbers in a name, so that 6.10 is newer than 6.9.
fn version(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// True if this is a file with something in it that we may read.
fn is_readable(path: &Path) -> bool {
    File::open(path).and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_comes_first_then_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(find_kernel_in(root, "6.1.0"), None);
        fs::write(root.join("vmlinuz"), "k").unwrap();
        assert_eq!(find_kernel_in(root, "6.1.0"), Some(root.join("vmlinuz")));
        fs::create_dir_all(root.join("boot/vmlinuz-99-a-directory")).unwrap();
        for name in ["vmlinuz-6.9.0-1", "vmlinuz-6.10.0-1", "vmlinuz-0-rescue", "config-7", "vmlinuz-6.1.0"] {
            fs::write(root.join("boot").join(name), "k").unwrap();
        }
        fs::write(root.join("boot/vmlinuz-98-empty"), "").unwrap();
        assert_eq!(find_kernel_in(root, "6.1.0"), Some(root.join("boot/vmlinuz-6.1.0")));
        assert_eq!(find_kernel_in(root, "5.0"), Some(root.join("boot/vmlinuz-6.10.0-1")));
    }
}
