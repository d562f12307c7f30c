//! The two fixed-size byte values of the protocol and their hex text (VES 3.1, 3.2).

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 32 raw bytes: a hash, a root or a public key (VES 3.1).
///
/// `Display` and serde use 64 lower-case hex digits without `0x`, as REST responses do.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Hash32(pub [u8; 32]);

/// 64 raw bytes: an Ed25519 signature (VES 3.1).
///
/// `Display` and serde use 128 lower-case hex digits without `0x`, as REST responses do.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Sig64(pub [u8; 64]);

macro_rules! hex_text {
    ($name:ident, $bytes:literal, $digits:literal) => {
        impl $name {
            /// All bytes zero (`zero32` of VES 1 for a hash).
            pub const ZERO: Self = Self([0; $bytes]);

            /// Reads the envelope form: `0x`, then lower-case hex (VES 3.2 \[H\]).
            pub fn parse_prefixed(text: &str) -> Option<Self> {
                Self::parse_bare(text.strip_prefix("0x")?)
            }

            /// Reads the form of REST responses: lower-case hex without `0x` (VES 3.2).
            pub fn parse_bare(text: &str) -> Option<Self> {
                let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if lower { decode(text).map(Self) } else { None }
            }

            /// Reads hex of any case with or without `0x`, only for the routes that take both
            /// (`proofs/verify` and key registration; VES 9.3, 16.1).
            pub fn parse_either(text: &str) -> Option<Self> {
                decode(text.strip_prefix("0x").unwrap_or(text)).map(Self)
            }

            /// Writes the envelope form: `0x`, then lower-case hex (VES 3.2).
            pub fn to_prefixed(&self) -> String {
                let mut digits = [0; $digits];
                let digits = encode(&self.0, &mut digits);
                let mut text = String::with_capacity($digits + 2);
                text.push_str("0x");
                text.push_str(digits);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(encode(&self.0, &mut [0; $digits]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(encode(&self.0, &mut [0; $digits]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Hex;
                impl Visitor<'_> for Hex {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} lower-case hex digits without 0x", $digits)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse_bare(text)
                            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Hex)
            }
        }
    };
}

hex_text!(Hash32, 32, 64);
hex_text!(Sig64, 64, 128);

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

/// The buffer is always twice as long as the bytes, so the error case cannot happen.
fn encode<'a>(bytes: &[u8], digits: &'a mut [u8]) -> &'a str {
    faster_hex::hex_encode(bytes, digits).map_or("", |text| text)
}
