//! The language of thresholds: `METRIC OP VALUE [of SCENARIO or "ROUTE"] [in any 30s window]
//! [after ramp]`.
//!
//! * metrics: `latency.p95` (from the intended start; also `latency.response.…` and
//!   `latency.service.…` with `min mean p50 p90 p95 p99 p999 max`), `errors.ratio`,
//!   `errors.count`, `errors.CLASS`, `events.rate`, `events.count`, `requests.rate`,
//!   `requests.count`, `lateness.p99` and the other quantiles, `offered.ratio`;
//! * `<`, `<=`, `>`, `>=`;
//! * values: `500ms`, `0.1%`, `5000/s`, or a plain number;
//! * with `in any 30s window` it must hold in every window of that length.

pub mod judge;
mod metric;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::profile::{Profile, duration};
use crate::route::{Op, Route};
use crate::scenario::Kind;
use metric::Unit;
pub use metric::{Metric, Quantile};

/// A threshold that can be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub expression: String,
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what: seconds, a ratio, a count, or so many a second.
    pub bound: f64,
    /// Whose.
    pub of: Of,
    /// Length of the windows; over the whole run without.
    pub window: Option<Duration>,
    /// Whether the ramp is left out.
    pub is_after_ramp: bool,
    /// When a failure ends the run.
    pub abort_after: Option<Duration>,
}

/// How the measured value is compared with the bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    /// Whether it holds.
    #[must_use]
    pub fn holds(self, measured: f64, bound: f64) -> bool {
        match self {
            Self::Below => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Above => measured > bound,
            Self::AtLeast => measured >= bound,
        }
    }

    /// Whether small values are good.
    #[must_use]
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }
}

/// Whose figures count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// Everybody's.
    All,
    /// Those of a scenario.
    Scenario(Kind),
    /// Those of a route, whichever scenario calls it.
    Route(Route),
}

impl Of {
    /// Whether an operation belongs to it.
    #[must_use]
    pub fn holds(self, op: Op) -> bool {
        match self {
            Self::All => true,
            Self::Scenario(kind) => op.scenario == kind,
            Self::Route(route) => op.route == route,
        }
    }
}

/// Reads the thresholds of a profile, and refuses those that could never be measured in it.
///
/// # Errors
/// The first that cannot be read, with the reason.
pub fn parse_all(profile: &Profile) -> anyhow::Result<Vec<Threshold>> {
    let one = |wanted: &crate::profile::Wanted| {
        let mut threshold = Threshold::parse(wanted.expression())?;
        threshold.abort_after = wanted.abort_after();
        let expression = &threshold.expression;
        if let Of::Scenario(kind) = threshold.of {
            let runs = profile.active().any(|(active, _)| *active == kind);
            ensure!(
                runs,
                "`{expression}`: the profile does not run the scenario {}",
                kind.as_str()
            );
        }
        let posts = profile.active().any(|(kind, _)| kind.posts());
        let counts = matches!(threshold.metric, Metric::EventRate | Metric::EventCount);
        ensure!(posts || !counts, "`{expression}`: the profile posts no event");
        let whole = threshold.of == Of::All;
        let per_generator = matches!(threshold.metric, Metric::Lateness(_) | Metric::OfferedRatio);
        ensure!(whole || !per_generator, "`{expression}`: this is measured for the whole run only");
        Ok(threshold)
    };
    profile.thresholds.iter().map(one).collect()
}

impl Threshold {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(expression: &str) -> anyhow::Result<Self> {
        parse(expression).with_context(|| format!("the threshold `{expression}`"))
    }
}

fn parse(expression: &str) -> anyhow::Result<Threshold> {
    let words = words(expression)?;
    let mut words = words.iter().map(String::as_str);
    let mut next = |what: &str| words.next().with_context(|| format!("{what} is missing"));
    let name = next("the metric")?;
    let metric = Metric::parse(name).with_context(|| format!("there is no metric `{name}`"))?;
    let comparison = match next("the comparison")? {
        "<" => Comparison::Below,
        "<=" => Comparison::AtMost,
        ">" => Comparison::Above,
        ">=" => Comparison::AtLeast,
        other => bail!("`{other}` is none of < <= > >="),
    };
    let bound = value(next("the value")?, metric)?;
    let mut new = Threshold {
        expression: expression.to_owned(),
        metric,
        comparison,
        bound,
        of: Of::All,
        window: None,
        is_after_ramp: false,
        abort_after: None,
    };
    while let Ok(word) = next("") {
        match word {
            "of" if new.of == Of::All => new.of = owner(next("the scenario or route")?)?,
            "in" if new.window.is_none() => {
                ensure!(next("`any`")? == "any", "after `in` comes `any 30s window`");
                let length = next("the length of the window")?;
                let length = duration::parse(length).map_err(anyhow::Error::msg)?;
                ensure!(length >= Duration::from_secs(1), "a window is at least 1s long");
                ensure!(next("`window`")? == "window", "after the length comes `window`");
                new.window = Some(length);
            }
            "after" if !new.is_after_ramp => {
                ensure!(next("`ramp`")? == "ramp", "after `after` comes `ramp`");
                new.is_after_ramp = true;
            }
            other => bail!("`{other}` is not understood"),
        }
    }
    Ok(new)
}

/// The words of an expression; what stands between quotes is one.
fn words(expression: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for (place, piece) in expression.split('"').enumerate() {
        if place % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    ensure!(expression.matches('"').count().is_multiple_of(2), "a quote is not closed");
    Ok(words)
}

fn owner(name: &str) -> anyhow::Result<Of> {
    if let Some(kind) = Kind::ALL.iter().find(|kind| kind.as_str() == name) {
        return Ok(Of::Scenario(*kind));
    }
    let route = Route::ALL.iter().find(|route| route.as_str() == name);
    let route = route.with_context(|| format!("there is no scenario or route `{name}`"))?;
    Ok(Of::Route(*route))
}

fn value(text: &str, metric: Metric) -> anyhow::Result<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let parsed = match metric.unit() {
        Unit::Seconds => duration::parse(text).ok().map(|value| value.as_secs_f64()),
        Unit::Ratio => match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|value| value / 100.0),
            None => number(text),
        },
        Unit::PerSecond => number(text.strip_suffix("/s").unwrap_or(text)),
        Unit::Count => number(text),
    };
    let wanted = match metric.unit() {
        Unit::Seconds => "a duration such as 500ms",
        Unit::Ratio => "a share such as 0.1%",
        Unit::PerSecond => "a rate such as 5000/s",
        Unit::Count => "a number",
    };
    parsed.filter(|value| *value >= 0.0).with_context(|| format!("`{text}` is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use catalog::label::LoadError;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_read() {
        let parsed = Threshold::parse("errors.ratio < 0.1% of ingest in any 30s window after ramp");
        let parsed = parsed.unwrap();
        assert_eq!((parsed.metric, parsed.of), (Metric::ErrorRatio, Of::Scenario(Kind::Ingest)));
        assert_eq!(parsed.window, Some(Duration::from_secs(30)));
        assert!(parsed.is_after_ramp && (parsed.bound - 0.001).abs() < 1e-12);
        for (text, metric, bound) in [
            ("latency.p95 < 500ms", Metric::Response(Quantile::P95), 0.5),
            ("latency.service.p99.9 <= 2s", Metric::Service(Quantile::P999), 2.0),
            ("events.rate > 5000/s", Metric::EventRate, 5000.0),
            ("events.rate >= 5000", Metric::EventRate, 5000.0),
            ("errors.timeout < 1", Metric::ErrorClass(LoadError::Timeout), 1.0),
            ("lateness.max < 1s", Metric::Lateness(Quantile::Max), 1.0),
        ] {
            let parsed = Threshold::parse(text).unwrap();
            assert_eq!(parsed.metric, metric, "{text}");
            assert!((parsed.bound - bound).abs() < 1e-9, "{text}");
        }
        let of = Threshold::parse("latency.p50 < 1s of \"GET /health\"").unwrap().of;
        assert_eq!(of, Of::Route(Route::Health));
    }

    #[test]
    fn what_is_not_understood_says_why() {
        for (text, expect) in [
            ("", "the metric is missing"),
            ("latency.p42 < 1s", "no metric `latency.p42`"),
            ("errors.gone < 1", "no metric `errors.gone`"),
            ("latency.p95 = 1s", "none of < <= > >="),
            ("latency.p95 < fast", "a duration such as"),
            ("latency.p95 < 500", "a duration such as"),
            ("errors.ratio < -1%", "a share such as"),
            ("events.rate > 10/s of sleeping", "no scenario or route `sleeping`"),
            ("events.rate > 10/s in any 30s", "`window` is missing"),
            ("events.rate > 10/s in any 10ms window", "at least 1s"),
            ("events.rate > 10/s after lunch", "after `after` comes `ramp`"),
            ("events.rate > 10/s please", "`please` is not understood"),
            ("latency.p50 < 1s of \"GET /health", "a quote is not closed"),
        ] {
            let error = format!("{:#}", Threshold::parse(text).unwrap_err());
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = Threshold::parse(&text);
        }

        #[test]
        fn a_bound_is_read_as_written(milliseconds in 1u32..1_000_000) {
            let text = format!("latency.p95 < {milliseconds}ms");
            let bound = Threshold::parse(&text).unwrap().bound;
            prop_assert!((bound - f64::from(milliseconds) / 1e3).abs() < 1e-9);
        }
    }
}
