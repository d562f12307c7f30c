//! The recorder: everybody who sends writes here, and once a second what was written is put away.
//!
//! It knows no clock: the conductor says when a second is over.

pub mod cell;
pub mod histogram;
pub mod story;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::label::{LoadError, LoadStage};
use catalog::{LoadStageMetrics, LoadgenMetrics};

use crate::route::{OPS, Op};
use cell::{Cell, Kept};
use histogram::{Dense, Sparse, micros};

/// Writers that do not wait for each other: more than the cores of most machines.
const SHARDS: usize = 8;
/// Longest text of an example.
const EXAMPLE_CHARACTERS: usize = 200;

/// A request that came to its end.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// From the sending of the last attempt to the last byte.
    pub service: Duration,
    /// From the intended start to the last byte.
    pub response: Duration,
    /// Events acknowledged.
    pub events: u64,
    /// Events refused.
    pub refused: u64,
    /// Bytes of the body read.
    pub received_bytes: u64,
}

/// What was written in one second.
#[derive(Default)]
pub struct Written {
    /// By place of the operation.
    pub ops: BTreeMap<usize, Kept>,
    /// How late the generator was.
    pub lateness: Sparse,
}

#[derive(Default)]
struct Shard {
    /// One for each operation that was used.
    ops: Vec<Option<Box<Cell>>>,
    lateness: Option<Box<Dense>>,
}

/// Where everybody writes.
pub struct Recorder {
    shards: Vec<Mutex<Shard>>,
    next_shard: AtomicUsize,
    /// The first message of each class.
    examples: Mutex<[Option<String>; cell::CLASSES]>,
    /// Answers so far that were good: whether anybody is there.
    good: AtomicU64,
    /// Attempts so far that failed.
    bad: AtomicU64,
    stage: AtomicUsize,
    metrics: LoadgenMetrics,
}

impl Recorder {
    /// An empty one that also feeds these metrics.
    #[must_use]
    pub fn new(metrics: LoadgenMetrics) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_shard: AtomicUsize::new(0),
            examples: Mutex::default(),
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            stage: AtomicUsize::new(LoadStage::Ramp as usize),
            metrics,
        }
    }

    /// The metrics that it feeds.
    #[must_use]
    pub fn metrics(&self) -> &LoadgenMetrics {
        &self.metrics
    }

    /// A stage begins.
    pub fn enter(&self, stage: LoadStage) {
        self.stage.store(stage as usize, Ordering::Relaxed);
        self.metrics.enter(stage);
    }

    /// The stage under way.
    #[must_use]
    pub fn stage(&self) -> LoadStage {
        LoadStage::ALL[self.stage.load(Ordering::Relaxed)]
    }

    /// Good answers and failed attempts so far.
    #[must_use]
    pub fn good_and_bad(&self) -> (u64, u64) {
        (self.good.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed))
    }

    /// A request leaves; `lateness` where a schedule says when it should have.
    pub fn sent(&self, op: Op, bytes: u64, events: u64, lateness: Option<Duration>) {
        self.stage_metrics().requests_sent.inc();
        let mut shard = self.shard();
        let cell = cell(&mut shard, op);
        cell.counts.sent += 1;
        cell.counts.sent_events += events;
        cell.counts.scheduled += u64::from(lateness.is_some());
        cell.counts.sent_bytes += bytes;
        if let Some(lateness) = lateness {
            self.metrics.lateness.observe(lateness.as_secs_f64());
            late(&mut shard, lateness);
        }
    }

    /// The generator itself was late by so much.
    pub fn lateness(&self, lateness: Duration) {
        self.metrics.lateness.observe(lateness.as_secs_f64());
        late(&mut self.shard(), lateness);
    }

    /// A request was answered, whole.
    pub fn answered(&self, op: Op, done: &Done) {
        let stage = self.stage_metrics();
        stage.requests_answered.inc();
        stage.events_acknowledged.inc_by(done.events);
        stage.service_duration.observe(done.service.as_secs_f64());
        stage.response_duration.observe(done.response.as_secs_f64());
        self.good.fetch_add(1, Ordering::Relaxed);
        if done.refused > 0 {
            self.metrics.errors[LoadError::RefusedEvent].inc_by(done.refused);
        }
        self.write(op, |cell| {
            cell.counts.answered += 1;
            cell.counts.events += done.events;
            cell.counts.refused_events += done.refused;
            cell.counts.errors[LoadError::RefusedEvent as usize] += done.refused;
            cell.counts.received_bytes += done.received_bytes;
            cell.service.saturating_record(micros(done.service));
            cell.response.saturating_record(micros(done.response));
        });
    }

    /// An attempt failed. Its time counts when a whole answer came, or when it is the last.
    pub fn failed(&self, op: Op, class: LoadError, example: &str, fate: Fate) {
        self.metrics.errors[class].inc();
        self.bad.fetch_add(1, Ordering::Relaxed);
        self.example(class, example);
        self.write(op, |cell| {
            cell.counts.failed += 1;
            cell.counts.errors[class as usize] += 1;
            match fate {
                Fate::Retried => cell.counts.retries += 1,
                Fate::GivenUp { service, response, is_answered } => {
                    cell.counts.given_up += 1;
                    cell.counts.answered += u64::from(is_answered);
                    cell.service.saturating_record(micros(service));
                    cell.response.saturating_record(micros(response));
                }
            }
        });
    }

    /// Keeps a message as the example of its class, if it is the first.
    pub fn example(&self, class: LoadError, example: &str) {
        let mut examples = self.examples.lock().unwrap_or_else(PoisonError::into_inner);
        examples[class as usize]
            .get_or_insert_with(|| example.chars().take(EXAMPLE_CHARACTERS).collect());
    }

    /// The example of a class.
    #[must_use]
    pub fn example_of(&self, class: LoadError) -> String {
        let examples = self.examples.lock().unwrap_or_else(PoisonError::into_inner);
        examples[class as usize].clone().unwrap_or_default()
    }

    /// Takes what was written since the last time.
    #[must_use]
    pub fn take(&self) -> Written {
        let mut sums: BTreeMap<usize, Box<Cell>> = BTreeMap::new();
        let mut lateness = histogram::dense();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for (place, cell) in taken.ops.into_iter().enumerate() {
                let Some(cell) = cell else { continue };
                match sums.entry(place) {
                    std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(cell)),
                    std::collections::btree_map::Entry::Occupied(mut sum) => {
                        sum.get_mut().merge(&cell);
                    }
                }
            }
            if let Some(late) = taken.lateness {
                // The bounds are the same, so nothing can be out of range.
                let _ = lateness.add(&*late);
            }
        }
        let ops = sums.into_iter().map(|(place, cell)| (place, cell.keep())).collect();
        Written { ops, lateness: histogram::sparse(&lateness) }
    }

    fn stage_metrics(&self) -> &LoadStageMetrics {
        self.metrics.stage(self.stage())
    }

    fn write(&self, op: Op, change: impl FnOnce(&mut Cell)) {
        change(cell(&mut self.shard(), op));
    }

    /// A shard that nobody else is likely to hold.
    fn shard(&self) -> MutexGuard<'_, Shard> {
        let place = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a request after a failed attempt.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It is tried again.
    Retried,
    /// It is not.
    GivenUp {
        /// From the sending of the last attempt to its failure.
        service: Duration,
        /// From the intended start to the failure.
        response: Duration,
        /// Whether a whole answer came, only not a good one.
        is_answered: bool,
    },
}

fn cell(shard: &mut Shard, op: Op) -> &mut Cell {
    if shard.ops.is_empty() {
        shard.ops.resize_with(OPS, || None);
    }
    shard.ops[op.place()].get_or_insert_with(Box::default)
}

fn late(shard: &mut Shard, lateness: Duration) {
    let lateness = micros(lateness);
    shard.lateness.get_or_insert_with(|| Box::new(histogram::dense())).saturating_record(lateness);
}
