//! When a circuit opens and closes: a pure state machine over moments that it is told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use catalog::label::BreakerState;

/// Calls of the last so many seconds are counted.
const WINDOW_SECONDS: u64 = 10;
/// Share of failed and slow calls in the window that opens the circuit.
const BAD_PERCENT: u64 = 50;

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
    created: Instant,
    /// Calls by second since `created`, oldest first, at most [`WINDOW_SECONDS`] of them.
    window: VecDeque<Second>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    Open { probe_at: Instant },
    HalfOpen { good: u32, reopen_until: Instant },
}

#[derive(Clone, Copy, Debug)]
struct Second {
    number: u64,
    calls: u64,
    bad: u64,
}

impl Circuit {
    /// A closed one.
    #[must_use]
    pub fn new(policy: Policy, now: Instant) -> Self {
        let (phase, window) = (Phase::Closed, VecDeque::new());
        Self { policy, phase, generation: 0, created: now, window }
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
                self.count(verdict != Verdict::Good, now);
                if verdict != Verdict::Hung && !self.is_bad() {
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
        let number = now.saturating_duration_since(self.created).as_secs();
        while self.window.front().is_some_and(|second| second.number + WINDOW_SECONDS <= number) {
            self.window.pop_front();
        }
        if self.window.back().is_none_or(|second| second.number < number) {
            self.window.push_back(Second { number, calls: 0, bad: 0 });
        }
        if let Some(second) = self.window.back_mut() {
            second.calls += 1;
            second.bad += u64::from(bad);
        }
    }

    fn is_bad(&self) -> bool {
        let (calls, bad) = self
            .window
            .iter()
            .fold((0, 0), |(calls, bad), second| (calls + second.calls, bad + second.bad));
        bad >= u64::from(self.policy.failure_threshold) && bad * 100 >= calls * BAD_PERCENT
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
            Self { circuit: Circuit::new(POLICY, now), now }
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
            (&[Good, Good, Good, Good, Good, Good, Slow, Slow, Slow, Slow, Slow], Closed),
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
        assert!(bench.circuit.window.len() <= 10);
        for _ in 0..100 {
            bench.wait(700);
            bench.calls(&[Good]);
        }
        assert!(bench.circuit.window.len() <= 10, "the window is bounded");
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
