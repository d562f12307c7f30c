//! What a number means.

use alerts::rule;

/// Unit of a panel, in Grafana's names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Things, shortened: 1.2 K.
    Count,
    /// A number to the last digit.
    Exact,
    /// A share from 0 to 1, shown in percent.
    Ratio,
    /// A duration.
    Seconds,
    /// Bytes, in steps of 1024.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Things a second.
    PerSecond,
    /// Things a minute.
    PerMinute,
    /// Requests a second.
    RequestsPerSecond,
    /// A moment in milliseconds, shown as a distance from now.
    FromNow,
}

impl Unit {
    /// Grafana's identifier.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::Exact => "none",
            Self::Ratio => "percentunit",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "binBps",
            Self::PerSecond => "cps",
            Self::PerMinute => "cpm",
            Self::RequestsPerSecond => "reqps",
            Self::FromNow => "dateTimeFromNow",
        }
    }
}

impl From<rule::Unit> for Unit {
    fn from(unit: rule::Unit) -> Self {
        match unit {
            rule::Unit::Ratio => Self::Ratio,
            rule::Unit::Seconds | rule::Unit::AgeSeconds => Self::Seconds,
            rule::Unit::Bytes => Self::Bytes,
            rule::Unit::PerSecond => Self::PerSecond,
            rule::Unit::Count | rule::Unit::Flag => Self::Count,
        }
    }
}
