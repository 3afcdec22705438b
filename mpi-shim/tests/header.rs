//! The header is C and C++ that the system's compilers take without a warning, with the layout that the standard ABI fixes.

use std::io::Write;
use std::process::{Command, Stdio};

const CHECKS: &str = r#"
#include <stddef.h>
#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, #condition)
#else
#define CHECK(condition) _Static_assert(condition, #condition)
#endif
CHECK(sizeof(MPI_Status) == 32);
CHECK(offsetof(MPI_Status, MPI_TAG) == 4);
CHECK(sizeof(MPI_Comm) == sizeof(void *));
CHECK(sizeof(MPI_Count) == 8 && sizeof(MPI_Offset) == 8);
CHECK(MPI_ANY_SOURCE == -1 && MPI_ERR_LASTCODE == 16383 && MPI_T_CB_REQUIRE_THREAD_SAFE == 15);
#if MPI_VERSION != 5
#error "the values can be compared by the preprocessor"
#endif
int main(void) {
    MPI_Comm comm = MPI_COMM_WORLD;
    int weights = MPI_UNWEIGHTED == MPI_WEIGHTS_EMPTY;
    return PMPI_Send(MPI_IN_PLACE, 1, MPI_C_COMPLEX, MPI_PROC_NULL, 0, comm) + weights;
}
"#;

fn compiles(compiler: &str, args: &[&str]) {
    let strict = ["-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"];
    let started = Command::new(compiler).args(args).args(strict).stdin(Stdio::piped()).spawn();
    let mut compiler = match started {
        Ok(child) => child,
        Err(error) => return eprintln!("skipped: no compiler `{compiler}`: {error}"),
    };
    let source = format!("{}\n{CHECKS}", include_str!("../include/mpi.h"));
    compiler.stdin.take().expect("piped").write_all(source.as_bytes()).expect("the compiler reads its input");
    assert!(compiler.wait().expect("the compiler ends").success(), "mpi.h does not compile: see the messages above");
}

#[test]
fn the_header_has_the_standard_layout_in_c() {
    compiles("cc", &["-std=c11", "-x", "c"]);
}

#[test]
fn the_header_has_the_standard_layout_in_cxx() {
    compiles("c++", &["-std=c++11", "-x", "c++"]);
}
