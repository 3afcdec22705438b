//! How ranks wait for one another, called from C; also under valgrind.

mod common;

common::c_tests! {
    one_core(2);
    streams(2, 3);
    threads(1, 2, 3);
}

/// Programs in the making are run under valgrind, which also looks into the library.
#[test]
fn under_valgrind() {
    if std::process::Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: there is no valgrind");
        return;
    }
    for program in ["coll_order", "written", "streams"] {
        let job = ["-n", "2", "valgrind", "-q", "--error-exitcode=9"];
        let output = common::mpirun(&job).arg(common::build(program)).output().expect("mpirun starts");
        assert!(output.status.success(), "{}", common::shown(&output));
    }
}
