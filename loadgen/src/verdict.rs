//! From what was seen to a record with a verdict.
//!
//! Bad configuration comes before interrupted, that before invalid, that before thresholds: the
//! first says most about what to do next.

use catalog::label::LoadError;

use crate::caller::meaning;
use crate::engine::conductor::Stop;
use crate::process;
use crate::record::{
    Curves, ErrorCount, Generator, LedgerSummary, RouteTotals, ScenarioTotals, ThresholdVerdict,
    Totals, Verdict,
};
use crate::recorder::cell::{Cell, Counts};
use crate::recorder::histogram;
use crate::recorder::story::Story;
use crate::route::{Op, Route};
use crate::scenario::Kind;

/// Share of the schedule that must have been sent.
const OFFERED_AT_LEAST: f64 = 0.99;
/// The generator's own delay that a valid run stays below, 99th percentile.
const LATE_AT_MOST_US: u64 = 100_000;
/// Share of all cores above which a closed run measures its generator.
const CPU_AT_MOST: f64 = 0.9;

/// What a verdict is made from.
pub struct Evidence<'a> {
    /// Second by second.
    pub story: &'a Story,
    /// Requests of a schedule that were never sent, by scenario; none in a closed profile.
    pub unsent: Option<&'a std::collections::BTreeMap<Kind, u64>>,
    /// Events in one request of the ingest scenario.
    pub batch: u64,
    /// What ended it early.
    pub stop: Option<&'a Stop>,
    /// What was judged.
    pub thresholds: &'a [crate::record::Threshold],
    /// What became of the acknowledged events, where it was looked at.
    pub ledger: Option<&'a LedgerSummary>,
    /// Why the log could not be read back.
    pub unread: Option<&'a str>,
}

impl Evidence<'_> {
    /// The verdict and its reasons.
    #[must_use]
    pub fn verdict(&self) -> (Verdict, Vec<String>) {
        let stopped = |verdict| {
            let stop = self.stop.filter(|stop| stop.verdict == verdict)?;
            Some(stop.reason.clone())
        };
        for verdict in [Verdict::BadConfiguration, Verdict::Interrupted] {
            if let Some(reason) = stopped(verdict) {
                return (verdict, vec![reason]);
            }
        }
        let mut invalid: Vec<String> = stopped(Verdict::Invalid).into_iter().collect();
        invalid.extend(self.why_invalid());
        if !invalid.is_empty() {
            return (Verdict::Invalid, invalid);
        }
        let mut failed: Vec<String> = stopped(Verdict::ThresholdsFailed).into_iter().collect();
        failed.extend(self.thresholds.iter().filter_map(complaint));
        if let Some(ledger) = self.ledger.filter(|ledger| !ledger.is_sound) {
            let first = ledger.problems.first().cloned().unwrap_or_default();
            let (good, all) = (ledger.verified, ledger.acknowledged);
            failed.push(format!("the ledger does not verify: {good} of {all} events; {first}"));
        }
        if failed.is_empty() {
            (Verdict::Pass, failed)
        } else {
            (Verdict::ThresholdsFailed, failed)
        }
    }

    fn why_invalid(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let counts = self.sum().counts;
        if counts.answered == 0 {
            reasons.push("no request was answered".to_owned());
        }
        if let Some(ratio) = self.offered_ratio().filter(|ratio| *ratio < OFFERED_AT_LEAST) {
            let (sent, due) = (counts.scheduled, counts.scheduled + self.unsent_requests());
            reasons.push(format!(
                "the load was not offered: {sent} of {due} scheduled requests were sent ({:.1} %)",
                ratio * 100.0
            ));
        }
        let late = self.story.lateness().p99_us;
        if late > LATE_AT_MOST_US {
            let milliseconds = late / 1000;
            reasons.push(format!(
                "the generator was late: 1 % of the requests left more than {milliseconds} ms \
                 after their time"
            ));
        }
        let cpu = self.story.cpu_ratio();
        if self.unsent.is_none() && cpu > CPU_AT_MOST {
            let percent = cpu * 100.0;
            reasons.push(format!("the generator used {percent:.0} % of its cores"));
        }
        if let Some(why) = self.unread {
            reasons.push(format!("whether acknowledged events are there is not known: {why}"));
        }
        reasons
    }

    fn sum(&self) -> Cell {
        self.story.sum(|_| true)
    }

    fn unsent_requests(&self) -> u64 {
        self.unsent.map_or(0, |unsent| unsent.values().sum())
    }

    /// Requests sent of those that the schedule wanted.
    #[must_use]
    pub fn offered_ratio(&self) -> Option<f64> {
        let scheduled = self.sum().counts.scheduled;
        let due = scheduled + self.unsent_requests();
        self.unsent?;
        Some(if due == 0 { 1.0 } else { scheduled as f64 / due as f64 })
    }

    /// Requests and events of some operations that were to be sent and were not.
    fn unsent(&self, wanted: impl Fn(Op) -> bool) -> (u64, u64) {
        let mut unsent = (0, 0);
        for (kind, requests) in self.unsent.into_iter().flatten() {
            if wanted(Op { scenario: *kind, route: kind.first_route() }) {
                let events = if *kind == Kind::Ingest { self.batch } else { 0 };
                unsent = (unsent.0 + requests, unsent.1 + requests * events);
            }
        }
        unsent
    }

    fn part(&self, wanted: impl Fn(Op) -> bool + Copy) -> (Cell, Totals) {
        let sum = self.story.sum(wanted);
        let totals = sum.counts.to_totals(self.story.load_seconds(), self.unsent(wanted));
        (sum, totals)
    }

    /// Sums over the run.
    #[must_use]
    pub fn totals(&self) -> (Cell, Totals) {
        self.part(|_| true)
    }

    /// By scenario.
    #[must_use]
    pub fn scenarios(&self) -> Vec<ScenarioTotals> {
        let scenario = |kind: &Kind| {
            let (sum, totals) = self.part(|op| op.scenario == *kind);
            let (name, latency) = (kind.as_str().to_owned(), sum.latency());
            ScenarioTotals { name, totals, latency }
        };
        let all = Kind::ALL.iter().map(scenario);
        all.filter(|part| part.totals.offered_requests > 0).collect()
    }

    /// By route of a scenario.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteTotals> {
        let mut routes = Vec::new();
        for scenario in Kind::ALL {
            for route in Route::ALL {
                let op = Op { scenario: *scenario, route: *route };
                let (sum, totals) = self.part(|other| other == op);
                if totals.offered_requests > 0 {
                    let (route, latency) = (route.as_str().to_owned(), sum.latency());
                    let scenario = scenario.as_str().to_owned();
                    routes.push(RouteTotals { scenario, route, totals, latency });
                }
            }
        }
        routes
    }

    /// How the generator did.
    #[must_use]
    pub fn generator(&self) -> Generator {
        Generator {
            offered_ratio: self.offered_ratio(),
            lateness: self.story.lateness(),
            cpu_ratio: self.story.cpu_ratio(),
            cores: process::cores(),
            max_resident_bytes: process::max_resident_bytes(),
        }
    }
}

/// Both distributions as curves.
#[must_use]
pub fn curves(sum: &Cell) -> Curves {
    Curves { service: histogram::curve(&sum.service), response: histogram::curve(&sum.response) }
}

/// Error classes that were met, the most frequent first.
#[must_use]
pub fn errors(counts: &Counts, example: impl Fn(LoadError) -> String) -> Vec<ErrorCount> {
    let all = LoadError::ALL.iter().zip(counts.errors);
    let mut errors: Vec<_> = all
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| ErrorCount {
            class: class.as_str().to_owned(),
            meaning: meaning(*class).to_owned(),
            count,
            example: example(*class),
        })
        .collect();
    errors.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.class.cmp(&b.class)));
    errors
}

fn complaint(threshold: &crate::record::Threshold) -> Option<String> {
    let (expression, measured) = (&threshold.expression, &threshold.measured_text);
    match threshold.verdict {
        ThresholdVerdict::Pass => None,
        ThresholdVerdict::Fail => Some(format!("{expression} did not hold: {measured}")),
        ThresholdVerdict::NoData => Some(format!("{expression} could not be judged: {measured}")),
    }
}
