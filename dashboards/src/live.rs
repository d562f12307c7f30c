//! Panels filled from a Prometheus, with the variables of a board filled in as Grafana does.

use alerts::prometheus::{AskError, Prometheus, Range, Series, now};
use alerts::rule::{duration, parse_duration};
use anyhow::{Context as _, ensure};
use clap::Args;

use crate::builder::{Kind, Panel};
use crate::query::{INSTANCE, INTERVAL, JOB, Query};

/// Points of a line, as many as a panel has room for.
const POINTS: u64 = 240;
/// Scrapes that a rate needs at least, as Grafana reckons.
const SCRAPES_A_RATE: u64 = 4;

/// What is looked at: the choice at the top of a board, and the time.
#[derive(Args, Clone, Debug)]
pub struct ViewArgs {
    /// How far back.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    range: String,
    /// Scrape interval of this Prometheus, as in Grafana's data source: windows of rates follow.
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    scrape_interval: String,
    /// Regular expression of the chosen jobs.
    #[arg(long, value_name = "REGEX", default_value = ".+")]
    job: String,
    /// Regular expression of the chosen instances.
    #[arg(long, value_name = "REGEX", default_value = ".+")]
    instance: String,
}

/// The same, ready to ask.
#[derive(Clone, Debug)]
pub struct View {
    /// Time and distance of points.
    pub range: Range,
    rate_interval: String,
    job: String,
    instance: String,
}

impl ViewArgs {
    /// The view that ends now.
    ///
    /// # Errors
    /// When a duration is none, or the range is shorter than a rate needs.
    pub fn view(&self) -> anyhow::Result<View> {
        let seconds = |name: &str, text: &str| {
            let read = parse_duration(text).filter(|seconds| *seconds > 0);
            read.map(u64::from).with_context(|| format!("{name}: {text} is no duration such as 5m"))
        };
        let range = seconds("--range", &self.range)?;
        let scrape = seconds("--scrape-interval", &self.scrape_interval)?;
        let step = (range / POINTS).max(scrape);
        let rate = (step + scrape).max(SCRAPES_A_RATE * scrape);
        ensure!(range >= rate, "--range: {} is shorter than a rate needs", self.range);
        let end = now();
        let range = Range { start: end.saturating_sub(range), end, step };
        let rate_interval = duration(u32::try_from(rate)?);
        // They stand inside the quotes of a matcher.
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        Ok(View { range, rate_interval, job: quoted(&self.job), instance: quoted(&self.instance) })
    }
}

impl View {
    /// A query with its variables filled in.
    #[must_use]
    pub fn fill(&self, query: &Query) -> String {
        let text = query.expr.replace(INTERVAL, &self.rate_interval);
        text.replace(JOB, &self.job).replace(INSTANCE, &self.instance)
    }

    /// Asks one query of a panel: now where only the last value is shown, else over the range.
    ///
    /// # Errors
    /// When Prometheus does not answer. That it refuses this query is an answer.
    pub async fn ask(
        &self,
        prometheus: &Prometheus,
        panel: &Panel,
        query: &Query,
    ) -> Result<Answer, AskError> {
        let expr = self.fill(query);
        let answer = match panel.kind {
            Kind::BarGauge | Kind::Table | Kind::Gauge => prometheus.query(&expr).await,
            _ => prometheus.query_range(&expr, self.range).await,
        };
        match answer {
            Ok(series) => Ok(Answer::Series(series)),
            Err(AskError::Refused { status: 400 | 422, reason, .. }) => Ok(Answer::Refused(reason)),
            Err(error) => Err(error),
        }
    }
}

/// What Prometheus says to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Lines, perhaps none.
    Series(Vec<Series>),
    /// It cannot be asked so, in Prometheus's words.
    Refused(String),
}

impl Answer {
    /// Whether there is a line with a finite value.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.any(f64::is_finite)
    }

    /// Whether there is a line with a finite value that is not zero.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.any(|value| value.is_finite() && value != 0.0)
    }

    fn any(&self, wanted: impl Fn(f64) -> bool) -> bool {
        let Self::Series(series) = self else { return false };
        series.iter().flat_map(|series| &series.points).any(|&(_, value)| wanted(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(range: &str, scrape_interval: &str) -> anyhow::Result<View> {
        let own = str::to_owned;
        let (range, scrape_interval) = (own(range), own(scrape_interval));
        ViewArgs { range, scrape_interval, job: own("a\\.b\""), instance: own(".+") }.view()
    }

    #[test]
    fn variables_are_filled_in_as_grafana_does() -> anyhow::Result<()> {
        let query = Query::new("rate(stateset_a_total[5m])", "");
        for (range, scrape, step, window) in
            [("1h", "15s", 15, "1m"), ("1d", "15s", 360, "375s"), ("5m", "1s", 1, "4s")]
        {
            let view = view(range, scrape)?;
            assert_eq!(view.range.step, step, "{range} {scrape}");
            let expect = r#"rate(stateset_a_total{job=~"a\\.b\"",instance=~".+"}[WINDOW])"#;
            assert_eq!(view.fill(&query), expect.replace("WINDOW", window));
        }
        for (range, scrape, expect) in
            [("soon", "15s", "--range"), ("1h", "0s", "--scrape-interval"), ("30s", "15s", "short")]
        {
            let refused = view(range, scrape).map_or_else(|e| e.to_string(), |_| String::new());
            assert!(refused.contains(expect), "{range} {scrape}: {refused}");
        }
        Ok(())
    }

    #[test]
    fn data_is_finite_and_what_moved_is_not_zero() {
        let of = |values: &[f64]| {
            let points = values.iter().map(|&value| (0.0, value)).collect();
            Answer::Series(vec![Series { points, ..Series::default() }])
        };
        for (values, data, moved) in [
            (&[][..], false, false),
            (&[f64::NAN, f64::INFINITY], false, false),
            (&[0.0, f64::NAN], true, false),
            (&[0.0, -1.0], true, true),
        ] {
            let answer = of(values);
            assert_eq!((answer.has_data(), answer.has_moved()), (data, moved), "{values:?}");
        }
        assert!(!Answer::Refused(String::new()).has_data());
    }
}
