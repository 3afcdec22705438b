//! Frames of the image transfer.
