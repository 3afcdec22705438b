use super::*;

#[test]
fn what_is_generated_is_what_is_committed() {
    run(true).unwrap();
}

#[test]
fn the_list_has_every_function_of_the_standard() {
    let text = read(&root().join("mpi-shim/abi/functions.txt")).unwrap();
    assert_eq!(lists::functions(&text).unwrap().len(), 664);
}

#[test]
fn a_prototype_is_read_and_written_again() {
    let line =
        "int MPI_Cart_coords(MPI_Comm comm, int rank, const int *x, char **argv[], int coords[]) deprecated MPI-4.0";
    let functions = lists::functions(line).unwrap();
    assert_eq!(functions[0].prototype(""), line.trim_end_matches(" deprecated MPI-4.0"));
    assert_eq!(functions[0].deprecated.as_deref(), Some("MPI-4.0"));
    let kinds: Vec<_> = functions[0].parameters.iter().map(|p| (p.kind(), p.is_pointer())).collect();
    let expected = [("MPI_Comm", false), ("int", false), ("const int *", true), ("char **[]", true), ("int[]", true)];
    assert_eq!(kinds, expected.map(|(kind, pointer)| (kind.to_owned(), pointer)));
}

#[test]
fn an_unsorted_list_is_refused() {
    let error = lists::functions("int MPI_B(void)\nint MPI_A(void)").unwrap_err();
    assert!(error.contains("MPI_A must stand before MPI_B"), "{error}");
}

#[test]
fn every_refused_function_belongs_to_a_part_that_is_left_for_later() {
    let text = read(&root().join("mpi-shim/abi/functions.txt")).unwrap();
    for name in ["MPI_Get", "MPI_Put_c", "MPI_Win_create", "MPI_Rget_accumulate"] {
        let functions = lists::functions(&text).unwrap();
        let function = functions.iter().find(|function| function.name == name).unwrap();
        assert!(refused::chapter(function).title == "one-sided communication", "{name}");
    }
}
