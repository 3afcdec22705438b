//! Collectives, called from C.

mod common;

common::c_tests! {
    coll_intra(1, 2, 3, 4, 7);
    coll_inter(2, 5);
    coll_errors(1, 3);
    coll_neighbor(1, 2, 3, 4, 6, 8);
    coll_mixed(2, 3, 4, 9);
    coll_order(1, 2, 5);
    written(1, 2, 3);
}
