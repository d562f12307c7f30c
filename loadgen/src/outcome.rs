//! What a run has come to, and its record.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ves::Timestamp;

use crate::engine::conductor::{Seen, Stop};
use crate::preflight::{Refusal, Target};
use crate::record::{self, LedgerSummary, Record, SigningMode};
use crate::recorder::Recorder;
use crate::recorder::story::Story;
use crate::scenario::Kind;
use crate::session::Session;
use crate::threshold::judge;
use crate::verdict::{self, Evidence};
use crate::watch::Watched;

/// What a run has come to, for its record.
pub(crate) struct Outcome {
    pub(crate) started: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) target: Option<Target>,
    pub(crate) seen: Seen,
    pub(crate) unsent: Option<BTreeMap<Kind, u64>>,
    pub(crate) ledger: Option<LedgerSummary>,
    pub(crate) unread: Option<String>,
    pub(crate) signing: record::Signing,
    pub(crate) watched: Watched,
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// A run that did not begin.
    pub(crate) fn refused(refusal: &Refusal, notes: Vec<String>) -> Self {
        let now = SystemTime::now();
        let (verdict, reason) = (refusal.verdict, refusal.reason.clone());
        let stop = Some(Stop { verdict, reason, threshold: None });
        let (story, stages) = (Story::default(), Vec::new());
        let note = "The run did not begin.".to_owned();
        Self {
            started: now,
            ended: now,
            target: None,
            seen: Seen { story, stages, stop, load: Duration::ZERO },
            unsent: None,
            ledger: None,
            unread: None,
            signing: record::Signing {
                mode: SigningMode::None,
                ahead_events: 0,
                idle_events: 0,
                late_events: 0,
                note,
            },
            watched: Watched::default(),
            notes,
        }
    }

    fn versions(&self) -> record::Versions {
        self.target.as_ref().map(|target| target.versions.clone()).unwrap_or_else(|| {
            record::Versions {
                loadgen: env!("CARGO_PKG_VERSION").to_owned(),
                target: String::new(),
                target_build: BTreeMap::new(),
                sequencer_id: String::new(),
                machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            }
        })
    }

    /// The record of this session.
    pub(crate) fn into_record(self, session: &Session, recorder: &Recorder) -> Record {
        let outcome = self;
        let story = &outcome.seen.story;
        let mut thresholds = judge::all(&session.thresholds, story);
        if let Some((expression, at)) =
            outcome.seen.stop.as_ref().and_then(|stop| stop.threshold.clone())
        {
            let ended = thresholds.iter_mut().find(|one| one.expression == expression);
            if let Some(ended) = ended {
                ended.aborted_at_seconds = Some(at);
            }
        }
        let evidence = Evidence {
            story,
            unsent: outcome.unsent.as_ref(),
            batch: session.profile.events.batch as u64,
            stop: outcome.seen.stop.as_ref(),
            thresholds: &thresholds,
            ledger: outcome.ledger.as_ref(),
            unread: outcome.unread.as_deref(),
        };
        let (verdict, reasons) = evidence.verdict();
        let (sum, totals) = evidence.totals();
        let (scenarios, routes) = (evidence.scenarios(), evidence.routes());
        let generator = evidence.generator();
        let mut versions = outcome.versions();
        versions.target_build.clone_from(&outcome.watched.build);
        let overrides = &session.profile.overrides;
        let mut notes: Vec<String> = overrides
            .iter()
            .map(|(name, value)| format!("The command line set {name} to {value}."))
            .collect();
        notes.extend(outcome.notes);
        Record {
            format: record::FORMAT,
            verdict,
            exit_code: verdict.exit_code(),
            reasons,
            profile: session.profile.to_record(),
            environment: session.environment.to_record(),
            seed: session.seed,
            versions,
            started_at: timestamp(outcome.started),
            ended_at: timestamp(outcome.ended),
            duration_seconds: outcome
                .ended
                .duration_since(outcome.started)
                .map_or(0.0, |length| length.as_secs_f64()),
            stages: outcome.seen.stages,
            timeline: story.timeline(),
            totals,
            scenarios,
            routes,
            errors: verdict::errors(&sum.counts, |class| recorder.example_of(class)),
            latency: sum.latency(),
            curves: verdict::curves(&sum),
            generator,
            thresholds,
            ledger: outcome.ledger,
            signing: outcome.signing,
            target_metrics: outcome.watched.series,
            notes,
        }
    }
}

fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(0)).to_string()
}
