//! The one place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use ves::Timestamp;

/// Now, to the microsecond.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How far another clock is ahead of ours at least, seconds: it was read, in microseconds since
/// 1970, somewhere between the two moments.
#[must_use]
pub fn skew_seconds(theirs: i64, asked: Timestamp, answered: Timestamp) -> f64 {
    let (asked, answered) = (asked.as_micros(), answered.as_micros().max(asked.as_micros()));
    let apart = if theirs < asked { theirs - asked } else { (theirs - answered).max(0) };
    apart as f64 / 1e6
}
