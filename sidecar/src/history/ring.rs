//! The points of the last minutes: a ring of fixed size.

use std::collections::VecDeque;

use serde::Serialize;

use super::point::{Point, SERIES};

/// Points kept: 15 minutes at one a second.
pub(super) const POINTS: usize = 900;

/// The last points, oldest first.
pub(super) struct Ring(VecDeque<Point>);

impl Default for Ring {
    fn default() -> Self {
        Self(VecDeque::with_capacity(POINTS))
    }
}

impl Ring {
    /// Adds a point. A clock that was set back begins anew, so that time only grows.
    pub(super) fn push(&mut self, point: Point) {
        if self.0.back().is_some_and(|last| point.at <= last.at) {
            self.0.clear();
        }
        if self.0.len() == POINTS {
            self.0.pop_front();
        }
        self.0.push_back(point);
    }

    /// The points after a time, or all when that time is not within the ring.
    pub(super) fn view(&self, since: Option<f64>, now: f64, interval_seconds: f64) -> HistoryView {
        let (oldest, newest) = (self.0.front(), self.0.back());
        let within = |since: &f64| {
            oldest.is_some_and(|point| point.at <= *since)
                && newest.is_some_and(|point| *since <= point.at)
        };
        let since = since.filter(within);
        let from = since.map_or(0, |since| self.0.partition_point(|point| point.at <= since));
        let points = || self.0.range(from..);
        let column = |at: usize| points().map(|point| readable(point.values[at])).collect();
        HistoryView {
            now,
            interval_seconds,
            complete: since.is_none(),
            time: points().map(|point| point.at).collect(),
            series: std::array::from_fn::<_, { SERIES.len() }, _>(|at| Column {
                name: SERIES[at],
                values: column(at),
            })
            .into(),
        }
    }
}

/// Four digits are more than a curve shows, and keep the answer small.
fn readable(value: f32) -> Option<f32> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some(0.0);
    }
    let text = format!("{value:.3e}");
    text.parse().ok()
}

/// Columns of equal length.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    /// Unix time of this answer, seconds.
    pub now: f64,
    /// Time between two points.
    pub interval_seconds: f64,
    /// Whether these are all points, and not only those since the time that was asked for.
    pub complete: bool,
    /// Unix time of each point, ascending.
    pub time: Vec<f64>,
    /// The curves; a value that is not known is null.
    #[serde(serialize_with = "as_map")]
    pub series: Vec<Column>,
}

/// One curve.
#[derive(Debug)]
pub struct Column {
    /// Its name, with the unit last.
    pub name: &'static str,
    /// A value per point.
    pub values: Vec<Option<f32>>,
}

fn as_map<S: serde::Serializer>(columns: &[Column], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(columns.iter().map(|column| (column.name, &column.values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(times: impl Iterator<Item = u32>) -> Ring {
        let mut ring = Ring::default();
        for at in times {
            ring.push(Point { at: at.into(), values: [0.0; SERIES.len()] });
        }
        ring
    }

    #[test]
    fn it_keeps_the_newest_and_gives_what_is_new() {
        let ring = ring(0..2_000);
        let all = ring.view(None, 0.0, 1.0);
        assert!(all.complete);
        assert_eq!((all.time.len(), all.time[0]), (POINTS, 1_100.0));
        for (since, count, complete) in [
            (1_997.0, 2, false),
            (1_999.0, 0, false),
            (1_997.5, 2, false),
            // Of another process, or too long ago.
            (2_000.0, POINTS, true),
            (1.0, POINTS, true),
        ] {
            let view = ring.view(Some(since), 0.0, 1.0);
            assert_eq!((view.time.len(), view.complete), (count, complete), "{since}");
            assert!(view.series.iter().all(|column| column.values.len() == count));
        }
        assert!(Ring::default().view(Some(1.0), 0.0, 1.0).time.is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_begins_anew() {
        let ring = ring([10, 11, 12, 5, 6].into_iter());
        assert_eq!(ring.view(None, 0.0, 1.0).time, [5.0, 6.0]);
    }

    #[test]
    fn values_are_short() {
        for (value, expect) in [
            (0.0, Some(0.0)),
            (1.0 / 3.0, Some(0.333_3)),
            (123_456.0, Some(123_500.0)),
            (-0.000_123_46, Some(-0.000_123_5)),
            (f32::NAN, None),
            (f32::INFINITY, None),
        ] {
            assert_eq!(readable(value), expect, "{value}");
        }
    }
}
