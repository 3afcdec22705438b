//! `mpicc` and `mpicxx`.

mod common;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn mpicc(arguments: &[&str]) -> Output {
    common::library();
    let output = Command::new(env!("CARGO_BIN_EXE_mpicc")).args(arguments).output().expect("mpicc starts");
    assert!(output.status.success(), "{}", common::shown(&output));
    output
}

fn line(arguments: &[&str]) -> String {
    String::from_utf8(mpicc(arguments).stdout).expect("text").trim_end().to_owned()
}

/// A folder of this test's own that is empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target directory can be written");
    folder
}

#[test]
fn it_shows_what_it_would_run() {
    let all = line(&["-show", "-O2", "a.c", "-o", "a"]);
    let (compile, link) = (line(&["--showme:compile"]), line(&["--showme:link"]));
    assert_eq!(all, format!("cc {compile} -O2 a.c -o a {link}"));
    assert!(compile.starts_with("-I") && link.ends_with("-lmpi_abi"), "{all}");
    assert_eq!(line(&["-show", "-c", "a.c"]), format!("cc {compile} -c a.c"));
    assert!(line(&["-cc=clang", "-show", "a.c"]).starts_with("clang -I"));
}

#[test]
fn the_environment_names_the_compiler() {
    let output = Command::new(env!("CARGO_BIN_EXE_mpicc")).arg("--showme").env("MPICC_CC", "gcc-99").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("gcc-99 "), "{}", common::shown(&output));
    let output = Command::new(env!("CARGO_BIN_EXE_mpicc")).arg("a.c").env("MPICC_CC", "/nonexistent").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("/nonexistent") && text.contains("MPICC_CC names another"), "{}", common::shown(&output));
}

#[test]
fn objects_and_programs_of_cxx() {
    common::library();
    let folder = folder("cxx");
    let mpicxx = folder.join("mpicxx");
    symlink(env!("CARGO_BIN_EXE_mpicc"), &mpicxx).unwrap();
    let source = "#include <mpi.h>\n#include <iostream>\nint main() { MPI_Init(nullptr, nullptr); int n = 0; \
                  MPI_Comm_size(MPI_COMM_WORLD, &n); std::cout << n << std::endl; return MPI_Finalize(); }\n";
    std::fs::write(folder.join("a.cc"), source).unwrap();
    for step in [&["-Wall", "-Wextra", "-Werror", "-c", "a.cc"][..], &["a.o", "-o", "a"]] {
        let output = Command::new(&mpicxx).args(step).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", common::shown(&output));
    }
    let output = common::mpirun(&["-n", "2"]).arg(folder.join("a")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n2\n", "{}", common::shown(&output));
}
