//! Durations as people write them: `500ms`, `30s`, `2m`, `1h`, and sums of them: `1h30m`.

use std::time::Duration;

/// Longest accepted: a week. Nobody means more, and sums stay far from any overflow.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads a duration.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no duration such as 500ms, 30s, 2m or 1h30m");
    let (mut rest, mut sum) = (text.trim(), 0.0);
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        sum += number
            * match &after[..letters] {
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(bad()),
            };
        rest = &after[letters..];
    }
    let parsed = Duration::try_from_secs_f64(sum).map_err(|_| bad())?;
    if parsed > LONGEST { Err(format!("`{text}` is longer than a week")) } else { Ok(parsed) }
}

/// Writes one, as short as it stays true to the millisecond.
#[must_use]
pub fn show(duration: Duration) -> String {
    let (seconds, milliseconds) = (duration.as_secs(), duration.subsec_millis());
    if milliseconds > 0 {
        return match seconds {
            0 => format!("{milliseconds}ms"),
            _ => format!("{:.3}s", duration.as_secs_f64()),
        };
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = |count: u64, unit: &str| match count {
        0 => String::new(),
        _ => format!("{count}{unit}"),
    };
    let text = part(hours, "h") + &part(minutes, "m") + &part(seconds, "s");
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, milliseconds, shown) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1.5s", 1500, "1.500s"),
            ("0s", 0, "0s"),
            (" 2m ", 120_000, "2m"),
        ] {
            let parsed = parse(text).unwrap_or_default();
            assert_eq!(parsed, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(show(parsed), shown);
        }
        for text in ["", "s", "5", "5d", "-1s", "1.2.3s", "1s x", "999999h", "ms"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
