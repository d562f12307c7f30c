//! Durations in TOML, as text.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer};

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    super::duration::parse(&text).map_err(serde::de::Error::custom)
}
