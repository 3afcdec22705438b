//! What phase 1 hands over to phase 2 besides the command line: an archive behind the image's own initramfs, which the kernel unpacks
//! into the same root.
//!
//! The image comes over the fabric in the clear and is the same for all nodes. The routes are each node's own, and the secret never
//! leaves a node's flash: so both go from kernel to kernel within the node.

use super::{ROUTES_FILE, SECRET_FILE};
use crate::cpio::Archive;
use twowire_fabric::routes::RouteTable;

/// The kernel looks for an archive at multiples of so many bytes behind the one before.
const ALIGNMENT: usize = 4;

/// An archive with the routes and the cluster's secret, as far as there are such, to stand behind an initramfs of `before` bytes.
pub fn archive(before: usize, routes: Option<&RouteTable>, secret: Option<&str>) -> Vec<u8> {
    let mut archive = Archive::new();
    let files =
        [(ROUTES_FILE, 0o644, routes.map(ToString::to_string)), (SECRET_FILE, 0o600, secret.map(str::to_owned))];
    for (path, mode, text) in files {
        if let Some(text) = text {
            archive.file(path, mode, text.as_bytes()).expect("plain paths, each once, and less than 4 GiB");
        }
    }
    let mut bytes = vec![0; before.next_multiple_of(ALIGNMENT) - before];
    bytes.extend(archive.finish());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpio::read;
    use twowire_fabric::id::NodeNumber;

    #[test]
    fn what_is_known_is_in_the_archive_and_it_begins_where_the_kernel_looks() {
        let mut table = RouteTable::new(3, NodeNumber(0));
        table.push(["88".parse().unwrap()]);
        for before in 1..9 {
            let bytes = archive(before, Some(&table), Some("secret"));
            let start = bytes.iter().position(|&byte| byte != 0).unwrap();
            assert_eq!((before + start) % ALIGNMENT, 0);
            let entries = |at: &usize| read::entry(&bytes[start..], *at).map(|entry| entry.next);
            let all = std::iter::successors(Some(0), entries);
            let all: Vec<_> = all.filter_map(|at| read::entry(&bytes[start..], at)).collect();
            let data = |name: &str| all.iter().find(|entry| entry.plain_name() == name.as_bytes()).unwrap().data;
            assert_eq!(data("etc/twowire/routes"), table.to_string().as_bytes());
            assert_eq!(data("etc/twowire/cluster.secret"), b"secret");
        }
        let nothing = archive(4, None, None);
        assert!(nothing.starts_with(b"070701") && nothing.len() < 200);
    }
}
