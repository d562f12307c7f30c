//! The conductor: starts the clock, puts every second away, says which stage it is, and ends the
//! run: at its time, by a threshold, when nobody answers, or because somebody asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::label::{LoadError, LoadStage};

use super::Engine;
use crate::caller::REQUEST_TIMEOUT;
use crate::process;
use crate::profile::Profile;
use crate::record::{Stage, Verdict};
use crate::recorder::story::{Story, Tick};
use crate::threshold::{Threshold, judge};
use crate::view::View;

/// How often it looks around within a second.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Time that goose gets to start its first user.
const START_LIMIT: Duration = Duration::from_secs(15);
/// Time without a good answer after which nobody is there.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// Time for answers under way once a run was ended early.
const SHORT_DRAIN: Duration = Duration::from_secs(3);

/// Why a run ended before its time.
#[derive(Clone, Debug)]
pub struct Stop {
    /// What that makes of it.
    pub verdict: Verdict,
    /// In words.
    pub reason: String,
    /// The threshold that ended it.
    pub threshold: Option<(String, f64)>,
}

/// What the conductor has seen.
pub struct Seen {
    /// Second by second.
    pub story: Story,
    /// Parts of the run.
    pub stages: Vec<Stage>,
    /// Why it ended early.
    pub stop: Option<Stop>,
    /// Length of the load.
    pub load: Duration,
}

/// Leads one run.
pub struct Conductor<'a> {
    engine: &'a Arc<Engine>,
    profile: &'a Profile,
    thresholds: &'a [Threshold],
    view: View,
    seen: Seen,
    /// Requests due at the end of the last second.
    due: u64,
    cpu: Duration,
    /// Good answers at the last look, and when there was a new one.
    last_good: (u64, Instant),
    /// Failed attempts when there last was a good answer.
    bad_then: u64,
}

impl<'a> Conductor<'a> {
    /// One that has not begun.
    #[must_use]
    pub fn new(
        engine: &'a Arc<Engine>,
        profile: &'a Profile,
        thresholds: &'a [Threshold],
        view: View,
    ) -> Self {
        let stages = Vec::new();
        let seen = Seen { story: Story::default(), stages, stop: None, load: Duration::ZERO };
        let (cpu, last_good) = (process::cpu_time(), (0, Instant::now()));
        Self { engine, profile, thresholds, view, seen, due: 0, cpu, last_good, bad_then: 0 }
    }

    /// Leads the run to its end. `interrupted` says whether somebody asked for it.
    ///
    /// # Errors
    /// When no user ever had a turn.
    pub async fn lead(mut self, interrupted: impl Fn() -> bool) -> anyhow::Result<Seen> {
        let Some(start) = self.wait_for_start().await else {
            self.engine.end();
            anyhow::bail!("goose started no user within {} s", START_LIMIT.as_secs());
        };
        self.last_good.1 = start;
        self.cpu = process::cpu_time();
        let length = self.profile.length();
        let mut second = start;
        while self.seen.stop.is_none() && start.elapsed() < length {
            let next = (second + Duration::from_secs(1)).min(start + length);
            self.enter(stage_at(self.profile, start.elapsed()));
            tokio::time::sleep_until((Instant::now() + LOOK_EVERY).min(next).into()).await;
            if interrupted() {
                self.stop(Verdict::Interrupted, "somebody ended the run".to_owned());
            }
            self.listen();
            if Instant::now() >= next || self.seen.stop.is_some() {
                self.put_away(start, second);
                second = Instant::now().min(next);
                self.judge();
                self.view.show(&self.seen.story, self.engine, length);
            }
        }
        self.seen.load = start.elapsed().min(length);
        self.drain(start, second, &interrupted).await;
        self.seen.stages = stages(self.profile, self.seen.load.as_secs_f64());
        Ok(self.seen)
    }

    async fn wait_for_start(&self) -> Option<Instant> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Some(start) = self.engine.started() {
                return Some(start);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        None
    }

    fn enter(&self, stage: LoadStage) {
        if self.engine.run.recorder.stage() != stage {
            self.engine.run.recorder.enter(stage);
        }
    }

    fn stop(&mut self, verdict: Verdict, reason: String) {
        if self.seen.stop.is_none() {
            self.seen.stop = Some(Stop { verdict, reason, threshold: None });
        }
    }

    /// Is anybody there?
    fn listen(&mut self) {
        let run = &self.engine.run;
        let (good, bad) = run.recorder.good_and_bad();
        if good > self.last_good.0 {
            self.last_good = (good, Instant::now());
            self.bad_then = bad;
            return;
        }
        let waits = run.in_flight.load(std::sync::atomic::Ordering::Relaxed) > 0;
        let silence = self.last_good.1.elapsed();
        if silence < SILENCE_LIMIT || (!waits && bad == self.bad_then) {
            return;
        }
        let example = LoadError::ALL
            .iter()
            .map(|class| (class, run.recorder.example_of(*class)))
            .find(|(_, example)| !example.is_empty())
            .map_or_else(
                || "no answer at all".to_owned(),
                |(class, example)| format!("{}: {example}", class.as_str()),
            );
        let seconds = silence.as_secs();
        self.stop(
            Verdict::Invalid,
            format!("the target gave no good answer for {seconds} s ({example})"),
        );
    }

    /// A second is over.
    fn put_away(&mut self, start: Instant, second: Instant) {
        let now = Instant::now();
        let due = self.engine.due(now.saturating_duration_since(start).min(self.profile.length()));
        let cpu = process::cpu_time();
        let seconds = now.saturating_duration_since(second).as_secs_f64();
        let used = cpu.saturating_sub(self.cpu).as_secs_f64();
        let cores = process::cores() as f64;
        let recorder = &self.engine.run.recorder;
        let stage = recorder.stage();
        let tick = Tick {
            stage,
            seconds,
            due: due.saturating_sub(self.due),
            users: u64::try_from(recorder.metrics().users.get()).unwrap_or(0),
            cpu_ratio: if seconds > 0.0 { (used / seconds / cores).min(1.0) } else { 0.0 },
        };
        (self.due, self.cpu) = (due, cpu);
        self.seen.story.add(recorder.take(), &tick);
        let offered = self.seen.story.seconds.last().map_or(0, |past| past.offered);
        recorder.metrics().stage(stage).requests_offered.inc_by(offered);
    }

    /// Does a threshold end the run?
    fn judge(&mut self) {
        for threshold in self.thresholds {
            let Some(value) = judge::fails_now(threshold, &self.seen.story) else { continue };
            let (expression, measured) = (&threshold.expression, threshold.metric.show(value));
            let at = self.seen.story.load_seconds();
            if self.seen.stop.is_none() {
                self.seen.stop = Some(Stop {
                    verdict: Verdict::ThresholdsFailed,
                    reason: format!("`{expression}` ended the run: {measured}"),
                    threshold: Some((expression.clone(), at)),
                });
            }
        }
    }

    /// Waits for the answers under way, then for nobody.
    async fn drain(&mut self, start: Instant, second: Instant, interrupted: &impl Fn() -> bool) {
        self.engine.end();
        // What was written in the last moments of the load belongs to it.
        if second.elapsed() > Duration::from_millis(1) {
            self.put_away(start, second);
        }
        self.enter(LoadStage::Drain);
        let run = &self.engine.run;
        let limit = if self.seen.stop.is_some() { SHORT_DRAIN } else { REQUEST_TIMEOUT };
        let began = Instant::now();
        let under_way = || run.in_flight.load(std::sync::atomic::Ordering::Relaxed);
        let is_asked = self.seen.stop.is_some();
        while under_way() > 0 && began.elapsed() < limit && (is_asked || !interrupted()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run.hard_stop.cancel();
        let deadline = Instant::now() + Duration::from_secs(1);
        while under_way() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.put_away(start, began);
        if interrupted() {
            self.stop(Verdict::Interrupted, "somebody ended the wait for answers".to_owned());
        }
    }
}

/// The stage at an offset.
fn stage_at(profile: &Profile, offset: Duration) -> LoadStage {
    if offset < profile.ramp {
        LoadStage::Ramp
    } else if offset < profile.ramp + profile.hold {
        LoadStage::Hold
    } else {
        LoadStage::RampDown
    }
}

/// The parts of a run that was so long.
fn stages(profile: &Profile, load: f64) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut start = 0.0;
    for (stage, length, is_full) in [
        (LoadStage::Ramp, profile.ramp, true),
        (LoadStage::Hold, profile.hold, true),
        (LoadStage::RampDown, profile.ramp_down, false),
    ] {
        let end = (start + length.as_secs_f64()).min(load);
        if end > start {
            stages.push(Stage {
                name: stage.as_str().to_owned(),
                start_seconds: start,
                end_seconds: end,
                users: if is_full || profile.rate.is_some() { profile.users as u64 } else { 0 },
                rate_per_second: profile.rate.map(|rate| if is_full { rate } else { 0.0 }),
            });
        }
        start = end;
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_end_where_the_run_did() {
        let mut profile = Profile::find("soak").unwrap();
        profile.ramp = Duration::from_secs(10);
        profile.hold = Duration::from_secs(20);
        profile.ramp_down = Duration::from_secs(5);
        let names = |load: f64| -> Vec<(String, f64)> {
            stages(&profile, load).into_iter().map(|s| (s.name, s.end_seconds)).collect()
        };
        let named = |name: &str, end: f64| (name.to_owned(), end);
        let all = vec![named("ramp", 10.0), named("hold", 30.0), named("ramp_down", 35.0)];
        assert_eq!(names(35.0), all);
        assert_eq!(names(12.5), vec![named("ramp", 10.0), named("hold", 12.5)]);
        for (offset, expect) in
            [(0, LoadStage::Ramp), (10, LoadStage::Hold), (31, LoadStage::RampDown)]
        {
            assert_eq!(stage_at(&profile, Duration::from_secs(offset)), expect);
        }
    }
}
