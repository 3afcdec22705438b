//! Route tables as they are sent: what is encoded comes back, however the fabric is built and however routes are chosen,
//! and bytes that nobody chose are errors.

mod agent;
mod codec;
mod document;
mod tables;
