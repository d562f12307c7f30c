//! Buckets over time, as Grafana's format `heatmap` makes them of a histogram.

use alerts::prometheus::{Range, Series};
use serde_json::{Value, json};

use super::series::{column, of};
use crate::live::Answer;

/// Less is what is left of a subtraction, and not an observation; Grafana's own number.
const NOTHING: f64 = 1e-9;

/// Upper bounds from low to high, and how much came into each bucket at each point: the buckets of
/// Prometheus hold all below them too. The last bound is null, for everything above.
pub(super) fn map(answers: &[Answer], range: Range) -> Value {
    let mut buckets: Vec<(f64, Vec<f64>)> =
        answers.iter().flat_map(of).filter_map(|series| bucket(series, range)).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let own = |place: usize| -> Vec<f64> {
        let below = place.checked_sub(1).map(|below| &buckets[below].1);
        let less = |at: usize| below.map_or(0.0, |below| below[at]);
        let counts = buckets[place].1.iter().enumerate().map(|(at, count)| count - less(at));
        counts.map(|count| if count < NOTHING { 0.0 } else { count }).collect()
    };
    let counts: Vec<_> = (0..buckets.len()).map(own).collect();
    let bounds: Vec<_> =
        buckets.iter().map(|(bound, _)| bound.is_finite().then_some(*bound)).collect();
    json!({ "bounds": bounds, "counts": counts })
}

fn bucket(series: &Series, range: Range) -> Option<(f64, Vec<f64>)> {
    let bound = match series.labels.get("le")?.as_str() {
        "+Inf" => f64::INFINITY,
        bound => bound.parse().ok()?,
    };
    let counts = column(series, range).iter().map(|count| count.as_f64().unwrap_or(0.0)).collect();
    Some((bound, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_lose_what_is_below_them() {
        let of = |bound: &str, counts: &[f64]| {
            let labels = [("le".to_owned(), bound.to_owned())].into();
            let points = (0..).zip(counts).map(|(n, &count)| (f64::from(n) * 10.0, count));
            Series { labels, points: points.collect() }
        };
        let answer = Answer::Series(vec![
            of("+Inf", &[30.0, 10.0, 35.0]),
            of("10", &[10.0, 10.0, f64::NAN]),
            of("2.5", &[10.0, 10.0 + 1e-12]),
            of("200", &[20.0, 10.0, 30.0]),
        ]);
        let map = map(&[answer], Range { start: 0, end: 20, step: 10 });
        assert_eq!(map["bounds"], json!([2.5, 10.0, 200.0, null]));
        let counts = &map["counts"];
        assert_eq!(counts[1], json!([0.0, 0.0, 0.0]));
        assert_eq!(counts[2], json!([10.0, 0.0, 30.0]));
        assert_eq!(counts[3], json!([10.0, 0.0, 5.0]));
    }
}
