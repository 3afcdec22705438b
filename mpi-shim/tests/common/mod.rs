//! Programs in C as tests: `tests/c/NAME.c`, built by our `mpicc`, run by our `mpirun`.
//!
//! `cargo test` builds the programs of this package, and not the shared library for C; the first test of a binary builds
//! it. A C program checks its own results (`tests/c/check.h`), and fails with a line and an exit code.
#![allow(dead_code, unused_macros)] // each test binary uses a part

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// A job that takes longer has hung.
const LIMIT_SECONDS: &str = "60";

/// Defines a test for each C program, which runs it with each of these numbers of ranks:
///
/// ```text
/// mod common;
/// common::c_tests! {
///     ring(1, 2, 5);
/// }
/// ```
macro_rules! c_tests {
    ($($name:ident($($ranks:literal),+ $(,)?);)*) => {$(
        #[test]
        fn $name() {
            for ranks in [$($ranks),+] {
                $crate::common::run(stringify!($name), ranks);
            }
        }
    )*};
}
#[allow(unused_imports)]
pub(crate) use c_tests;

/// Builds `tests/c/NAME.c` and runs it on so many ranks; it must succeed.
pub(crate) fn run(name: &str, ranks: u32) -> Output {
    let output = mpirun(&["-n", &ranks.to_string()]).arg(build(name)).output().expect("mpirun starts");
    assert!(output.status.success(), "{name} on {ranks} ranks: {}", shown(&output));
    output
}

/// Our `mpirun` with a limit of time; its input is empty.
pub(crate) fn mpirun(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpirun"));
    command.args(["--timeout", LIMIT_SECONDS]).args(arguments).stdin(Stdio::null());
    command
}

/// Everything that a process printed, and how it ended.
pub(crate) fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n--- stdout\n{}\n--- stderr\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Builds `tests/c/NAME.c`; the path of the program.
pub(crate) fn build(name: &str) -> PathBuf {
    build_with(name, &["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"])
}

/// The same with these options of the compiler.
pub(crate) fn build_with(name: &str, options: &[&str]) -> PathBuf {
    library();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(name).with_extension("c");
    // Two test binaries may build the same program at a time: each has its own.
    let own = std::env::current_exe().expect("a test has a path");
    let folder = profile_folder().join("mpi-c-tests").join(own.file_name().expect("a file"));
    std::fs::create_dir_all(&folder).expect("the target directory can be written");
    // Tests of one binary run at once, as threads or as processes, so a program appears whole or not at all.
    let mine = format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id());
    let (program, part) = (folder.join(name), folder.join(mine));
    let mut mpicc = Command::new(env!("CARGO_BIN_EXE_mpicc"));
    let output = mpicc.args(options).arg("-o").arg(&part).arg(&source).arg("-lm").output().expect("mpicc starts");
    assert!(output.status.success(), "{} does not build: {}", source.display(), shown(&output));
    std::fs::rename(&part, &program).expect("one folder");
    program
}

/// Builds `libmpi_abi.so`, once; its path.
pub(crate) fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = profile_folder();
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(profile) => profile,
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--lib", "--package", "twowire-mpi-shim", "--profile", profile]);
        let mut target = folder.parent().expect("target");
        // Built for a named target, everything is one folder deeper.
        if let Some(triple) = target.file_name().filter(|name| name.to_string_lossy().contains("-linux-")) {
            cargo.arg("--target").arg(triple);
            target = target.parent().expect("target");
        }
        cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = cargo.output().expect("cargo starts");
        assert!(output.status.success(), "the library does not build: {}", shown(&output));
        folder.join("libmpi_abi.so")
    })
}

/// Where cargo puts programs of this profile: the tests themselves are in `deps` below it.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    own.ancestors().nth(2).expect("PROFILE/deps/TEST").to_owned()
}
