//! When requests of an open profile are to start: `t_i` on a rate that rises, holds and falls,
//! evenly spaced or Poisson. No clock: only offsets from the start.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::numbers::Numbers;

/// A rate over time.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Requests a second at full load.
    pub rate: f64,
    /// Time in which the rate rises from 0.
    pub ramp: Duration,
    /// Time at full load.
    pub hold: Duration,
    /// Time in which it falls to 0.
    pub ramp_down: Duration,
}

impl Shape {
    /// Requests over all of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        let slopes = (self.ramp + self.ramp_down).as_secs_f64() / 2.0;
        self.rate * (slopes + self.hold.as_secs_f64())
    }

    /// The offset at which so many requests are due; none after the end.
    #[must_use]
    pub fn offset(&self, requests: f64) -> Option<Duration> {
        let (rate, ramp, hold) = (self.rate, self.ramp.as_secs_f64(), self.hold.as_secs_f64());
        if requests >= self.total() {
            return None;
        }
        let rising = rate * ramp / 2.0;
        let seconds = if requests < rising {
            (2.0 * requests * ramp / rate).sqrt()
        } else if requests < rising + rate * hold {
            ramp + (requests - rising) / rate
        } else {
            let down = self.ramp_down.as_secs_f64();
            let left = 1.0 - 2.0 * (requests - rising - rate * hold) / (rate * down);
            ramp + hold + down * (1.0 - left.max(0.0).sqrt())
        };
        Some(Duration::from_secs_f64(seconds))
    }
}

/// The starts, one after the other.
#[derive(Clone, Debug)]
struct Arrivals {
    shape: Shape,
    /// Where gaps are random.
    numbers: Option<Numbers>,
    index: u64,
    /// Requests due at the next start.
    due: f64,
}

impl Iterator for Arrivals {
    type Item = (u64, Duration);

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.shape.offset(self.due)?;
        let index = self.index;
        self.index += 1;
        self.due += match &mut self.numbers {
            None => 1.0,
            // Exponential, of mean 1: a Poisson process on the axis of requests due.
            Some(numbers) => -(1.0 - numbers.unit()).ln(),
        };
        Some((index, offset))
    }
}

/// Hands starts out, and says how many are due whether they were taken or not.
#[derive(Debug)]
pub struct Schedule {
    /// Held for one step.
    taken: Mutex<Arrivals>,
    /// The same starts, as far as the time has come.
    due: Mutex<(std::iter::Peekable<Arrivals>, u64)>,
    total: f64,
}

impl Schedule {
    /// A schedule; with a seed, Poisson.
    #[must_use]
    pub fn new(shape: Shape, poisson_seed: Option<u64>) -> Self {
        let mut numbers = poisson_seed.map(|seed| Numbers::of(seed, u64::MAX));
        let due = numbers.as_mut().map_or(0.0, |numbers| -(1.0 - numbers.unit()).ln());
        let arrivals = Arrivals { shape, numbers, index: 0, due };
        Self {
            taken: Mutex::new(arrivals.clone()),
            due: Mutex::new((arrivals.peekable(), 0)),
            total: shape.total(),
        }
    }

    /// The next start: its number and offset. None when the schedule is over.
    pub fn next(&self) -> Option<(u64, Duration)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    /// Starts handed out so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).index
    }

    /// Starts whose time has come at an offset, which never goes back.
    pub fn due(&self, offset: Duration) -> u64 {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrivals, count) = &mut *due;
        while arrivals.next_if(|(_, start)| *start <= offset).is_some() {
            *count += 1;
        }
        *count
    }

    /// Starts over all of it, about.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(rate: f64, ramp: u64, hold: u64, down: u64) -> Shape {
        let seconds = Duration::from_secs;
        Shape { rate, ramp: seconds(ramp), hold: seconds(hold), ramp_down: seconds(down) }
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced() {
        let schedule = Schedule::new(shape(100.0, 0, 2, 0), None);
        let starts: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
        assert_eq!(starts.len(), 200);
        assert_eq!(starts[0], (0, Duration::ZERO));
        assert_eq!(starts[150], (150, Duration::from_millis(1500)));
        assert_eq!(schedule.taken(), 200);
        assert_eq!(schedule.due(Duration::from_millis(995)), 100);
        assert_eq!(schedule.due(Duration::from_secs(9)), 200);
    }

    #[test]
    fn a_ramp_offers_half_and_a_ramp_down_the_other_half() {
        let schedule = Schedule::new(shape(100.0, 10, 10, 10), None);
        let starts: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
        let within = |from: f64, to: f64| {
            starts.iter().filter(|(_, at)| (from..to).contains(&at.as_secs_f64())).count()
        };
        assert_eq!(starts.len(), 2000);
        for (from, to, expect) in
            [(0.0, 5.0, 125), (0.0, 10.0, 500), (10.0, 20.0, 1000), (25.0, 30.0, 125)]
        {
            let count = within(from, to);
            assert!(count.abs_diff(expect) <= 1, "{from} to {to}: {count}");
        }
    }

    proptest! {
        #[test]
        fn starts_never_go_back_and_the_count_fits(
            rate in 0.5f64..2000.0, ramp in 0u64..5, hold in 1u64..5, down in 0u64..5,
            poisson in proptest::option::of(any::<u64>()),
        ) {
            let shape = shape(rate, ramp, hold, down);
            let schedule = Schedule::new(shape, poisson);
            let starts: Vec<_> = std::iter::from_fn(|| schedule.next()).collect();
            prop_assert!(starts.is_sorted_by(|a, b| a.1 <= b.1 && a.0 + 1 == b.0));
            let whole = (shape.ramp + shape.hold + shape.ramp_down).as_secs_f64() + 1e-6;
            prop_assert!(starts.iter().all(|(_, at)| at.as_secs_f64() <= whole));
            let expect = shape.total();
            // Six standard deviations of a Poisson count.
            let slack = if poisson.is_some() { 6.0 * expect.sqrt() + 2.0 } else { 1.0 };
            prop_assert!((starts.len() as f64 - expect).abs() <= slack);
            prop_assert_eq!(schedule.due(Duration::from_secs(60)), starts.len() as u64);
        }
    }
}
