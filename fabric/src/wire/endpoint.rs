//! Frames of the reliable endpoint.
