//! Latencies in microseconds: dense while they are counted, sparse while they are kept.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::record::{CurvePoint, Quantiles};

/// Longest latency that is told apart from longer ones: more than any request may take.
const LONGEST_US: u64 = 600_000_000;

/// A dense histogram with three significant digits.
pub type Dense = Histogram<u64>;

/// The recorded values and how often, ascending.
pub type Sparse = Vec<(u64, u64)>;

/// An empty one.
///
/// # Panics
/// Never: the bounds are constants that the crate accepts.
#[must_use]
pub fn dense() -> Dense {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are good")
}

/// Microseconds of a duration, at least 1: what took no time at all is shorter than the clock.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Keeps what was recorded.
#[must_use]
pub fn sparse(dense: &Dense) -> Sparse {
    let recorded = dense.iter_recorded();
    recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

/// Adds what was kept.
pub fn add(dense: &mut Dense, sparse: &Sparse) {
    for (value, count) in sparse {
        dense.saturating_record_n(*value, *count);
    }
}

/// The quantiles of a record.
#[must_use]
pub fn quantiles(dense: &Dense) -> Quantiles {
    if dense.is_empty() {
        return Quantiles::default();
    }
    let at = |quantile| dense.value_at_quantile(quantile).min(dense.max());
    Quantiles {
        count: dense.len(),
        min_us: dense.min(),
        mean_us: dense.mean(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p95_us: at(0.95),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: dense.max(),
    }
}

/// The curve of a record: denser towards the far end, as HDR plots are.
#[must_use]
pub fn curve(dense: &Dense) -> Vec<CurvePoint> {
    if dense.is_empty() {
        return Vec::new();
    }
    let steps = dense.iter_quantiles(5);
    let point = |percentile: f64, value_us: u64, count: u64| CurvePoint {
        percentile,
        value_us: value_us.min(dense.max()),
        count,
    };
    let mut seen = 0;
    let mut points: Vec<CurvePoint> = steps
        .map(|step| {
            seen += step.count_since_last_iteration();
            point(step.quantile_iterated_to() * 100.0, step.value_iterated_to(), seen)
        })
        .collect();
    points.dedup_by(|later, kept| later.percentile <= kept.percentile);
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Within 1 % at every quantile, as calibration promises.
        #[test]
        fn quantiles_are_those_of_the_samples(
            mut samples in proptest::collection::vec(1u64..60_000_000, 1..2000),
        ) {
            let mut recorded = dense();
            for sample in &samples {
                recorded.saturating_record(*sample);
            }
            let mut again = dense();
            add(&mut again, &sparse(&recorded));
            samples.sort_unstable();
            let found = quantiles(&again);
            prop_assert_eq!(&found, &quantiles(&recorded));
            for (quantile, value) in
                [(0.5, found.p50_us), (0.95, found.p95_us), (0.99, found.p99_us)]
            {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss,
                         reason = "a rank of a short list")]
                let rank = (quantile * samples.len() as f64).ceil() as usize;
                let truth = samples[rank.max(1) - 1] as f64;
                prop_assert!((value as f64 - truth).abs() <= truth * 0.01 + 1.0);
            }
            prop_assert_eq!(found.count, samples.len() as u64);
        }
    }

    #[test]
    fn a_curve_rises_to_its_end() {
        let mut recorded = dense();
        for value in 1..=10_000 {
            recorded.saturating_record(value);
        }
        let curve = curve(&recorded);
        assert!(curve.is_sorted_by(|a, b| a.percentile < b.percentile && a.value_us <= b.value_us));
        let last = curve.last().map(|point| (point.percentile, point.value_us, point.count));
        assert_eq!(last, Some((100.0, recorded.max(), 10_000)));
        assert!(super::curve(&dense()).is_empty());
        assert_eq!(micros(Duration::ZERO), 1);
    }
}
