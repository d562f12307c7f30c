//! What is shown of a check: two bad looks in a row make it worse, one good look makes it better.

use std::time::{Duration, Instant};

use catalog::label::Check;
use serde::Serialize;
use ves::Timestamp;

use super::probe::{Outcome, Status};

/// A status that a check came into, or a further step of the same.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// When it began.
    pub since: Timestamp,
    /// Which check.
    pub check: &'static str,
    /// Before.
    pub from: Status,
    /// From then on.
    pub to: Status,
    /// Why.
    pub reason: String,
}

/// One check's results.
pub(super) struct State {
    pub(super) check: Check,
    /// What is shown.
    pub(super) shown: Outcome,
    /// When the shown status began.
    pub(super) since: Timestamp,
    /// The last look.
    pub(super) last: Option<Look>,
    /// When a look was last good.
    pub(super) last_success: Option<Timestamp>,
}

/// One look and when it was.
pub(super) struct Look {
    pub(super) at: Timestamp,
    pub(super) ended: Instant,
    pub(super) duration: Duration,
    outcome: Outcome,
}

impl State {
    pub(super) fn new(check: Check, now: Timestamp) -> Self {
        let shown = Outcome::unknown("not looked at yet");
        Self { check, shown, since: now, last: None, last_success: None }
    }

    /// Takes the result of a look that began then; gives the change of what is shown, if any.
    pub(super) fn take(
        &mut self,
        outcome: Outcome,
        at: Timestamp,
        duration: Duration,
    ) -> Option<Change> {
        if outcome.status == Status::Ok {
            self.last_success = Some(at);
        }
        let last = self.last.replace(Look {
            at,
            ended: Instant::now(),
            duration,
            outcome: outcome.clone(),
        });
        let (shown, since) = match last {
            _ if outcome.status <= self.shown.status => (outcome, at),
            // The milder of the two looks, as long as it is worse than what was shown.
            Some(last) if last.outcome.status > self.shown.status => {
                let milder = last.outcome.status < outcome.status;
                (if milder { last.outcome } else { outcome }, last.at)
            }
            _ => return None,
        };
        let before = std::mem::replace(&mut self.shown, shown);
        let from = before.status;
        if from == self.shown.status {
            // Another step of the same status, as a disk that goes on filling.
            let same_step = before.alert == self.shown.alert;
            return (!same_step).then(|| self.change(since, from));
        }
        self.since = since;
        Some(self.change(since, from))
    }

    fn change(&self, since: Timestamp, from: Status) -> Change {
        let (check, reason) = (self.check.as_str(), self.shown.reason.clone());
        Change { since, check, from, to: self.shown.status, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Fail, Ok, Unknown, Warn};

    #[test]
    fn two_bad_looks_make_it_worse_and_one_good_look_better() {
        for (looks, expect) in [
            (&[Ok][..], Ok),
            (&[Fail], Unknown),
            (&[Fail, Fail], Fail),
            (&[Ok, Fail], Ok),
            (&[Ok, Fail, Ok, Fail], Ok),
            (&[Ok, Fail, Fail], Fail),
            (&[Ok, Warn, Fail], Warn),
            (&[Ok, Fail, Warn], Warn),
            (&[Ok, Warn, Fail, Fail], Fail),
            (&[Ok, Fail, Fail, Ok], Ok),
            (&[Ok, Fail, Fail, Warn], Warn),
            (&[Ok, Fail, Fail, Unknown], Unknown),
            (&[Ok, Unknown], Ok),
            (&[Ok, Unknown, Unknown], Unknown),
            (&[Ok, Unknown, Fail], Unknown),
        ] {
            let mut state = State::new(Check::Disk, Timestamp::from_micros(0));
            for (number, status) in (1..).zip(looks) {
                let outcome = Outcome::new(*status, format!("{number}"));
                state.take(outcome, Timestamp::from_micros(number), Duration::ZERO);
            }
            assert_eq!(state.shown.status, expect, "{looks:?}");
        }
    }

    #[test]
    fn a_further_step_of_a_status_is_a_change_that_began_with_the_status() {
        let mut state = State::new(Check::Disk, Timestamp::from_micros(0));
        let mut take = |at, alert| {
            let outcome = Outcome::warn("fills").alert(alert);
            let change = state.take(outcome, Timestamp::from_micros(at), Duration::ZERO);
            change.map(|change| (change.since.as_micros(), change.from))
        };
        assert_eq!(take(1, "SequencerDiskFilling"), None);
        assert_eq!(take(2, "SequencerDiskFilling"), Some((1, Unknown)));
        assert_eq!(take(3, "SequencerDiskFilling"), None);
        assert_eq!(take(4, "SequencerDiskAlmostFull"), Some((4, Warn)));
        assert_eq!(state.since.as_micros(), 1);
    }

    #[test]
    fn a_status_begins_with_the_first_look_that_had_it_and_its_reason_is_current() {
        let mut state = State::new(Check::Disk, Timestamp::from_micros(0));
        let mut take =
            |at, outcome| state.take(outcome, Timestamp::from_micros(at), Duration::ZERO);
        assert_eq!(take(1, Outcome::ok("fine")).map(|change| change.to), Some(Ok));
        assert!(take(2, Outcome::fail("one")).is_none());
        let change = take(3, Outcome::fail("two")).unwrap();
        assert_eq!((change.since.as_micros(), change.from, change.to), (2, Ok, Fail));
        assert_eq!(change.reason, "two");
        assert!(take(4, Outcome::fail("three")).is_none());
        assert_eq!((state.shown.reason.as_str(), state.since.as_micros()), ("three", 2));
        assert_eq!(state.last_success.map(Timestamp::as_micros), Some(1));
    }
}
