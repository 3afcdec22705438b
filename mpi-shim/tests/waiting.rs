//! How ranks wait for one another, called from C.

mod common;

common::c_tests! {
    one_core(2);
}
