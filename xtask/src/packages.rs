//! The Debian packages that the tests use besides a Rust toolchain.

use crate::step;
use std::process::Command;

/// A program that some test runs (or files, one of which it reads), the package that has it, and what is skipped without
/// it.
const NEEDED: &[(&str, &str, &str)] = &[
    ("cc", "gcc", "linking, and the test that compiles mpi.h"),
    ("cpio", "cpio", "the test that lists Twowire's initramfs"),
    ("losetup", "mount", "the test that keeps a record on a block device"),
    ("chattr", "e2fsprogs", "the test of variables that the kernel protects"),
    ("tcpdump", "tcpdump", "the test that reads a capture with tcpdump"),
    ("ip", "iproute2", "the tests of real frames between network namespaces"),
    ("nft", "nftables", "the tests of damaged and lost frames between network namespaces"),
    ("qemu-system-x86_64", "qemu-system-x86", "the tests in virtual machines"),
    ("/boot/vmlinuz-*-cloud-amd64", "linux-image-cloud-amd64", "the tests in virtual machines"),
    ("valgrind", "valgrind", "the test of an MPI program under valgrind"),
    ("/usr/sbin/munged", "munge", "the test of MPI programs under Slurm"),
    ("/usr/sbin/slurmctld", "slurmctld", "the test of MPI programs under Slurm"),
    ("/usr/sbin/slurmd", "slurmd", "the test of MPI programs under Slurm"),
    ("/usr/lib/x86_64-linux-gnu/pmix2/lib/libpmix.so", "libpmix-dev", "the test of MPI programs under Slurm, by PMIx"),
    ("srun", "slurm-client", "the test of MPI programs under Slurm"),
    ("python3", "python3", "the test that opens Twowire's initramfs a second way"),
    ("ibsim", "ibsim-utils", "the tests of the mapper on simulated InfiniBand subnets"),
    ("/usr/sbin/opensm", "opensm", "the test that OpenSM reads the mapper's tables"),
    ("/usr/sbin/ibnetdiscover", "infiniband-diags", "the test of what InfiniBand's tools say of a subnet"),
    ("dot", "graphviz", "the test that Graphviz reads the mapper's graphs"),
];

/// What `cargo xtask bench boot --against` runs besides ours.
const RIVALS: &[(&str, &str, &str)] = &[
    ("ip", "iproute2", "the network of namespaces"),
    ("nft", "nftables", "the loss of frames"),
    ("udp-sender", "udpcast", "the comparison with udpcast"),
    ("uftp", "uftp", "the comparison with uftp"),
];

/// What `cargo xtask bench mpi` compares with.
const MPIS: &[(&str, &str, &str)] = &[
    ("mpirun.openmpi", "openmpi-bin", "the comparison with Open MPI"),
    ("mpicc.openmpi", "libopenmpi-dev", "the comparison with Open MPI"),
    ("mpiexec.hydra", "mpich", "the comparison with MPICH"),
    ("mpicc.mpich", "libmpich-dev", "the comparison with MPICH"),
    ("python3", "python3-venv", "the comparison with libraries that come as wheels"),
];

/// What `cargo xtask bench mapper --against opensm` runs besides ours.
const SUBNET_MANAGERS: &[(&str, &str, &str)] = &[
    ("ibsim", "ibsim-utils", "all of it"),
    ("/usr/sbin/opensm", "opensm", "the comparison with OpenSM"),
    ("/usr/sbin/ibnetdiscover", "infiniband-diags", "the comparison of discovery"),
];

/// What `cargo xtask bench lab` runs besides ours.
const PXE: &[(&str, &str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86", "all of it"),
    ("/boot/vmlinuz-*-cloud-amd64", "linux-image-cloud-amd64", "all of it"),
    ("ip", "iproute2", "the network of PXE"),
    ("/usr/lib/ipxe/qemu/*virtio.rom", "ipxe-qemu", "the PXE of network cards"),
    ("dnsmasq", "dnsmasq-base", "DHCP and TFTP"),
    ("lighttpd", "lighttpd", "HTTP"),
];

/// What `cargo xtask mpi-programs` needs besides our compilers.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("c++", "g++", "hypre"),
    ("make", "make", "all programs"),
    ("/usr/share/doc/libopenblas-dev*", "libopenblas-dev", "hpcc"),
];

/// Installs what the programs need that are built with the MPI library.
pub(crate) fn install_for_programs() {
    install_missing(PROGRAMS);
}

/// Installs what the tests need, or says what is skipped for want of it.
pub(crate) fn install() {
    install_missing(NEEDED);
}

/// Installs what the mapper is compared with.
pub(crate) fn install_subnet_managers() {
    install_missing(SUBNET_MANAGERS);
}

/// Installs what the comparison needs.
pub(crate) fn install_rivals() {
    install_missing(RIVALS);
}

/// Installs what boots machines by PXE.
pub(crate) fn install_pxe() {
    install_missing(PXE);
}

/// Installs the MPI libraries of Debian.
pub(crate) fn install_mpis() {
    install_missing(MPIS);
}

fn install_missing(needed: &[(&str, &str, &str)]) {
    let missing: Vec<_> = needed.iter().filter(|(program, ..)| !is_there(program)).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    if is_root() && on_path("apt-get") {
        let installed = step::run(Command::new("apt-get").args(["update", "-q"])).and_then(|()| {
            step::run(Command::new("apt-get").args(["install", "-qy", "--no-install-recommends"]).args(&packages))
        });
        if installed.is_ok() {
            return;
        }
    }
    for (program, package, skipped) in missing {
        eprintln!("xtask: `{program}` is missing, so this is skipped: {skipped}. Remedy: apt-get install {package}");
    }
}

/// True of a program on the path, and of a file whose name may have a `*`.
fn is_there(needed: &str) -> bool {
    let Some((folder, name)) = needed.rsplit_once('/') else { return on_path(needed) };
    let (start, end) = name.split_once('*').unwrap_or((name, ""));
    let fits = |name: &str| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_str().is_some_and(fits))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}
