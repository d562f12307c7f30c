//! A length of time as people write it: seconds, with a fraction where one is needed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// Longest length that can be configured: a day.
const LONGEST_SECONDS: f64 = 86_400.0;

/// More than nothing, at most a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Seconds(f64);

impl Seconds {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: Option<f64> = text.parse().ok();
        let seconds = seconds.filter(|seconds| (0.001..=LONGEST_SECONDS).contains(seconds));
        seconds.map(Self).ok_or_else(|| "seconds from 0.001 to 86400".to_owned())
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sensible_length_is_read() {
        for (text, expect) in [
            ("10", Some(10_000)),
            ("0.5", Some(500)),
            ("86400", Some(86_400_000)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("86401", None),
            ("10s", None),
        ] {
            let read = text.parse().ok().map(|seconds: Seconds| seconds.duration().as_millis());
            assert_eq!(read, expect, "{text}");
        }
    }
}
