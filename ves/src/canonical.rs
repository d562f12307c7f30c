//! Canonical JSON after RFC 8785 with the hardening rules, and payload hashes (VES 6).
//!
//! The text is walked once and written as it is read; only objects whose members stand in
//! another order are re-arranged. `serde_json_canonicalizer` prints the numbers that are not
//! small integers; it does not do the rest because it cannot see repeated names or the digits of
//! an integer, and costs several times as much on a small payload. A property test holds the two
//! against each other.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::bytes::Hash32;
use crate::json::{BadJson, Container, LoneSurrogate, RawNumber, RawString, Scanner, Visit};
use crate::preimage::{Preimage, label};

/// What a text may hold beyond being JSON (VES 6.1).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct CanonicalLimits {
    /// Most containers inside one another, the outermost included.
    pub max_depth: usize,
    /// Refuse integers written without fraction or exponent beyond ±(2^53−1) (VES 6.1 \[H\]).
    pub safe_integers_only: bool,
}

impl CanonicalLimits {
    /// For accepting events (VES 6.1 with \[H\]).
    pub const STRICT: Self = Self { max_depth: 127, safe_integers_only: true };
    /// For reading history: large integers are rounded to a double as the public code does.
    pub const AUDIT: Self = Self { max_depth: 127, safe_integers_only: false };
}

/// Why a text has no canonical form (VES 6.1).
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Two members of one object have the same name.
    #[error("the member name {name:?} is repeated")]
    DuplicateMember {
        /// The repeated name, decoded; at most its first 64 characters.
        name: String,
    },
    /// An integer that a double cannot hold exactly.
    #[error("an integer is beyond 2^53-1; write it as a string")]
    UnsafeInteger,
    /// A number that overflows a double.
    #[error("a number is too large for a double")]
    NumberRange,
    /// An escape that names half of a surrogate pair.
    #[error("a string holds a lone surrogate")]
    LoneSurrogate,
    /// Not JSON at all.
    #[error("the text is not JSON")]
    BadJson,
    /// More nesting than the limit.
    #[error("the value is nested too deeply")]
    TooDeep,
    /// A string or a name holds U+0000, which stores cannot keep (VES 5, notes).
    #[error("a string holds U+0000")]
    Nul,
    /// The canonical form is longer than the caller takes (VES 21).
    #[error("the value is too large")]
    TooLarge,
}

/// Writes the canonical form of one JSON value (VES 6.1).
///
/// The canonical form of a canonical text is that text, with one trap: a float such as `1e19`
/// is accepted, but its canonical form `10000000000000000000` is written like an integer, so
/// [`CanonicalLimits::STRICT`] refuses it when it comes back. Read what was accepted before with
/// [`CanonicalLimits::AUDIT`].
///
/// # Errors
/// The first rule of [`CanonicalError`] that is found broken. Time grows with the length of the
/// text times its depth at worst, the stack not at all.
pub fn canonicalize(text: &str, limits: &CanonicalLimits) -> Result<String, CanonicalError> {
    canonicalize_within(text, limits, usize::MAX)
}

/// The same, given up as soon as the canonical form is longer than `max_bytes`: objects are
/// re-arranged level by level, so a large and deep text would cost its length times its depth.
pub(crate) fn canonicalize_within(
    text: &str,
    limits: &CanonicalLimits,
    max_bytes: usize,
) -> Result<String, CanonicalError> {
    let mut writer = Writer {
        limits,
        max_bytes,
        out: String::with_capacity(text.len()),
        frames: Vec::new(),
        members: Vec::new(),
        scratch: String::new(),
    };
    let mut scanner = Scanner::new(text);
    scanner.walk(&mut writer)?;
    scanner.end()?;
    writer.check_size()?;
    Ok(writer.out)
}

/// Payload hash of a plaintext event (VES 6.2).
pub fn payload_plain_hash(canonical: &str) -> Hash32 {
    Preimage::hashed(label::PAYLOAD_PLAIN).raw(canonical.as_bytes()).finish()
}

/// Payload hash of an encrypted event (VES 6.3).
pub fn salted_payload_plain_hash(salt: &[u8; 16], canonical: &str) -> Hash32 {
    Preimage::hashed(label::PAYLOAD_PLAIN).raw(salt).raw(canonical.as_bytes()).finish()
}

/// Appends a string token in canonical form (VES 6.1, strings).
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0c => "\\f",
            b'\r' => "\\r",
            0..0x20 => "\\u00",
            _ => continue,
        };
        // The byte is ASCII, so both ends are character boundaries.
        out.push_str(text.get(plain_from..at).unwrap_or_default());
        out.push_str(short);
        if short.len() == 4 {
            out.push(if byte < 0x10 { '0' } else { '1' });
            out.push(char::from_digit(u32::from(byte % 16), 16).unwrap_or('0'));
        }
        plain_from = at + 1;
    }
    out.push_str(text.get(plain_from..).unwrap_or_default());
    out.push('"');
}

struct Writer<'a, 'l> {
    limits: &'l CanonicalLimits,
    max_bytes: usize,
    /// Only ever grows: re-arranging members keeps the length.
    out: String,
    /// Open containers: where each begins in `out` and in `members`.
    frames: Vec<Frame>,
    /// Members of all open objects, innermost last.
    members: Vec<Member<'a>>,
    scratch: String,
}

struct Frame {
    out_start: usize,
    first_member: usize,
}

struct Member<'a> {
    name: Cow<'a, str>,
    start: usize,
    end: usize,
}

impl<'a> Visit<'a> for Writer<'a, '_> {
    type Error = CanonicalError;

    fn open(&mut self, kind: Container) -> Result<(), CanonicalError> {
        if self.frames.len() >= self.limits.max_depth {
            return Err(CanonicalError::TooDeep);
        }
        self.check_size()?;
        self.frames.push(Frame { out_start: self.out.len(), first_member: self.members.len() });
        self.out.push(if kind == Container::Object { '{' } else { '[' });
        Ok(())
    }

    fn name(&mut self, name: RawString<'a>, is_first: bool) -> Result<(), CanonicalError> {
        self.check_size()?;
        if !is_first {
            self.end_member();
            self.out.push(',');
        }
        let start = self.out.len();
        let name = self.push_token(name)?;
        self.out.push(':');
        self.members.push(Member { name, start, end: start });
        Ok(())
    }

    fn next_element(&mut self) {
        self.out.push(',');
    }

    fn close(&mut self, kind: Container) -> Result<(), CanonicalError> {
        let Some(frame) = self.frames.pop() else { return Err(CanonicalError::BadJson) };
        if kind == Container::Array {
            self.out.push(']');
            return Ok(());
        }
        if self.members.len() > frame.first_member {
            self.end_member();
            self.sort_members(&frame)?;
        }
        self.members.truncate(frame.first_member);
        self.out.push('}');
        Ok(())
    }

    fn string(&mut self, string: RawString<'a>) -> Result<(), CanonicalError> {
        self.push_token(string).map(|_| ())
    }

    fn number(&mut self, number: RawNumber<'a>) -> Result<(), CanonicalError> {
        let digits = number.text.strip_prefix('-').unwrap_or(number.text);
        if number.is_integer && is_safe(digits) {
            self.out.push_str(if digits == "0" { "0" } else { number.text });
            return Ok(());
        }
        if number.is_integer && self.limits.safe_integers_only {
            return Err(CanonicalError::UnsafeInteger);
        }
        let value: f64 = number.text.parse().map_err(|_| CanonicalError::BadJson)?;
        if !value.is_finite() {
            return Err(CanonicalError::NumberRange);
        }
        let text = serde_json_canonicalizer::to_string(&value);
        self.out.push_str(&text.map_err(|_| CanonicalError::NumberRange)?);
        Ok(())
    }

    fn literal(&mut self, literal: &'static str) {
        self.out.push_str(literal);
    }
}

impl<'a> Writer<'a, '_> {
    fn push_token(&mut self, token: RawString<'a>) -> Result<Cow<'a, str>, CanonicalError> {
        let text = token.decode()?;
        // A raw control character is not JSON, so only an escape can bring U+0000 in.
        if token.has_escape && text.contains('\0') {
            return Err(CanonicalError::Nul);
        }
        push_string(&mut self.out, &text);
        Ok(text)
    }

    fn check_size(&self) -> Result<(), CanonicalError> {
        if self.out.len() > self.max_bytes { Err(CanonicalError::TooLarge) } else { Ok(()) }
    }

    fn end_member(&mut self) {
        if let Some(member) = self.members.last_mut() {
            member.end = self.out.len();
        }
    }

    fn sort_members(&mut self, frame: &Frame) -> Result<(), CanonicalError> {
        let Some(members) = self.members.get_mut(frame.first_member..) else { return Ok(()) };
        let in_order = members.windows(2).all(
            |pair| matches!(pair, [left, right] if utf16_order(&left.name, &right.name).is_lt()),
        );
        if in_order {
            return Ok(());
        }
        members.sort_by(|left, right| utf16_order(&left.name, &right.name));
        for pair in members.windows(2) {
            if let [left, right] = pair
                && left.name == right.name
            {
                let name = left.name.chars().take(64).collect();
                return Err(CanonicalError::DuplicateMember { name });
            }
        }
        self.scratch.clear();
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.scratch.push(',');
            }
            self.scratch.push_str(self.out.get(member.start..member.end).unwrap_or_default());
        }
        self.out.truncate(frame.out_start + 1);
        self.out.push_str(&self.scratch);
        Ok(())
    }
}

/// Whether the magnitude of an integer is at most 2^53−1.
fn is_safe(digits: &str) -> bool {
    match digits.len() {
        ..16 => true,
        16 => digits <= "9007199254740991",
        _ => false,
    }
}

/// Order by UTF-16 code units (VES 6.1), read off the UTF-8 bytes.
///
/// The two orders differ only where a character beyond U+FFFF (first byte from F0), written as
/// surrogates in UTF-16, meets one of U+E000 to U+FFFF (first byte EE or EF).
fn utf16_order(left: &str, right: &str) -> Ordering {
    let differ = left.bytes().zip(right.bytes()).find(|(left, right)| left != right);
    match differ {
        None => left.len().cmp(&right.len()),
        Some((0xf0.., 0xee | 0xef)) => Ordering::Less,
        Some((0xee | 0xef, 0xf0..)) => Ordering::Greater,
        Some((left, right)) => left.cmp(&right),
    }
}

impl From<BadJson> for CanonicalError {
    fn from(_: BadJson) -> Self {
        Self::BadJson
    }
}

impl From<LoneSurrogate> for CanonicalError {
    fn from(_: LoneSurrogate) -> Self {
        Self::LoneSurrogate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_agrees_with_code_units() {
        let names = ["", "a", "aa", "b", "\u{7f}", "é", "\u{d7ff}", "\u{e000}", "\u{ffee}"];
        let names = names.into_iter().chain(["\u{10000}", "😀", "a😀", "a\u{e000}"]);
        let names: Vec<_> = names.collect();
        for left in &names {
            for right in &names {
                let expected = left.encode_utf16().cmp(right.encode_utf16());
                assert_eq!(utf16_order(left, right), expected, "{left:?} {right:?}");
            }
        }
    }
}
