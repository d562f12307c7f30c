//! The one place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use ves::Timestamp;

/// Now, to the microsecond.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Now in seconds since 1970, for timestamp gauges.
#[must_use]
pub fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
