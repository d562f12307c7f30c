//! When a circuit opens and closes: a pure state machine over moments that it is told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use catalog::label::BreakerState;

/// Older calls do not count.
const WINDOW: Duration = Duration::from_secs(10);
/// The last so many calls count, as a multiple of the failure threshold: under load ten seconds
/// hold thousands of good calls, and as many would have to fail before they are half.
const WINDOW_THRESHOLDS: usize = 4;
/// Share of failed and slow calls in the window that opens the circuit.
const BAD_PERCENT: usize = 50;

/// When a circuit opens and closes.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Failed and slow calls in the window before their share counts: a few are no trend.
    pub failure_threshold: u32,
    /// Good probes in a row that close it.
    pub success_threshold: u32,
    /// A call that takes longer is slow.
    pub slow_call: Duration,
    /// Time between opening and the first probe, and between failing probes.
    pub probe_interval: Duration,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Work; made only while the circuit is closed.
    Work,
    /// The cheapest question; also made to find out whether the circuit can close. No caller's
    /// work is risked for that.
    Probe,
}

/// How a call went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Answered in time.
    Good,
    /// Failed.
    Failed,
    /// Takes or took too long.
    Slow,
    /// Blocks all others like it, far beyond its time.
    Hung,
}

/// A circuit: closed, open, or half open.
#[derive(Debug)]
pub struct Circuit {
    policy: Policy,
    phase: Phase,
    /// Goes up with every change of phase: what a call from before says is old news.
    generation: u64,
    /// The last calls, oldest first: when they were judged, and whether they were bad.
    window: VecDeque<(Instant, bool)>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { probe_at: Instant },
    HalfOpen { good: u32, reopen_until: Instant },
}

impl Circuit {
    /// A closed one.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, phase: Phase::Closed, generation: 0, window: VecDeque::new() }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Lets a call pass, under a generation that [`Circuit::record`] wants back.
    ///
    /// # Errors
    /// When it may not be made: the time after which it may.
    pub fn admit(&mut self, kind: Kind, now: Instant) -> Result<u64, Duration> {
        match (self.phase, kind) {
            (Phase::Closed, _) | (Phase::HalfOpen { .. }, Kind::Probe) => Ok(self.generation),
            (Phase::HalfOpen { .. }, Kind::Work) => Err(self.policy.probe_interval),
            (Phase::Open { probe_at }, Kind::Probe) if now >= probe_at => {
                let reopen_until = now + self.policy.probe_interval;
                self.enter(Phase::HalfOpen { good: 0, reopen_until });
                Ok(self.generation)
            }
            (Phase::Open { probe_at }, _) => Err(probe_at.saturating_duration_since(now)),
        }
    }

    /// Takes in how a call went or goes. Gives the state when it changed.
    pub fn record(
        &mut self,
        generation: u64,
        verdict: Verdict,
        now: Instant,
    ) -> Option<BreakerState> {
        if generation != self.generation {
            return None;
        }
        match self.phase {
            Phase::Closed => {
                let is_bad = verdict != Verdict::Good;
                self.count(is_bad, now);
                // Good news open nothing, even when older good news have just passed away.
                if !is_bad || (verdict != Verdict::Hung && !self.is_failing()) {
                    return None;
                }
                self.enter(Phase::Open { probe_at: now + self.policy.probe_interval });
            }
            Phase::HalfOpen { good, reopen_until } if verdict == Verdict::Good => {
                let good = good + 1;
                if good < self.policy.success_threshold {
                    self.phase = Phase::HalfOpen { good, reopen_until };
                    return None;
                }
                self.enter(Phase::Closed);
            }
            // A probe that hung has used the time until the next one.
            Phase::HalfOpen { reopen_until, .. } => {
                self.enter(Phase::Open { probe_at: reopen_until.max(now) });
            }
            Phase::Open { .. } => return None,
        }
        Some(self.state())
    }

    /// Time until the next probe; `None` while closed.
    #[must_use]
    pub fn next_probe(&self, now: Instant) -> Option<Duration> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open { probe_at } => Some(probe_at.saturating_duration_since(now)),
            Phase::HalfOpen { .. } => Some(Duration::ZERO),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
        self.window.clear();
    }

    fn count(&mut self, bad: bool, now: Instant) {
        self.window.push_back((now, bad));
        let most = WINDOW_THRESHOLDS * self.policy.failure_threshold as usize;
        let is_old = |at: Instant| now.saturating_duration_since(at) >= WINDOW;
        while self.window.len() > most || self.window.front().is_some_and(|(at, _)| is_old(*at)) {
            self.window.pop_front();
        }
    }

    /// The rule; and a row of nothing but bad calls, because a dependency that hangs ends no call
    /// and would be half of the last ones late.
    fn is_failing(&self) -> bool {
        let threshold = self.policy.failure_threshold as usize;
        let bad = self.window.iter().filter(|(_, bad)| *bad).count();
        let row = self.window.iter().rev().take_while(|(_, bad)| *bad).count();
        row >= threshold || (bad >= threshold && bad * 100 >= self.window.len() * BAD_PERCENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        failure_threshold: 5,
        success_threshold: 2,
        slow_call: Duration::from_secs(2),
        probe_interval: Duration::from_secs(2),
    };

    /// A circuit and a clock that the test moves.
    struct Bench {
        circuit: Circuit,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            Self { circuit: Circuit::new(POLICY), now }
        }

        fn wait(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
        }

        /// Makes a call that goes this way; nothing when it is not admitted.
        fn call(&mut self, kind: Kind, verdict: Verdict) -> Option<BreakerState> {
            let generation = self.circuit.admit(kind, self.now).ok()?;
            self.circuit.record(generation, verdict, self.now);
            Some(self.circuit.state())
        }

        fn calls(&mut self, verdicts: &[Verdict]) -> BreakerState {
            for verdict in verdicts {
                self.call(Kind::Work, *verdict);
            }
            self.circuit.state()
        }

        fn rejects(&mut self, kind: Kind) -> Option<u128> {
            self.circuit.admit(kind, self.now).err().map(|wait| wait.as_millis())
        }
    }

    use BreakerState::{Closed, HalfOpen, Open};
    use Verdict::{Failed, Good, Hung, Slow};

    #[test]
    fn it_opens_when_enough_calls_and_half_of_them_are_bad() {
        let cases: [(&[Verdict], BreakerState); 8] = [
            (&[Failed; 4], Closed),
            (&[Failed; 5], Open),
            (&[Slow; 5], Open),
            (&[Failed, Slow, Failed, Slow, Failed], Open),
            (&[Good, Good, Good, Good, Good, Failed, Failed, Failed, Failed, Failed], Open),
            (&[Good, Good, Good, Good, Good, Slow, Slow, Slow, Slow, Good, Slow], Closed),
            (&[Good; 100], Closed),
            (&[Hung], Open),
        ];
        for (calls, expect) in cases {
            assert_eq!(Bench::new().calls(calls), expect, "{calls:?}");
        }
    }

    #[test]
    fn bad_calls_count_for_ten_seconds() {
        let mut bench = Bench::new();
        bench.calls(&[Failed; 4]);
        bench.wait(9_000);
        assert_eq!(bench.calls(&[Failed]), Open, "the first four are nine seconds old");
        let mut bench = Bench::new();
        bench.calls(&[Failed; 4]);
        bench.wait(10_000);
        assert_eq!(bench.calls(&[Failed]), Closed, "they are ten seconds old");
    }

    #[test]
    fn the_good_calls_of_a_busy_time_do_not_hide_the_bad_ones() {
        let mut bench = Bench::new();
        assert_eq!(bench.calls(&[Good; 10_000]), Closed);
        assert_eq!(bench.circuit.window.len(), 20, "it is bounded");
        assert_eq!(bench.calls(&[Failed, Failed, Failed, Failed, Good].repeat(2)), Closed);
        assert_eq!(bench.calls(&[Failed]), Closed);
        assert_eq!(bench.calls(&[Failed]), Open, "half of the last twenty");
        let mut bench = Bench::new();
        bench.calls(&[Good; 10_000]);
        assert_eq!(bench.calls(&[Slow; 4]), Closed);
        assert_eq!(bench.calls(&[Slow]), Open, "five in a row");
    }

    #[test]
    fn a_good_call_does_not_open_it() {
        let mut bench = Bench::new();
        bench.calls(&[Good; 6]);
        bench.wait(5_000);
        bench.calls(&[Failed, Failed, Good, Failed, Failed, Failed]);
        assert_eq!(bench.circuit.state(), Closed);
        bench.wait(6_000);
        assert_eq!(bench.calls(&[Good]), Closed, "five of seven now, but it answers");
    }

    #[test]
    fn an_open_circuit_rejects_all_and_says_for_how_long() {
        let mut bench = Bench::new();
        bench.calls(&[Failed; 5]);
        assert_eq!(bench.rejects(Kind::Work), Some(2_000));
        assert_eq!(bench.rejects(Kind::Probe), Some(2_000));
        bench.wait(1_500);
        assert_eq!(bench.rejects(Kind::Work), Some(500));
        bench.wait(500);
        assert_eq!(bench.rejects(Kind::Work), Some(0), "work never finds out");
        assert_eq!(bench.call(Kind::Probe, Good), Some(HalfOpen));
        assert_eq!(bench.rejects(Kind::Work), Some(2_000));
    }

    #[test]
    fn good_probes_in_a_row_close_it_and_the_past_is_forgotten() {
        let mut bench = Bench::new();
        bench.calls(&[Failed; 5]);
        bench.wait(2_000);
        assert_eq!(bench.call(Kind::Probe, Good), Some(HalfOpen));
        assert_eq!(bench.call(Kind::Probe, Good), Some(Closed));
        assert_eq!(bench.calls(&[Failed; 4]), Closed, "the old failures do not count");
        assert_eq!(bench.calls(&[Failed]), Open);
    }

    #[test]
    fn probes_come_every_two_seconds_however_long_it_lasts() {
        let mut bench = Bench::new();
        bench.calls(&[Failed; 5]);
        for round in 0..100 {
            assert_eq!(bench.circuit.next_probe(bench.now), Some(POLICY.probe_interval));
            bench.wait(2_000);
            let first = if round % 2 == 0 { Failed } else { Good };
            bench.call(Kind::Probe, first);
            bench.call(Kind::Probe, Slow);
            assert_eq!(bench.circuit.state(), Open, "one bad probe opens it again");
        }
        // A probe that took its two seconds is followed by the next at once.
        bench.wait(2_000);
        let generation = bench.circuit.admit(Kind::Probe, bench.now).unwrap();
        bench.wait(2_000);
        assert_eq!(bench.circuit.record(generation, Slow, bench.now), Some(Open));
        assert_eq!(bench.circuit.next_probe(bench.now), Some(Duration::ZERO));
    }

    #[test]
    fn what_a_call_from_before_a_change_says_is_old_news() {
        let mut bench = Bench::new();
        let early: Vec<u64> =
            (0..9).map(|_| bench.circuit.admit(Kind::Work, bench.now).unwrap()).collect();
        bench.calls(&[Failed; 5]);
        assert_eq!(bench.circuit.record(early[0], Good, bench.now), None);
        bench.wait(2_000);
        bench.call(Kind::Probe, Good);
        assert_eq!(bench.circuit.record(early[1], Failed, bench.now), None);
        assert_eq!(bench.call(Kind::Probe, Good), Some(Closed));
        for generation in &early[2..] {
            assert_eq!(bench.circuit.record(*generation, Hung, bench.now), None);
        }
        assert_eq!((bench.circuit.state(), bench.circuit.next_probe(bench.now)), (Closed, None));
    }
}
