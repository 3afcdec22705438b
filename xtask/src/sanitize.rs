//! `cargo xtask sanitize`: the tests of the MPI library, in Rust and in C, with a sanitizer in the library, in the tests and in the C
//! programs.
//!
//! The compiler is the workspace's own, whose unstable option is opened for this (`RUSTC_BOOTSTRAP`). The sanitizers' runtimes are those of
//! the system's `cc`, by which everything is linked. The standard library is not instrumented.

use crate::step::{self, target_dir};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sanitizer {
    /// Memory that is used outside of its bounds or after it was freed, or that nobody frees.
    Address,
    /// Memory that threads of one process use at the same time.
    Thread,
}

/// What `cc` needs besides its option: functions that newer compilers call instead of those that its runtime watches.
const THREAD_CALLS: &str = "#include <string.h>
void *__tsan_memcpy(void *to, const void *from, size_t len) { return memcpy(to, from, len); }
void *__tsan_memmove(void *to, const void *from, size_t len) { return memmove(to, from, len); }
void *__tsan_memset(void *to, int byte, size_t len) { return memset(to, byte, len); }
";

/// What the address sanitizer is told to pass over, of others: OpenPMIx keeps what it was asked for.
const LEAKS: &str = "leak:libpmix.so\n";

/// What the thread sanitizer is told to pass over, as it does not see what orders it, in the standard library: the ends of tests on their way to
/// the test harness, what that starts them by, values that are made once, and the list of threads that its handler of full stacks has.
const RACES: &str = "race:4mpmc*4test5event13CompletedTest
race:MutexI*4test8run_test0
race:OptionNCNv*4test8run_test0
race:4once5futex*4Once4call
race:14stack_overflow11thread_info
";

/// Tests that cannot run under a sanitizer: loom has stacks of its own; valgrind and sanitizers exclude one another; killed ranks, and ranks
/// that share a core, have a limit of time; Debian's Open MPI is not ours to instrument; and the compilers are tested with others than this one.
const SKIPPED: [&str; 8] = [
    "transport::shm::ring",
    "under_valgrind",
    "a_rank_is_killed",
    "one_core",
    "open_mpi",
    "it_shows_what_it_would_run",
    "the_environment_names_the_compiler",
    "objects_and_programs_of_cxx",
];

/// Options of both runtimes: a test asks for more memory than there is, and in another one ranks kill themselves by a signal, which must remain one.
const BOTH: &str = "allocator_may_return_null=1:handle_segv=0";

impl Sanitizer {
    const ALL: [Sanitizer; 2] = [Sanitizer::Address, Sanitizer::Thread];

    fn name(self) -> &'static str {
        match self {
            Sanitizer::Address => "address",
            Sanitizer::Thread => "thread",
        }
    }

    /// Options of the compiler.
    fn flags(self) -> &'static str {
        match self {
            Sanitizer::Address => "-Zsanitizer=address",
            Sanitizer::Thread => {
                "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg twowire_thread_sanitizer"
            }
        }
    }

    /// The runtime's library.
    fn library(self) -> &'static str {
        match self {
            Sanitizer::Address => "asan",
            Sanitizer::Thread => "tsan",
        }
    }

    /// The variables with the runtime's options, once `folder` has what is passed over.
    fn options(self, folder: &Path) -> Result<Vec<(&'static str, String)>, String> {
        let passed_over = |list| {
            let file = folder.join("passed-over");
            fs::write(&file, list).map_err(|error| format!("{}: {error}", file.display()))?;
            Ok::<_, String>(format!("suppressions={}", file.display()))
        };
        Ok(match self {
            Sanitizer::Address => vec![
                ("ASAN_OPTIONS", BOTH.to_owned()),
                ("LSAN_OPTIONS", format!("print_suppressions=0:{}", passed_over(LEAKS)?)),
            ],
            Sanitizer::Thread => vec![("TSAN_OPTIONS", format!("{BOTH}:halt_on_error=1:{}", passed_over(RACES)?))],
        })
    }
}

/// Runs the tests under these sanitizers, or under all; only `tests`, if it names any. What the first one finds does not keep the next one from
/// running.
pub(crate) fn test(sanitizers: &[Sanitizer], tests: &[String]) -> Result<(), String> {
    let chosen = if sanitizers.is_empty() { &Sanitizer::ALL[..] } else { sanitizers };
    let outcomes = chosen.iter().map(|&sanitizer| {
        eprintln!("xtask: {} sanitizer", sanitizer.name());
        test_under(sanitizer, tests)
    });
    let failures: Vec<String> = outcomes.filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn test_under(sanitizer: Sanitizer, tests: &[String]) -> Result<(), String> {
    let folder = target_dir().join("sanitize").join(sanitizer.name());
    let cc = compiler(sanitizer, &folder)?;
    let triple = host()?;
    let mut cargo = step::cargo(&["test", "--locked", "--package", "twowire-mpi-shim", "--no-fail-fast"]);
    cargo.args(["--lib", "--tests", "--target", &triple, "--target-dir"]).arg(&folder);
    cargo.arg("--").args(tests).args(SKIPPED.iter().flat_map(|test| ["--skip", test]));
    // A linker named here is not used for what the compiler itself loads.
    let common = format!("-Zexternal-clangrt -Cforce-frame-pointers=yes -Clinker={}", cc.display());
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", format!("{} {common}", sanitizer.flags()));
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only").env("MPICC_CC", &cc);
    cargo.envs(sanitizer.options(&folder)?);
    step::run(&mut cargo)
}

/// Makes a `cc` that puts the sanitizer into what it compiles and links.
fn compiler(sanitizer: Sanitizer, folder: &Path) -> Result<PathBuf, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let (source, object, cc) = (folder.join("calls.c"), folder.join("calls.o"), folder.join("cc"));
    let calls = if sanitizer == Sanitizer::Thread { THREAD_CALLS } else { "" };
    fs::write(&source, calls).map_err(|error| failed(&source, error))?;
    step::run(Command::new("cc").args(["-O1", "-fno-builtin", "-fPIC", "-c"]).arg(&source).arg("-o").arg(&object))?;
    let library = sanitizer.library();
    // rustc links without the compiler's own libraries, so the runtime is named; it must come before all others.
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' -c '*) exec cc -fsanitize={name} \"$@\";; esac\n\
         exec cc -fsanitize={name} -rdynamic -Wl,--push-state,--no-as-needed -l{library} -Wl,--pop-state \"$@\" {}\n",
        object.display(),
        name = sanitizer.name(),
    );
    fs::write(&cc, script).map_err(|error| failed(&cc, error))?;
    fs::set_permissions(&cc, fs::Permissions::from_mode(0o755)).map_err(|error| failed(&cc, error))?;
    let (empty, probe) = (folder.join("empty.c"), folder.join("empty.so"));
    fs::write(&empty, "").map_err(|error| failed(&empty, error))?;
    step::run(Command::new(&cc).args(["-shared", "-fPIC"]).arg(&empty).arg("-o").arg(&probe))
        .map_err(|error| format!("{error}; Debian's gcc has the runtime, lib{library}"))?;
    Ok(cc)
}

/// The target that the compiler builds for when none is named.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").current_dir(step::root()).output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}
