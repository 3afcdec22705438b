//! The library exports what the standard's ABI lists, under the name that programs look for, and nothing else of its names.

mod common;

use std::collections::BTreeSet;
use std::process::Command;

fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(common::library()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} (of binutils): {error}"));
    assert!(output.status.success(), "{}", common::shown(&output));
    String::from_utf8(output.stdout).expect("names are text")
}

#[test]
fn the_exported_functions_are_those_of_the_list() {
    let symbols = tool("nm", &["--dynamic", "--defined-only", "--format=posix"]);
    let names = symbols.lines().filter_map(|line| line.split(' ').next());
    let exported: BTreeSet<String> =
        names.filter(|name| name.starts_with("MPI") || name.starts_with("PMPI")).map(str::to_owned).collect();
    let list = include_str!("../abi/functions.txt").lines().filter_map(|line| line.split(['(', ' ']).nth(1));
    let expected: BTreeSet<String> = list.flat_map(|name| [name.to_owned(), format!("P{name}")]).collect();
    assert_eq!(expected.len(), 2 * 664);
    let missing: Vec<_> = expected.difference(&exported).collect();
    let foreign: Vec<_> = exported.difference(&expected).collect();
    assert!(missing.is_empty() && foreign.is_empty(), "missing {missing:?}, not of the standard {foreign:?}");
}

#[test]
fn programs_look_for_the_library_by_the_name_of_the_abi() {
    let dynamic = tool("readelf", &["--dynamic", "--wide"]);
    assert!(dynamic.contains("Library soname: [libmpi_abi.so.1]"), "{dynamic}");
}
