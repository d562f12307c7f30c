//! The run so far, second by second, and what can be asked of it.

use std::collections::BTreeMap;

use catalog::label::{LoadError, LoadStage};

use super::Written;
use super::cell::{Cell, Counts, Kept};
use super::histogram::{self, Dense};
use crate::record::Second;
use crate::route::Op;

/// One second that is over.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its number; it covers `[t, t + 1)`.
    pub t: u64,
    /// What was under way at its end.
    pub stage: LoadStage,
    /// Requests that were to start in it; those sent, in a closed profile.
    pub offered: u64,
    /// How long it really was: the last one is shorter.
    pub seconds: f64,
    /// By place of the operation.
    pub ops: BTreeMap<usize, Kept>,
    /// How late the generator was.
    pub lateness: histogram::Sparse,
    /// Users at work.
    pub users: u64,
    /// Share of all cores that the generator used.
    pub cpu_ratio: f64,
}

/// What the conductor knows of a second.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// What was under way at its end.
    pub stage: LoadStage,
    /// How long it really was.
    pub seconds: f64,
    /// Requests that a schedule wanted to start in it.
    pub due: u64,
    /// Users at work.
    pub users: u64,
    /// Share of all cores that the generator used.
    pub cpu_ratio: f64,
}

/// Everything that was recorded.
#[derive(Default)]
pub struct Story {
    /// In order.
    pub seconds: Vec<Past>,
    /// Sums by place of the operation.
    pub ops: BTreeMap<usize, Cell>,
    /// How late the generator was.
    pub lateness: Option<Dense>,
}

impl Story {
    /// A second is over; `due` requests of a schedule were to start in it.
    pub fn add(&mut self, written: Written, tick: &Tick) {
        let lateness = self.lateness.get_or_insert_with(histogram::dense);
        histogram::add(lateness, &written.lateness);
        for (place, kept) in &written.ops {
            self.ops.entry(*place).or_default().add(kept);
        }
        let unscheduled = |kept: &Kept| kept.counts.sent - kept.counts.scheduled;
        let offered = tick.due + written.ops.values().map(unscheduled).sum::<u64>();
        self.seconds.push(Past {
            t: self.seconds.len() as u64,
            stage: tick.stage,
            offered,
            seconds: tick.seconds,
            ops: written.ops,
            lateness: written.lateness,
            users: tick.users,
            cpu_ratio: tick.cpu_ratio,
        });
    }

    /// Sum over the operations for which this holds.
    #[must_use]
    pub fn sum(&self, wanted: impl Fn(Op) -> bool) -> Cell {
        let mut sum = Cell::default();
        for (place, cell) in &self.ops {
            if Op::at(*place).is_some_and(&wanted) {
                sum.merge(cell);
            }
        }
        sum
    }

    /// Length of the load: the time in which requests were to start.
    #[must_use]
    pub fn load_seconds(&self) -> f64 {
        self.seconds.iter().filter(|past| is_load(past.stage)).map(|past| past.seconds).sum()
    }

    /// Quantiles of the generator's own delay.
    #[must_use]
    pub fn lateness(&self) -> crate::record::Quantiles {
        self.lateness.as_ref().map(histogram::quantiles).unwrap_or_default()
    }

    /// Share of all cores over the load.
    #[must_use]
    pub fn cpu_ratio(&self) -> f64 {
        let load = || self.seconds.iter().filter(|past| is_load(past.stage));
        let seconds: f64 = load().map(|past| past.seconds).sum();
        let used: f64 = load().map(|past| past.cpu_ratio * past.seconds).sum();
        if seconds > 0.0 { used / seconds } else { 0.0 }
    }

    /// The time line of a record.
    #[must_use]
    pub fn timeline(&self) -> Vec<Second> {
        self.seconds.iter().map(Past::to_record).collect()
    }
}

impl Past {
    /// Sum over the operations for which this holds.
    #[must_use]
    pub fn sum(&self, wanted: impl Fn(Op) -> bool) -> Cell {
        let mut sum = Cell::default();
        self.add_to(&mut sum, wanted);
        sum
    }

    /// Adds the operations for which this holds.
    pub fn add_to(&self, sum: &mut Cell, wanted: impl Fn(Op) -> bool) {
        for (place, kept) in &self.ops {
            if Op::at(*place).is_some_and(&wanted) {
                sum.add(kept);
            }
        }
    }

    /// Adds the counters alone of the operations for which this holds.
    pub fn add_counts_to(&self, sum: &mut Counts, wanted: impl Fn(Op) -> bool) {
        for (place, kept) in &self.ops {
            if Op::at(*place).is_some_and(&wanted) {
                sum.add(&kept.counts);
            }
        }
    }

    /// Sum of the counters alone.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for kept in self.ops.values() {
            counts.add(&kept.counts);
        }
        counts
    }

    fn to_record(&self) -> Second {
        let sum = self.sum(|_| true);
        let mut lateness = histogram::dense();
        histogram::add(&mut lateness, &self.lateness);
        let latency = sum.latency();
        let errors = LoadError::ALL.iter().zip(sum.counts.errors);
        Second {
            t: self.t,
            stage: self.stage.as_str().to_owned(),
            offered_requests: self.offered,
            sent_requests: sum.counts.sent,
            answered_requests: sum.counts.answered,
            events: sum.counts.events,
            errors: errors
                .filter(|(_, count)| *count > 0)
                .map(|(class, count)| (class.as_str().to_owned(), count))
                .collect(),
            service: latency.service,
            response: latency.response,
            lateness_p99_us: histogram::quantiles(&lateness).p99_us,
            users: self.users,
            generator_cpu_ratio: self.cpu_ratio,
        }
    }
}

/// Whether requests start in a stage.
#[must_use]
pub fn is_load(stage: LoadStage) -> bool {
    matches!(stage, LoadStage::Ramp | LoadStage::Hold | LoadStage::RampDown)
}
