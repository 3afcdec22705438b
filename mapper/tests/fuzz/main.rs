//! The bodies of the fuzz targets in `fuzz/` that need the mapper, as ordinary tests.

#[path = "../../../fuzz/bodies/infiniband.rs"]
mod infiniband;
#[path = "../../../fuzz/ordinary.rs"]
mod ordinary;

use ordinary::{corpus, fuzz};

#[test]
fn answers_of_a_subnet() {
    fuzz("infiniband", 20_000, infiniband::run);
}

#[test]
fn the_corpus_has_subnets_that_are_brought_up() {
    let whole = corpus("infiniband").into_iter().filter(|(_, input)| infiniband::discover(input).is_some()).count();
    assert!(whole >= 4, "{whole}");
}
