//! Our clock against the sequencer's and the database's.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use catalog::label::{Check, ClockSource};
use serde_json::Value;
use ves::Timestamp;

use super::probe::{Outcome, Probe};
use crate::app::Core;
use crate::clock::unix_seconds;
use crate::store::StoreLook;

/// More than this and times of two machines cannot be compared by eye.
const WARN_SECONDS: f64 = 1.0;
/// More than this and windows of keys and credentials are wrong.
const FAIL_SECONDS: f64 = 10.0;

pub(super) struct Clock {
    pub(super) core: Arc<Core>,
    pub(super) look: Arc<StoreLook>,
}

#[async_trait]
impl Probe for Clock {
    fn check(&self) -> Check {
        Check::Clock
    }

    async fn look(&self) -> Outcome {
        let shown = &self.core.metrics.checks.clock_skew;
        let databases = self.databases_skew();
        match databases {
            Some(skew) => shown.set(ClockSource::Database.as_str(), skew),
            None => shown.clear(ClockSource::Database.as_str()),
        }
        let database = databases.map(|skew| judge("the database's", skew));
        let sequencers = match self.sequencers_skew().await {
            Ok(skew) => {
                shown.set(ClockSource::Sequencer.as_str(), skew);
                judge("the sequencer's", skew)
            }
            Err(reason) => {
                shown.clear(ClockSource::Sequencer.as_str());
                Outcome::unknown(reason)
            }
        };
        match database {
            Some(database) if database.status >= sequencers.status => database,
            _ => sequencers,
        }
    }
}

impl Clock {
    /// How far the database's clock is ahead of ours, seconds, as the last look at it found.
    fn databases_skew(&self) -> Option<f64> {
        let clock = self.look.view().clock?;
        Some(beyond(clock.skew_seconds, clock.uncertainty_seconds))
    }

    /// How far the sequencer's clock is ahead of ours, seconds.
    async fn sequencers_skew(&self) -> Result<f64, String> {
        let limit = self.core.config.check_timeout_secs.duration();
        let (asked, asking) = (unix_seconds(), Instant::now());
        let answer: Result<Value, _> = self.core.sequencer.get("/health", limit).await;
        let round_trip = asking.elapsed().as_secs_f64();
        let answer = answer.map_err(|error| format!("the sequencer cannot be asked: {error}"))?;
        let theirs = answer["timestamp"].as_str().and_then(Timestamp::parse);
        let theirs = theirs.ok_or("the sequencer's /health names no time")?;
        Ok(skew(theirs.as_micros() as f64 / 1e6, asked, round_trip))
    }
}

/// How far another clock is ahead of ours at least: it was read between `asked` and `asked` plus
/// the round trip, so half of that is not known. Seconds.
fn skew(theirs: f64, asked: f64, round_trip: f64) -> f64 {
    beyond(theirs - (asked + round_trip / 2.0), round_trip / 2.0)
}

/// The part of a distance that its uncertainty does not explain.
fn beyond(apart: f64, uncertainty: f64) -> f64 {
    apart.signum() * (apart.abs() - uncertainty).max(0.0)
}

fn judge(whose: &str, skew: f64) -> Outcome {
    let size = skew.abs();
    let way = if skew < 0.0 { "behind" } else { "ahead of" };
    let apart = format!("{whose} clock is {size:.1} s {way} the sidecar's");
    match size {
        size if size > FAIL_SECONDS => {
            Outcome::fail(format!("{apart}, more than {FAIL_SECONDS} s"))
        }
        size if size > WARN_SECONDS => {
            Outcome::warn(format!("{apart}, more than {WARN_SECONDS} s"))
        }
        _ => Outcome::ok(format!("{whose} clock and the sidecar's are {size:.3} s apart")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    #[test]
    fn what_the_round_trip_may_explain_is_no_skew() {
        assert_eq!(skew(100.0, 100.0, 1.0), 0.0);
        assert_eq!(skew(101.0, 100.0, 1.0), 0.0);
        assert_eq!(skew(103.0, 100.0, 1.0), 2.0);
        assert_eq!(skew(90.0, 100.0, 1.0), -10.0);
    }

    #[test]
    fn more_than_a_second_is_said_and_more_than_ten_is_bad() {
        for (skew, expect, word) in [
            (0.4, Status::Ok, "0.400 s apart"),
            (-1.5, Status::Warn, "1.5 s behind"),
            (10.0, Status::Warn, "ahead of"),
            (86_400.0, Status::Fail, "86400.0 s ahead of"),
        ] {
            let outcome = judge("the sequencer's", skew);
            assert_eq!(outcome.status, expect, "{skew}");
            assert!(outcome.reason.contains(word), "{}", outcome.reason);
        }
    }
}
