//! Tests that look at the whole workspace, or need real kernels, devices or other programs. Nobody imports this crate; its tests are in `tests/`.
