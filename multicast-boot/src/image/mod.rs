//! Boot images: what is in one, how it is signed, and how each of its chunks is verified.
//!
//! The document is `docs/image-format.md`; these modules are its one home in code.
//!
//! | module | what it is |
//! |---|---|
//! | [`key`], [`key_file`] | the cluster's key pair, and the files that hold keys |
//! | [`manifest`] | what an image holds, and the signature over it |
//! | [`tree`] | BLAKE3's tree over the payload, cut into lists that fit a frame |
//! | [`verifier`] | a receiver's side of the tree: checks lists and chunks as they arrive |
//! | [`packed`] | a whole image in memory and on disk |
//! | [`align`] | an initramfs whose files are at multiples of a chunk |
//! | [`reuse`](mod@reuse) | which chunks of a new image a node holds already in an older one |
//! | [`catalogue`] | which image each node boots |
//! | [`command`] | the bodies of `twowire image` and `twowire key` |

pub mod align;
pub mod catalogue;
pub mod command;
pub mod key;
pub mod key_file;
pub mod manifest;
mod mapped;
pub mod packed;
pub mod reuse;
pub mod tree;
pub mod verifier;

pub use key::{ClusterPublicKey, ClusterSecretKey, KeyId};
pub use key_file::{KeyError, KeyTextError};
pub use manifest::{ImageError, Manifest, SignedManifest};
pub use packed::{ImageFileError, ImageParts, PackedImage};
pub use tree::{CHUNK, HashTree, MAX_PAYLOAD, PAGE_CHUNKS, Shape, VALUE_LEN};
pub use verifier::{Part, TreeError, TreeVerifier};
