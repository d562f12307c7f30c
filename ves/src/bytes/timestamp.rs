//! RFC 3339 text and microsecond instants (VES 3.2).

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date, Month};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;
/// 0000-01-01T00:00:00Z, the first instant that four year digits can name.
const FIRST_MICROS: i64 = -62_167_219_200_000_000;
/// 9999-12-31T23:59:59.999999Z, the last one.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// An instant in microseconds since the Unix epoch, UTC (VES 3.2).
///
/// `Display` and serde use RFC 3339 in UTC with exactly six fraction digits and `Z`.
/// Instants outside the years 0000 to 9999 print as the nearest one inside.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Gives microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads strict RFC 3339 (see [`is_rfc3339`]); digits finer than a microsecond are cut off.
    ///
    /// Second 60 is the first second of the next minute. An offset that leads out of the years
    /// 0000 to 9999 gives the nearest instant inside.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if punctuation.iter().any(|&(at, byte)| bytes.get(at) != Some(&byte)) {
            return None;
        }
        let year = i32::try_from(digits(bytes, 0, 4)?).ok()?;
        let month = u8::try_from(digits(bytes, 5, 2)?).ok()?;
        let day = u8::try_from(digits(bytes, 8, 2)?).ok()?;
        let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
        let hour = digits(bytes, 11, 2).filter(|hour| *hour < 24)?;
        let minute = digits(bytes, 14, 2).filter(|minute| *minute < 60)?;
        let second = digits(bytes, 17, 2).filter(|second| *second <= 60)?;
        let (fraction_micros, offset_at) = fraction(bytes, 19)?;
        let offset_minutes = offset(bytes, offset_at)?;
        let days = i64::from(date.to_julian_day()) - EPOCH_JULIAN_DAY;
        let minutes = hour * 60 + minute - offset_minutes;
        let seconds = days * SECONDS_PER_DAY + minutes * 60 + second;
        let micros = seconds * MICROS_PER_SECOND + fraction_micros;
        Some(Self(micros.clamp(FIRST_MICROS, LAST_MICROS)))
    }

    fn write(self, text: &mut [u8; 27]) -> &str {
        let micros = self.0.clamp(FIRST_MICROS, LAST_MICROS);
        let seconds = micros.div_euclid(MICROS_PER_SECOND);
        let day = seconds.div_euclid(SECONDS_PER_DAY) + EPOCH_JULIAN_DAY;
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        // Neither fallback can be reached: the clamp keeps the day within the range of `Date`.
        let date = i32::try_from(day).ok().and_then(|day| Date::from_julian_day(day).ok());
        let date = date.unwrap_or(Date::MIN);
        text.copy_from_slice(b"0000-00-00T00:00:00.000000Z");
        put(text, 0, 4, i64::from(date.year()));
        put(text, 5, 2, i64::from(u8::from(date.month())));
        put(text, 8, 2, i64::from(date.day()));
        put(text, 11, 2, second_of_day / 3600);
        put(text, 14, 2, second_of_day / 60 % 60);
        put(text, 17, 2, second_of_day % 60);
        put(text, 20, 6, micros.rem_euclid(MICROS_PER_SECOND));
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// Whether a text is a timestamp as `created_at` must be (VES 3.2 with its \[H\] rules).
///
/// `YYYY-MM-DDThh:mm:ss`, then nothing or a point and one to nine digits, then `Z` or `±hh:mm`.
/// Days must exist, hours end at 23, second 60 is allowed.
pub fn is_rfc3339(text: &str) -> bool {
    Timestamp::parse(text).is_some()
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write(&mut [0; 27]))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; 27]))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rfc3339;
        impl Visitor<'_> for Rfc3339 {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 timestamp such as 2026-02-03T04:05:06Z")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Rfc3339)
    }
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    bytes.get(at..at + count)?.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// Reads an optional fraction of one to nine digits; gives microseconds and where it ends.
fn fraction(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    if bytes.get(at) != Some(&b'.') {
        return Some((0, at));
    }
    let count = bytes.get(at + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let kept = count.min(6);
    let scale = [1, 100_000, 10_000, 1_000, 100, 10, 1].get(kept).copied()?;
    Some((digits(bytes, at + 1, kept)? * scale, at + 1 + count))
}

/// Reads `Z` or `±hh:mm` up to the end of the text; gives minutes east of UTC.
fn offset(bytes: &[u8], at: usize) -> Option<i64> {
    let rest = bytes.get(at..)?;
    let sign = match rest.first()? {
        b'Z' => return (rest.len() == 1).then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if rest.len() != 6 || rest.get(3) != Some(&b':') {
        return None;
    }
    let hours = digits(rest, 1, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(rest, 4, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes))
}

fn put(text: &mut [u8; 27], at: usize, count: usize, mut value: i64) {
    for byte in text[at..at + count].iter_mut().rev() {
        // A remainder of ten always fits; the zero stands for a case that cannot happen.
        *byte = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}
