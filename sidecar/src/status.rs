//! The whole of what is known now, as one JSON: what the status page shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use ves::Timestamp;

use crate::app::App;
use crate::canary::CanaryView;
use crate::checks::{CheckView, Finding, Overall, Status};
use crate::history::Build;
use crate::page::runbooks::Runbooks;
use crate::process::ProcessView;
use crate::store::StoreView;
use crate::witness::view::WitnessView;
use crate::{COMMIT, VERSION, clock};

/// Everything that is known now.
#[derive(Debug, Serialize)]
pub struct StatusView {
    /// When this was put together.
    pub now: Timestamp,
    /// The sequencer that is watched, without credentials.
    pub sequencer_url: String,
    /// The whole in one sentence.
    pub overall: Overall,
    /// Every check, the most important first.
    pub checks: Vec<CheckView>,
    /// The sequencer's process and the machine.
    pub process: ProcessView,
    /// The store from outside.
    pub store: StoreView,
    /// The path of an event, as a client walks it.
    pub canary: CanaryView,
    /// The log, as far as it was verified.
    pub witness: WitnessView,
    /// What runs.
    pub versions: Versions,
    /// Alerts that have a page under `runbooks/`.
    pub runbooks: Arc<BTreeSet<String>>,
}

/// What runs.
#[derive(Debug, Serialize)]
pub struct Versions {
    /// This program.
    pub sidecar: SidecarBuild,
    /// The sequencer, as its last scrape said; none before the first.
    pub sequencer: Option<Build>,
}

/// This program.
#[derive(Debug, Serialize)]
pub struct SidecarBuild {
    /// Version.
    pub version: &'static str,
    /// Commit it was built from.
    pub commit: &'static str,
    /// Seconds since its start.
    pub uptime_seconds: u64,
}

impl Versions {
    /// Of the running programs.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let uptime_seconds = app.core.started.elapsed().as_secs();
        let sidecar = SidecarBuild { version: VERSION, commit: COMMIT, uptime_seconds };
        Self { sidecar, sequencer: app.history.build() }
    }
}

/// Reads what every room shows.
pub async fn of(app: &App, runbooks: &Arc<Runbooks>) -> StatusView {
    StatusView {
        now: clock::now(),
        sequencer_url: crate::config::public_url(&app.core.config.sequencer_url),
        overall: app.overall(),
        checks: app.checks.view(),
        process: app.process.view(),
        store: app.store.view(),
        canary: app.canary.view(),
        witness: app.witness.view(),
        versions: Versions::of(app),
        runbooks: runbooks.names().await,
    }
}

/// What is to be said about the whole, in the order of importance: whether the sequencer lives,
/// whether its log is honest, what it stands on, and who does not see.
#[must_use]
pub fn findings(app: &App) -> Vec<Finding> {
    let mut findings = app.checks.findings();
    let others = findings.split_off(findings.len().min(1));
    let (canary, witness) = (app.canary.view(), app.witness.view());
    findings.extend(of_violations(&witness));
    findings.extend(others);
    findings.extend(of_canary(canary));
    findings.extend(of_blindness(app, witness));
    findings
}

fn of_canary(canary: CanaryView) -> Option<Finding> {
    if canary.healthy != Some(false) {
        return None;
    }
    Some(Finding {
        status: Status::Fail,
        headline: "Events do not come through".to_owned(),
        reason: canary.reason,
        since: canary.since.unwrap_or_else(clock::now),
        alert: "CanaryFailing",
    })
}

fn of_violations(witness: &WitnessView) -> Option<Finding> {
    let newest = witness.open_violations.first()?;
    let oldest = witness.open_violations.last()?;
    let headline = match witness.open_violation_count {
        1 => "The log breaks a rule".to_owned(),
        count => format!("The log breaks its rules in {count} places"),
    };
    let alert = match newest.kind.as_str() {
        "rollback" => "WitnessHeadRolledBack",
        _ => "WitnessViolation",
    };
    let reason = newest.detail.clone();
    Some(Finding { status: Status::Fail, headline, reason, since: oldest.since, alert })
}

fn of_blindness(app: &App, witness: WitnessView) -> Option<Finding> {
    let reason = witness.problem?;
    let started = clock::now().as_micros()
        - i64::try_from(app.core.started.elapsed().as_micros()).unwrap_or_default();
    Some(Finding {
        status: Status::Warn,
        headline: "The witness does not see everything".to_owned(),
        reason,
        since: witness.last_poll.unwrap_or(Timestamp::from_micros(started)),
        alert: "WitnessStale",
    })
}
