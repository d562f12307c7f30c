//! Whether thresholds held: over the story of a run, at its end or while it goes on.

use catalog::label::LoadStage;

use super::{Metric, Quantile, Threshold};
use crate::record::{self, Quantiles, ThresholdVerdict};
use crate::recorder::cell::Cell;
use crate::recorder::histogram;
use crate::recorder::story::{Past, Story, is_load};

/// Some seconds in a row, summed up.
#[derive(Default)]
struct Span {
    cell: Cell,
    lateness: Option<histogram::Dense>,
    offered: u64,
    seconds: f64,
}

impl Span {
    fn add(&mut self, past: &Past, threshold: &Threshold) {
        if matches!(threshold.metric, Metric::Response(_) | Metric::Service(_)) {
            past.add_to(&mut self.cell, |op| threshold.of.holds(op));
        } else {
            past.add_counts_to(&mut self.cell.counts, |op| threshold.of.holds(op));
        }
        self.offered += past.offered;
        if matches!(threshold.metric, Metric::Lateness(_)) {
            let lateness = self.lateness.get_or_insert_with(histogram::dense);
            histogram::add(lateness, &past.lateness);
        }
        if is_load(past.stage) {
            self.seconds += past.seconds;
        }
    }

    /// The value of a metric; nothing without a sample.
    fn value(&self, metric: Metric) -> Option<f64> {
        let counts = &self.cell.counts;
        let rate = |count: u64| (self.seconds > 0.0).then(|| count as f64 / self.seconds);
        match metric {
            Metric::Response(quantile) => seconds(&self.cell.response, quantile),
            Metric::Service(quantile) => seconds(&self.cell.service, quantile),
            Metric::Lateness(quantile) => seconds(self.lateness.as_ref()?, quantile),
            Metric::ErrorRatio => (counts.attempts() > 0).then(|| counts.error_ratio()),
            Metric::ErrorCount => Some((counts.failed + counts.refused_events) as f64),
            Metric::ErrorClass(class) => Some(counts.errors[class as usize] as f64),
            Metric::EventRate => rate(counts.events),
            Metric::EventCount => Some(counts.events as f64),
            Metric::RequestRate => rate(counts.answered),
            Metric::RequestCount => Some(counts.answered as f64),
            Metric::OfferedRatio => {
                (self.offered > 0).then(|| counts.sent as f64 / self.offered as f64)
            }
        }
    }
}

fn seconds(dense: &histogram::Dense, quantile: Quantile) -> Option<f64> {
    if dense.is_empty() {
        return None;
    }
    let Quantiles { min_us, mean_us, p50_us, p90_us, p95_us, p99_us, p999_us, max_us, .. } =
        histogram::quantiles(dense);
    let micros = match quantile {
        Quantile::Mean => return Some(mean_us / 1e6),
        Quantile::Min => min_us,
        Quantile::P50 => p50_us,
        Quantile::P90 => p90_us,
        Quantile::P95 => p95_us,
        Quantile::P99 => p99_us,
        Quantile::P999 => p999_us,
        Quantile::Max => max_us,
    };
    Some(micros as f64 / 1e6)
}

/// Judges all at the end of a run.
#[must_use]
pub fn all(thresholds: &[Threshold], story: &Story) -> Vec<record::Threshold> {
    thresholds.iter().map(|threshold| at_end(threshold, story)).collect()
}

/// Whether one that may end the run fails now, at the end of a second; gives what was measured.
#[must_use]
pub fn fails_now(threshold: &Threshold, story: &Story) -> Option<f64> {
    let after = threshold.abort_after?.as_secs_f64();
    if story.load_seconds() < after {
        return None;
    }
    let seen = seen(threshold, story);
    let seen = match length(threshold) {
        // The last whole window only: those before were judged when they ended.
        Some(length) if seen.len() >= length => sum(threshold, &seen[seen.len() - length..]),
        Some(_) => return None,
        None => whole(threshold, story, &seen),
    };
    let value = seen.value(threshold.metric)?;
    (!threshold.comparison.holds(value, threshold.bound)).then_some(value)
}

fn at_end(threshold: &Threshold, story: &Story) -> record::Threshold {
    let seen = seen(threshold, story);
    let measured = match length(threshold) {
        // A run shorter than the window is one window.
        Some(length) if length < seen.len() => worst(
            threshold,
            seen.windows(length)
                .filter_map(|window| sum(threshold, window).value(threshold.metric)),
        ),
        _ => whole(threshold, story, &seen).value(threshold.metric),
    };
    let verdict = match measured {
        None => ThresholdVerdict::NoData,
        Some(value) if threshold.comparison.holds(value, threshold.bound) => ThresholdVerdict::Pass,
        Some(_) => ThresholdVerdict::Fail,
    };
    record::Threshold {
        expression: threshold.expression.clone(),
        measured,
        measured_text: measured
            .map_or_else(|| "nothing was measured".to_owned(), |v| threshold.metric.show(v)),
        verdict,
        aborted_at_seconds: None,
    }
}

/// The seconds that count. Answers that come after the schedule belong to a whole run, and to no
/// window.
fn seen<'a>(threshold: &Threshold, story: &'a Story) -> Vec<&'a Past> {
    let is_whole = threshold.window.is_none();
    let counts = |past: &&Past| {
        let is_ramp = past.stage == LoadStage::Ramp;
        (is_whole || is_load(past.stage)) && !(threshold.is_after_ramp && is_ramp)
    };
    story.seconds.iter().filter(counts).collect()
}

/// Seconds of a window.
fn length(threshold: &Threshold) -> Option<usize> {
    let seconds = threshold.window?.as_secs().max(1);
    Some(usize::try_from(seconds).unwrap_or(usize::MAX))
}

/// All that counts. The sums are at hand where nothing is left out: an hour is not added up again
/// every second.
fn whole(threshold: &Threshold, story: &Story, seen: &[&Past]) -> Span {
    if seen.len() < story.seconds.len() {
        return sum(threshold, seen);
    }
    Span {
        cell: story.sum(|op| threshold.of.holds(op)),
        lateness: story.lateness.clone(),
        offered: seen.iter().map(|past| past.offered).sum(),
        seconds: story.load_seconds(),
    }
}

fn sum(threshold: &Threshold, seen: &[&Past]) -> Span {
    let mut span = Span::default();
    for past in seen {
        span.add(past, threshold);
    }
    span
}

fn worst(threshold: &Threshold, values: impl Iterator<Item = f64>) -> Option<f64> {
    if threshold.comparison.is_upper() { values.reduce(f64::max) } else { values.reduce(f64::min) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::recorder::Written;
    use crate::recorder::cell::Kept;
    use crate::recorder::story::Tick;
    use crate::route::{Op, Route};
    use crate::scenario::Kind;

    /// A story of 2 seconds of ramp and then one second for each pair: requests answered in so
    /// many microseconds, a tenth of them failed where the second says so.
    fn story(hold: &[(u64, bool)]) -> Story {
        let op = Op { scenario: Kind::Ingest, route: Route::Ingest };
        let mut story = Story::default();
        let ramp = [(5_000_000, true); 2];
        for (place, (micros, fails)) in ramp.iter().chain(hold).enumerate() {
            let mut kept = Kept { response: vec![(*micros, 100)], ..Kept::default() };
            kept.counts.sent = 100;
            kept.counts.scheduled = 100;
            kept.counts.answered = 100;
            kept.counts.events = 100;
            kept.counts.failed = if *fails { 10 } else { 0 };
            let ops = BTreeMap::from([(op.place(), kept)]);
            let stage = if place < 2 { LoadStage::Ramp } else { LoadStage::Hold };
            let tick = Tick { stage, seconds: 1.0, due: 100, users: 1, cpu_ratio: 0.1 };
            story.add(Written { ops, lateness: vec![(900, 100)] }, &tick);
        }
        story
    }

    fn judged(expression: &str, story: &Story) -> (ThresholdVerdict, String) {
        let threshold = Threshold::parse(expression).unwrap();
        let judged = at_end(&threshold, story);
        (judged.verdict, judged.measured_text)
    }

    #[test]
    fn windows_see_what_the_whole_run_hides() {
        use ThresholdVerdict::{Fail, NoData, Pass};
        let mut hold = [(1000, false); 40];
        hold[20] = (90_000, true);
        hold[21] = (90_000, true);
        let story = story(&hold);
        for (expression, expect, text) in [
            ("errors.ratio < 5%", Pass, "0.952%"),
            ("errors.ratio < 5% in any 2s window", Fail, "10.000%"),
            ("errors.ratio < 5% in any 10s window after ramp", Pass, "2.000%"),
            ("errors.ratio < 1% in any 10s window after ramp", Fail, "2.000%"),
            ("latency.p50 < 10ms in any 2s window after ramp", Fail, "90.0 ms"),
            ("latency.p50 < 10ms after ramp", Pass, "1.0 ms"),
            ("latency.max < 1s", Fail, "5.00 s"),
            ("events.rate > 99/s in any 30s window after ramp", Pass, "100.0/s"),
            ("events.rate > 101/s", Fail, "100.0/s"),
            ("events.count >= 4200", Pass, "4200"),
            ("lateness.p99 < 1ms", Pass, "0.9 ms"),
            ("offered.ratio >= 99%", Pass, "100.000%"),
            ("latency.p95 < 1s of queries", NoData, "nothing was measured"),
            // The run is shorter than the window: one window.
            ("errors.ratio < 5% in any 1h window", Pass, "0.952%"),
        ] {
            let (verdict, measured) = judged(expression, &story);
            assert_eq!((verdict, measured.as_str()), (expect, text), "{expression}");
        }
    }

    #[test]
    fn what_may_end_a_run_waits_for_its_time_and_a_whole_window() {
        let mut threshold =
            Threshold::parse("errors.ratio < 5% in any 2s window after ramp").unwrap();
        let bad = story(&[(1000, false), (1000, true), (1000, true)]);
        assert!(fails_now(&threshold, &bad).is_none(), "it is not told to");
        threshold.abort_after = Some(Duration::from_secs(60));
        assert!(fails_now(&threshold, &bad).is_none(), "too early");
        threshold.abort_after = Some(Duration::from_secs(1));
        assert!(fails_now(&threshold, &bad).is_some());
        assert!(fails_now(&threshold, &story(&[(1000, true)])).is_none(), "no whole window");
    }
}
