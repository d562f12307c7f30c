//! One predicate: a signature is good here exactly when the library's strict check says so.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::VerifyingKey;
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};
use ves::{Hash32, PublicKey, Sig64, SigningKey};

use crate::sample::cases;

/// The group order, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn both(key: &[u8; 32], hash: &Hash32, signature: &Sig64) -> Option<(bool, bool)> {
    let ours = PublicKey::from_bytes(key).ok()?;
    let theirs = VerifyingKey::from_bytes(key).ok()?;
    let signature_of_theirs = ed25519_dalek::Signature::from_bytes(&signature.0);
    let strict = theirs.verify_strict(&hash.0, &signature_of_theirs).is_ok();
    Some((ours.verify(hash, signature), strict))
}

fn challenge(r: &CompressedEdwardsY, key: &CompressedEdwardsY, hash: &Hash32) -> Scalar {
    let hash =
        Sha512::new().chain_update(r.as_bytes()).chain_update(key.as_bytes()).chain_update(hash.0);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// A signature that the equation holds for, with parts of small order in R and in the key.
fn forged(
    secret: Scalar,
    nonce: Scalar,
    torsion: (usize, usize),
    hash: &Hash32,
) -> ([u8; 32], Sig64) {
    let key = (EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[torsion.0]).compress();
    let r = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[torsion.1]).compress();
    let s = nonce + challenge(&r, &key, hash) * secret;
    let mut signature = Sig64::ZERO;
    signature.0[..32].copy_from_slice(r.as_bytes());
    signature.0[32..].copy_from_slice(s.as_bytes());
    (key.0, signature)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_changed_signature_is_judged_as_the_library_judges_it(
        seed: [u8; 32], hash: [u8; 32], byte in 0..64_usize, change: u8,
    ) {
        let (key, hash) = (SigningKey::from_seed(&seed), Hash32(hash));
        let public = *key.public_key().as_bytes();
        let good = key.sign(&hash);
        prop_assert_eq!(both(&public, &hash, &good), Some((true, true)));
        let mut changed = good;
        changed.0[byte] ^= change;
        prop_assert_eq!(both(&public, &hash, &changed), Some((change == 0, change == 0)));
        let other = Hash32([hash.0[0] ^ 1; 32]);
        prop_assert_eq!(both(&public, &other, &good), Some((false, false)));
        // S + L: the same equation, refused.
        let mut large = good;
        let mut carry = 0_u16;
        for (byte, more) in large.0[32..].iter_mut().zip(L) {
            carry += u16::from(*byte) + u16::from(more);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        prop_assert_eq!(both(&public, &hash, &large), Some((false, false)));
    }

    #[test]
    fn parts_of_small_order_are_judged_as_the_library_judges_them(
        secret: [u8; 32], nonce: [u8; 32], hash: [u8; 32], key in 0..8_usize, r in 0..8_usize,
    ) {
        let (secret, hash) = (Scalar::from_bytes_mod_order(secret), Hash32(hash));
        for nonce in [Scalar::from_bytes_mod_order(nonce), Scalar::ZERO] {
            let (key, signature) = forged(secret, nonce, (key, r), &hash);
            let Some((ours, strict)) = both(&key, &hash, &signature) else { continue };
            prop_assert_eq!(ours, strict);
        }
        // A key without its own part, and an R of small order: good for the equation alone.
        let (key, signature) = forged(secret, Scalar::ZERO, (0, 0), &hash);
        prop_assert_eq!(both(&key, &hash, &signature), Some((false, false)));
    }
}
