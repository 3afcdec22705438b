//! Datatypes, packing, statuses and operations, as C programs see them.

mod common;

common::c_tests! {
    datatype_predefined(1);
    datatype_layout(1);
    datatype_contents(1);
    datatype_messages(1, 2);
    pack(1);
    status(1);
    operations(1);
}
