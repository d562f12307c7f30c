//! What a threshold can measure, and in which unit its values are written.

use catalog::label::LoadError;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// From the intended start.
    Response(Quantile),
    /// From the sending.
    Service(Quantile),
    /// Of the generator itself.
    Lateness(Quantile),
    /// Failed attempts and refused events of all attempts.
    ErrorRatio,
    /// How many there were.
    ErrorCount,
    /// How many of a class.
    ErrorClass(LoadError),
    /// Events acknowledged a second.
    EventRate,
    /// Events acknowledged.
    EventCount,
    /// Requests answered a second.
    RequestRate,
    /// Requests answered.
    RequestCount,
    /// Requests sent of those offered.
    OfferedRatio,
}

/// A place in a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Quantile {
    Min,
    Mean,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
}

/// What a value is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Seconds,
    Ratio,
    PerSecond,
    Count,
}

impl Metric {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (family, name) = text.split_once('.')?;
        Some(match (family, name) {
            ("errors", "ratio") => Self::ErrorRatio,
            ("errors", "count") => Self::ErrorCount,
            ("errors", class) => {
                let named = |error: &&LoadError| error.as_str() == class;
                Self::ErrorClass(*LoadError::ALL.iter().find(named)?)
            }
            ("events", "rate") => Self::EventRate,
            ("events", "count") => Self::EventCount,
            ("requests", "rate") => Self::RequestRate,
            ("requests", "count") => Self::RequestCount,
            ("offered", "ratio") => Self::OfferedRatio,
            ("lateness", quantile) => Self::Lateness(Quantile::parse(quantile)?),
            ("latency", rest) => match rest.split_once('.') {
                Some(("service", quantile)) => Self::Service(Quantile::parse(quantile)?),
                Some(("response", quantile)) => Self::Response(Quantile::parse(quantile)?),
                _ => Self::Response(Quantile::parse(rest)?),
            },
            _ => return None,
        })
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Response(_) | Self::Service(_) | Self::Lateness(_) => Unit::Seconds,
            Self::ErrorRatio | Self::OfferedRatio => Unit::Ratio,
            Self::EventRate | Self::RequestRate => Unit::PerSecond,
            Self::ErrorCount | Self::ErrorClass(_) | Self::EventCount | Self::RequestCount => {
                Unit::Count
            }
        }
    }

    /// A value for people.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self.unit() {
            Unit::Seconds if value >= 1.0 => format!("{value:.2} s"),
            Unit::Seconds => format!("{:.1} ms", value * 1e3),
            Unit::Ratio => format!("{:.3}%", value * 100.0),
            Unit::PerSecond => format!("{value:.1}/s"),
            Unit::Count => format!("{value:.0}"),
        }
    }
}

impl Quantile {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "min" => Self::Min,
            "mean" => Self::Mean,
            "p50" => Self::P50,
            "p90" => Self::P90,
            "p95" => Self::P95,
            "p99" => Self::P99,
            "p999" | "p99.9" => Self::P999,
            "max" => Self::Max,
            _ => return None,
        })
    }
}
