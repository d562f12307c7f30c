//! Goose: users, scenarios, weights and the ramp of users. What a user does in its turn is ours:
//! the next request of its own in a closed profile, the next of the schedule in an open one.

pub mod conductor;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use goose::GooseAttack;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::numbers::Numbers;
use crate::pacer::{Schedule, Shape};
use crate::profile::{Arrivals, Profile};
use crate::run::{Due, Run};
use crate::scenario::{Kind, step};

/// What a user does while there is nothing to do.
const IDLE: Duration = Duration::from_millis(20);
/// Time that goose gets to end its users once they have nothing to do.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Longest that an open profile's users are kept; the conductor ends them long before.
const LONGEST: &str = "400h";

/// Users at work on a run.
pub struct Engine {
    /// What they share.
    pub run: Arc<Run>,
    profile: Profile,
    /// Of an open profile, by scenario.
    schedules: BTreeMap<Kind, Schedule>,
    /// The first turn of the first user.
    start: OnceLock<Instant>,
    /// Requests of an open profile that may be under way.
    room: Arc<Semaphore>,
    /// No new request starts; wakes who waits for a start.
    over: CancellationToken,
}

impl Engine {
    /// An engine that has not started.
    #[must_use]
    pub fn new(run: Arc<Run>, profile: Profile) -> Self {
        let weights: usize = profile.active().map(|(_, weight)| weight).sum();
        let schedule = |rate: f64, kind: Kind, weight: usize| {
            let shape = Shape {
                rate: rate * weight as f64 / weights as f64,
                ramp: profile.ramp,
                hold: profile.hold,
                ramp_down: profile.ramp_down,
            };
            let seed = run.seed.wrapping_add(kind as u64);
            Schedule::new(shape, (profile.arrivals == Arrivals::Poisson).then_some(seed))
        };
        let rate = profile.request_rate();
        let schedules = rate.map(|rate| {
            profile.active().map(|(kind, weight)| (*kind, schedule(rate, *kind, *weight))).collect()
        });
        Self {
            run,
            schedules: schedules.unwrap_or_default(),
            start: OnceLock::new(),
            room: Arc::new(Semaphore::new(profile.max_in_flight)),
            over: CancellationToken::new(),
            profile,
        }
    }

    /// Whether a schedule says when requests start.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.schedules.is_empty()
    }

    /// Requests of the schedules, about; what a closed profile may need at most is not known.
    #[must_use]
    pub fn scheduled(&self) -> Option<f64> {
        self.is_open().then(|| self.schedules.values().map(Schedule::total).sum())
    }

    /// Requests that were due at an offset.
    pub fn due(&self, offset: Duration) -> u64 {
        self.schedules.values().map(|schedule| schedule.due(offset)).sum()
    }

    /// Requests that were due at an offset and that nobody took, by scenario.
    pub fn not_taken(&self, offset: Duration) -> BTreeMap<Kind, u64> {
        let rest = |schedule: &Schedule| schedule.due(offset).saturating_sub(schedule.taken());
        self.schedules.iter().map(|(kind, schedule)| (*kind, rest(schedule))).collect()
    }

    /// When the first user had its first turn.
    #[must_use]
    pub fn started(&self) -> Option<Instant> {
        self.start.get().copied()
    }

    /// No new request starts.
    pub fn end(&self) {
        self.run.is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        self.over.cancel();
    }

    /// Runs goose until the conductor has ended it.
    ///
    /// # Errors
    /// When goose does not start, or does not end.
    pub async fn drive(
        self: &Arc<Self>,
        url: &str,
        ended: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut attack = GooseAttack::initialize_with_config(self.configuration(url)?)
            .context("goose does not start")?;
        for (kind, weight) in self.profile.active() {
            let scenario = Scenario::new(kind.as_str())
                .register_transaction(self.hand(1).set_on_start())
                .register_transaction(self.turns(*kind))
                .register_transaction(self.hand(-1).set_on_stop())
                .set_weight(*weight)
                .context("goose does not take the weight")?;
            attack = attack.register_scenario(scenario);
        }
        let attacked = attack.execute();
        let bounded = async {
            ended.cancelled().await;
            tokio::time::sleep(END_LIMIT).await;
        };
        tokio::select! {
            result = attacked => result.map(drop).context("goose"),
            () = bounded => anyhow::bail!("goose does not end"),
        }
    }

    fn configuration(&self, url: &str) -> anyhow::Result<GooseConfiguration> {
        let users = self.profile.users;
        let seconds = |duration: Duration| format!("{}s", duration.as_secs_f64().ceil());
        let plan = if self.is_open() {
            format!("{users},0s;{users},{LONGEST}")
        } else {
            let (ramp, hold) = (seconds(self.profile.ramp), seconds(self.profile.hold));
            if self.profile.ramp_down.is_zero() {
                format!("{users},{ramp};{users},{LONGEST}")
            } else {
                let down = seconds(self.profile.ramp_down);
                format!("{users},{ramp};{users},{hold};0,{down}")
            }
        };
        // Its own clock, report and remote control are of no use here.
        let arguments = [
            "--host",
            url,
            "--test-plan",
            &plan,
            "--no-telnet",
            "--no-metrics",
            "--no-print-metrics",
            "-qqq",
        ];
        GooseConfiguration::parse_args_default(&arguments).context("goose's configuration")
    }

    /// Counts users as they come and go.
    fn hand(self: &Arc<Self>, change: i64) -> Transaction {
        let engine = Arc::clone(self);
        transaction(move |_, _| {
            let engine = Arc::clone(&engine);
            Box::pin(async move {
                engine.run.recorder.metrics().users.add(change);
                Ok(())
            })
        })
    }

    fn turns(self: &Arc<Self>, kind: Kind) -> Transaction {
        let engine = Arc::clone(self);
        transaction(move |user, iteration| {
            let engine = Arc::clone(&engine);
            Box::pin(async move {
                engine.turn(kind, user, iteration).await;
                Ok(())
            })
        })
    }

    /// One turn of a user.
    async fn turn(&self, kind: Kind, user: u64, iteration: u64) {
        let start = *self.start.get_or_init(Instant::now);
        if self.run.is_over() {
            return tokio::time::sleep(IDLE).await;
        }
        let Some(schedule) = self.schedules.get(&kind) else {
            let numbers = Numbers::of(self.run.seed, (user << 32) | (iteration & 0xffff_ffff));
            step(&self.run, kind, numbers, Due::now()).await;
            if !self.profile.pause.is_zero() {
                let _ = self.over.run_until_cancelled(tokio::time::sleep(self.profile.pause)).await;
            }
            return;
        };
        let Some((index, offset)) = schedule.next() else {
            return tokio::time::sleep(IDLE).await;
        };
        let at = start + offset;
        let room = self.over.run_until_cancelled(async {
            tokio::time::sleep_until(at.into()).await;
            Arc::clone(&self.room).acquire_owned().await
        });
        // The semaphore is never closed; without room the run was over before there was any.
        let Some(Ok(permit)) = room.await else { return };
        let run = Arc::clone(&self.run);
        let numbers = Numbers::of(run.seed, index);
        tokio::spawn(async move {
            step(&run, kind, numbers, Due { at, is_scheduled: true }).await;
            drop(permit);
        });
    }
}

type Turn<'r> = Pin<Box<dyn Future<Output = TransactionResult> + Send + 'r>>;

/// A transaction that knows its user and how often that has been here.
fn transaction(does: impl Fn(u64, u64) -> Turn<'static> + Send + Sync + 'static) -> Transaction {
    fn of<F: for<'r> Fn(&'r mut GooseUser) -> Turn<'r> + Send + Sync + 'static>(does: F) -> Arc<F> {
        Arc::new(does)
    }
    Transaction::new(of(move |user: &mut GooseUser| {
        does(user.weighted_users_index as u64, user.get_iterations() as u64)
    }))
}
