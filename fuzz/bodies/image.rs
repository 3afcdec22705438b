//! A signed manifest as an offer brings it, from bytes that nobody can trust.

use std::sync::OnceLock;
use twowire_multicast_boot::image::{ClusterPublicKey, ClusterSecretKey, Manifest, SignedManifest};

/// Reads the bytes as a manifest, signed and not.
pub(crate) fn run(data: &[u8]) {
    static KEYS: OnceLock<(ClusterSecretKey, ClusterPublicKey)> = OnceLock::new();
    let (secret, public) = KEYS.get_or_init(|| {
        let secret = ClusterSecretKey::from_seed(&[7; 32]);
        let public = secret.public();
        (secret, public)
    });
    if let Ok(manifest) = SignedManifest::verify(data, public) {
        assert_eq!(manifest.key_id(), public.id());
    }
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(manifest.encode(), data);
        let signed = SignedManifest::sign(&manifest, secret);
        let verified = SignedManifest::verify(signed.as_bytes(), public);
        assert_eq!(verified.is_ok(), manifest.key_id() == public.id());
    }
}
