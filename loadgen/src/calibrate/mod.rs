//! Is this program to be believed on this machine? The recorder against known delays on a virtual
//! clock, and the whole way over loopback against a stub that logs what it really did.

pub mod stub;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use catalog::LoadgenMetrics;
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::cast::Cast;
use crate::engine::Engine;
use crate::engine::conductor::Conductor;
use crate::environment::Environment;
use crate::known::Known;
use crate::ledger::Writer;
use crate::numbers::Numbers;
use crate::profile::{Events, Profile};
use crate::recorder::cell::Cell;
use crate::recorder::histogram::{Dense, micros};
use crate::recorder::story::Story;
use crate::recorder::{Done, Recorder};
use crate::route::{Op, Route};
use crate::run::Run;
use crate::scenario::Kind;
use crate::signer::Signer;
use crate::view::View;
use stub::{Behaviour, Stub};

/// Samples on the virtual clock.
const VIRTUAL_SAMPLES: u64 = 200_000;
/// Largest error of the recorder.
const RECORDER_ERROR: f64 = 0.01;
/// Samples over loopback that a calibration needs.
pub const LOOPBACK_SAMPLES: usize = 20_000;
/// Difference over loopback that is allowed where 1 % is less: what timers of a machine do.
const LOOPBACK_SLACK_US: f64 = 1000.0;
/// 64 users with this pause take little of a core, so the stub and the clock are on time.
const PROFILE: &str = "name = \"calibration\"\nusers = 64\nhold = \"12s\"\npause = \"20ms\"\n\
                       [scenarios]\nhealth = 1\n";

/// One comparison.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was compared.
    pub name: String,
    /// The truth, microseconds.
    pub truth_us: f64,
    /// What was recorded, microseconds.
    pub recorded_us: f64,
    /// Whether that is near enough.
    pub is_good: bool,
}

/// The recorder, fed known delays: within 1 % at every quantile.
#[must_use]
pub fn recorder() -> Vec<Finding> {
    let op = Op { scenario: Kind::Health, route: Route::Health };
    let recorder = Recorder::new(LoadgenMetrics::new("calibration", "none"));
    let mut numbers = Numbers::of(8, 8);
    let mut truth = Vec::new();
    let mut sum = Cell::default();
    for sample in 0..VIRTUAL_SAMPLES {
        // 100 us to 10 s, evenly on a logarithmic scale.
        let delay = Duration::from_secs_f64(1e-4 * 1e5f64.powf(numbers.unit()));
        truth.push(micros(delay));
        let (service, response) = (delay, delay);
        recorder
            .answered(op, &Done { service, response, events: 0, refused: 0, received_bytes: 0 });
        // As in a run: put away in pieces, and summed up from what was kept.
        if sample % 10_000 == 9_999 {
            recorder.take().ops.values().for_each(|kept| sum.add(kept));
        }
    }
    truth.sort_unstable();
    let worst = (1..=1000)
        .map(|step| compare(&truth, &sum.service, f64::from(step) / 1000.0, 0.0))
        .max_by(|a, b| difference(a).total_cmp(&difference(b)));
    worst
        .into_iter()
        .map(|found| Finding { name: format!("worst of 1,000 quantiles, {}", found.name), ..found })
        .collect()
}

fn difference(finding: &Finding) -> f64 {
    (finding.recorded_us - finding.truth_us).abs() / finding.truth_us.max(1.0)
}

/// A quantile of sorted truth and of a record.
fn compare(truth: &[u64], recorded: &Dense, quantile: f64, slack_us: f64) -> Finding {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank of a list")]
    let rank = (quantile * truth.len() as f64).ceil() as usize;
    let truth_us = truth[rank.clamp(1, truth.len()) - 1] as f64;
    let recorded_us = recorded.value_at_quantile(quantile) as f64;
    let allowed = (truth_us * RECORDER_ERROR).max(slack_us);
    Finding {
        name: format!("p{}", (quantile * 1e5).round() / 1e3),
        truth_us,
        recorded_us,
        is_good: (recorded_us - truth_us).abs() <= allowed,
    }
}

/// The whole way: goose, client, clock and recorder against the stub.
///
/// # Errors
/// When loopback does not work.
pub async fn loopback() -> anyhow::Result<(Vec<Finding>, usize)> {
    let stub = Stub::start(Behaviour::Calibrated)?;
    let profile: Profile = toml::from_str(PROFILE).context("the profile is a constant")?;
    let story = drive(&stub, &profile).await?;
    let mut truth: Vec<u64> = stub.log().into_iter().map(micros).collect();
    truth.sort_unstable();
    let sum = story.sum(|_| true);
    let samples = usize::try_from(sum.service.len()).unwrap_or(0);
    anyhow::ensure!(!truth.is_empty() && samples > 0, "the stub was never asked");
    let quantiles = [0.5, 0.99, 0.999].into_iter();
    let findings = quantiles.map(|at| compare(&truth, &sum.service, at, LOOPBACK_SLACK_US));
    Ok((findings.collect(), samples))
}

/// Runs a profile against a stub and gives its story.
///
/// # Errors
/// When goose does not work.
pub async fn drive(stub: &Stub, profile: &Profile) -> anyhow::Result<Story> {
    let folder = std::env::temp_dir().join(format!("loadgen-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).context("no temporary folder")?;
    let story = drive_in(&folder, stub, profile).await;
    // Only what was made here is in it.
    let _ = std::fs::remove_dir_all(&folder);
    story
}

async fn drive_in(
    folder: &std::path::Path,
    stub: &Stub,
    profile: &Profile,
) -> anyhow::Result<Story> {
    let url = format!("http://{}", stub.address);
    let environment = Environment::find(None, Some(&url), None)?;
    let cast = Arc::new(Cast::of_strangers(&Events { agents: 2, streams: 2, ..Events::default() }));
    let signer = Arc::new(Signer::new(Arc::clone(&cast), &profile.events, 1));
    let run = Arc::new(Run {
        caller: Caller::new(&environment, None)?,
        recorder: Arc::new(Recorder::new(LoadgenMetrics::new("calibration", "none"))),
        cast,
        signer: Arc::clone(&signer),
        known: Known::default(),
        ledger: Writer::create(&folder.join("ledger.ndjson"), &url)?,
        seed: 1,
        is_over: AtomicBool::new(false),
        hard_stop: CancellationToken::new(),
        in_flight: 0.into(),
    });
    let engine = Arc::new(Engine::new(run, profile.clone()));
    if profile.needs_events() {
        signer.sign_ahead(profile.events.sign_ahead);
    }
    let ended = CancellationToken::new();
    let conductor = Conductor::new(&engine, profile, &[], View::Quiet);
    let leading = async {
        let seen = conductor.lead(|| false).await;
        ended.cancel();
        goose::trigger_killswitch("the run is over");
        seen
    };
    let (driven, seen) = tokio::join!(engine.drive(&url, ended.clone()), leading);
    goose::reset_killswitch();
    driven?;
    engine.run.ledger.close()?;
    Ok(seen?.story)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_recorder_is_within_one_percent_at_every_quantile() {
        let found = super::recorder();
        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|finding| finding.is_good), "{found:?}");
    }
}
