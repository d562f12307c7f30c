//! One second: what two looks at the sequencer say about the time between them.

use std::time::Duration;

use super::scrape::Scrape;

/// Names of the curves, in the order of [`Point::values`].
pub(super) const SERIES: [&str; 15] = [
    "sequencer_answers",
    "events_per_second",
    "requests_per_second",
    "client_errors_per_second",
    "server_errors_per_second",
    "ingest_p50_seconds",
    "ingest_p95_seconds",
    "ingest_p99_seconds",
    "pool_active",
    "pool_max",
    "queue_depth_events",
    "commitment_lag_events",
    "disk_used_ratio",
    "witness_lag_events",
    "canary_total_seconds",
];

/// The values of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Unix time, seconds, to the millisecond.
    pub(super) at: f64,
    /// In the order of [`SERIES`]; NaN where nothing is known.
    pub(super) values: [f32; SERIES.len()],
}

/// What other rooms know at that moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    pub(super) disk_used_ratio: Option<f64>,
    pub(super) witness_lag: Option<f64>,
    pub(super) canary_total: Option<f64>,
}

impl Point {
    /// From the present look and the one before it, which was this long ago. Without a present
    /// look the sequencer's values are absent: a gap, not a zero.
    pub(super) fn between(
        before: Option<&(Scrape, Duration)>,
        now: Option<&Scrape>,
        around: Around,
        at: f64,
    ) -> Self {
        let rate = |read: fn(&Scrape) -> Option<f64>| {
            let (before, passed) = before?;
            Some(increase(read(before)?, read(now?)?) / passed.as_secs_f64())
        };
        let gauge = |read: fn(&Scrape) -> Option<f64>| read(now?);
        let [p50, p95, p99] = match (before, now) {
            (Some((before, _)), Some(now)) => quantiles(&before.ingest, &now.ingest),
            _ => [None; 3],
        };
        let values = [
            Some(if now.is_some() { 1.0 } else { 0.0 }),
            rate(|scrape| scrape.events),
            rate(|scrape| scrape.requests),
            rate(|scrape| scrape.requests.map(|_| scrape.client_errors)),
            rate(|scrape| scrape.requests.map(|_| scrape.server_errors)),
            p50,
            p95,
            p99,
            gauge(|scrape| scrape.pool_active),
            gauge(|scrape| scrape.pool_max),
            gauge(|scrape| scrape.queue_depth),
            gauge(|scrape| scrape.commitment_lag),
            around.disk_used_ratio,
            around.witness_lag,
            around.canary_total,
        ];
        Self { at, values: values.map(short) }
    }
}

/// A counter that fell was started anew: all it shows came since.
fn increase(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

#[expect(clippy::cast_possible_truncation, reason = "a curve needs no more than seven digits")]
fn short(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |value| value as f32)
}

/// The quantiles 0.5, 0.95 and 0.99 of what came between two states of a histogram, linear within
/// a bucket as Prometheus does it; absent when nothing came.
fn quantiles(before: &[(f64, f64)], now: &[(f64, f64)]) -> [Option<f64>; 3] {
    let started_anew = before.len() != now.len()
        || before.iter().zip(now).any(|(before, now)| before.0 != now.0 || now.1 < before.1);
    let base = |at: usize| if started_anew { 0.0 } else { before[at].1 };
    let came: Vec<_> = (0..now.len()).map(|at| (now[at].0, now[at].1 - base(at))).collect();
    [0.5, 0.95, 0.99].map(|quantile| quantile_of(&came, quantile))
}

fn quantile_of(buckets: &[(f64, f64)], quantile: f64) -> Option<f64> {
    let (_, all) = *buckets.last()?;
    if all <= 0.0 {
        return None;
    }
    let rank = quantile * all;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (below, below_count) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (bound, count) = buckets[at];
    if !bound.is_finite() {
        return Some(below);
    }
    let share =
        if count > below_count { (rank - below_count) / (count - below_count) } else { 1.0 };
    Some(below + (bound - below) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(point: &Point, name: &str) -> Option<f32> {
        let at = SERIES.iter().position(|series| *series == name).expect("a series");
        Some(point.values[at]).filter(|value| !value.is_nan())
    }

    fn scrape(events: f64, requests: f64, ingest: &[(f64, f64)]) -> Scrape {
        let (events, requests) = (Some(events), Some(requests));
        Scrape { events, requests, ingest: ingest.to_vec(), ..Scrape::default() }
    }

    #[test]
    fn rates_are_per_second_and_a_restart_is_no_negative_rate() {
        let before = (scrape(100.0, 10.0, &[]), Duration::from_secs(2));
        let at = |now: &Scrape| Point::between(Some(&before), Some(now), Around::default(), 0.0);
        let point = at(&scrape(150.0, 10.0, &[]));
        assert_eq!(value(&point, "events_per_second"), Some(25.0));
        assert_eq!(value(&point, "requests_per_second"), Some(0.0));
        assert_eq!(value(&point, "ingest_p50_seconds"), None);
        let restarted = at(&scrape(6.0, 4.0, &[]));
        assert_eq!(value(&restarted, "events_per_second"), Some(3.0));
    }

    #[test]
    fn a_dead_sequencer_is_a_gap_and_the_first_look_has_no_rates() {
        let before = (scrape(1.0, 1.0, &[]), Duration::from_secs(1));
        let around = Around { disk_used_ratio: Some(0.5), ..Around::default() };
        let dead = Point::between(Some(&before), None, around, 0.0);
        assert_eq!(value(&dead, "sequencer_answers"), Some(0.0));
        assert_eq!(value(&dead, "events_per_second"), None);
        assert_eq!(value(&dead, "disk_used_ratio"), Some(0.5));
        let first = Point::between(None, Some(&before.0), Around::default(), 0.0);
        assert_eq!(value(&first, "sequencer_answers"), Some(1.0));
        assert_eq!(value(&first, "events_per_second"), None);
    }

    #[test]
    fn quantiles_are_those_of_the_time_between() {
        let infinite = f64::INFINITY;
        let before = [(0.1, 10.0), (0.2, 10.0), (infinite, 10.0)];
        let now = [(0.1, 60.0), (0.2, 110.0), (infinite, 110.0)];
        for (before, now, expect) in [
            (&before[..], &now[..], [Some(0.1), Some(0.19), Some(0.198)]),
            (&before, &before, [None; 3]),
            // Started anew: 2 of 4 are beyond the last bound, which is all that can be said.
            (
                &before,
                &[(0.1, 2.0), (0.2, 2.0), (infinite, 4.0)],
                [Some(0.1), Some(0.2), Some(0.2)],
            ),
            (&[], &[], [None; 3]),
        ] {
            let found = quantiles(before, now);
            for (found, expect) in found.iter().zip(expect) {
                let close = |(a, b): (f64, f64)| (a - b).abs() < 1e-9;
                assert!(found.zip(expect).map_or(*found == expect, close), "{found:?} {expect:?}");
            }
        }
    }
}
