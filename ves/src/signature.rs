//! Ed25519 under one strict predicate (VES 8).

use std::fmt;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer as _, VerifyingKey};
use sha2::{Digest as _, Sha512};

use crate::bytes::{Hash32, Sig64};
use crate::preimage::{Preimage, label};

/// A public key that passed every check of VES 8.2 \[H\], kept decompressed.
#[derive(Copy, Clone, Eq, PartialEq)]
pub struct PublicKey(VerifyingKey);

/// Why 32 bytes are not a usable public key (VES 8.2 \[H\]).
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum BadPublicKey {
    /// The bytes decode to no point of the curve.
    #[error("the public key is not a point of the curve")]
    NotOnCurve,
    /// y is not reduced, or x is zero with the sign bit set.
    #[error("the public key is not in canonical form")]
    NotCanonical,
    /// Eight times the point is the neutral element: such a key verifies forged signatures.
    #[error("the public key has small order")]
    SmallOrder,
}

/// An Ed25519 private key made from its 32-byte seed; wiped when dropped (VES 8.1).
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl PublicKey {
    /// Decodes and checks a key (VES 8.2 \[H\]).
    ///
    /// # Errors
    /// [`BadPublicKey`] says which of the three checks failed.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BadPublicKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadPublicKey::NotOnCurve)?;
        if key.is_weak() {
            return Err(BadPublicKey::SmallOrder);
        }
        // The library keeps the bytes it was given, so only a new encoding tells.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(BadPublicKey::NotCanonical);
        }
        Ok(Self(key))
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether a signature over the 32 hash bytes is good (VES 8.2 with its \[H\] rules).
    ///
    /// S below the group order, no cofactor, R of no small order and in canonical form.
    /// Never a batch check: that would accept signatures which this predicate refuses.
    ///
    /// It takes exactly what the strict check of the library takes, a sixth faster: R is not
    /// decoded. Equal bytes make it canonical and the recomputed point, whose order is looked at
    /// instead. That the key has no small order was seen when it was made.
    pub fn verify(&self, hash: &Hash32, signature: &Sig64) -> bool {
        let (r, s) = signature.0.split_at(32);
        let Ok(s) = <[u8; 32]>::try_from(s) else { return false };
        let Some(s) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else {
            return false;
        };
        let challenge = Sha512::new().chain_update(r).chain_update(self.as_bytes());
        let challenge = challenge.chain_update(hash.0).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&challenge.into());
        // R' = [S]B − [k]A (VES 8.2). Nothing here is secret, so it need not take constant time.
        let negative = -self.0.to_edwards();
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &negative, &s);
        expected.compress().as_bytes() == r && !expected.is_small_order()
    }
}

impl SigningKey {
    /// Makes the key of an RFC 8032 seed (VES 8.1).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half. A key made by RFC 8032 always passes the checks of VES 8.2.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs the 32 raw hash bytes (VES 8.1).
    pub fn sign(&self, hash: &Hash32) -> Sig64 {
        Sig64(self.0.sign(&hash.0).to_bytes())
    }
}

/// What a registrant signs to show that it holds a key (VES 9.3).
pub fn proof_of_possession_challenge(public_key: &[u8; 32]) -> Hash32 {
    Preimage::hashed(label::PROOF_OF_POSSESSION).raw(public_key).finish()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", Hash32(*self.as_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}
