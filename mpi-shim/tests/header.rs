//! The header is C that the system's compiler takes, with the layout that the standard ABI fixes.

use std::io::Write;
use std::process::{Command, Stdio};

const CHECKS: &str = r#"
#include <stddef.h>
_Static_assert(sizeof(MPI_Status) == 32, "MPI_Status has 32 bytes");
_Static_assert(offsetof(MPI_Status, MPI_TAG) == 4, "the tag follows the source");
_Static_assert(sizeof(MPI_Comm) == sizeof(void *), "handles are pointers");
_Static_assert(sizeof(MPI_Count) == 8 && sizeof(MPI_Offset) == 8, "64-bit counts");
"#;

#[test]
fn the_header_has_the_standard_layout() {
    let compiler = Command::new("cc")
        .args(["-std=c11", "-pedantic-errors", "-Wall", "-Werror", "-fsyntax-only", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .spawn();
    let mut compiler = match compiler {
        Ok(child) => child,
        Err(error) => return eprintln!("skipped: no C compiler `cc`: {error}"),
    };
    let source = format!("{}\n{CHECKS}", include_str!("../include/mpi.h"));
    compiler.stdin.take().expect("piped").write_all(source.as_bytes()).expect("cc reads its input");
    assert!(compiler.wait().expect("cc ends").success(), "mpi.h does not compile: see the messages of cc above");
}
