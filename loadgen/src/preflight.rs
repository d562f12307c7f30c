//! What can be known before the first request: is anybody there, is it a sequencer, does the key
//! fit, does the load fit under the target's limits.

use std::time::{Duration, Instant};

use catalog::label::LoadError;
use serde::Deserialize;
use uuid::Uuid;
use ves::wire::{CommitmentRequest, SequencerInfo};

use crate::caller::{Caller, Failure, Shot};
use crate::environment::Environment;
use crate::profile::{Profile, RateUnit, duration};
use crate::record::{Verdict, Versions};
use crate::route::{Op, Route};
use crate::run::{Due, Run};
use crate::scenario::Kind;

/// How long a target may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest wait for one of these answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(300);
/// Events in each stream before readers begin.
const PREFILL_EVENTS: usize = 64;
/// Most requests in a second that a user without a pause makes for certain.
const CLOSED_REQUESTS_PER_SECOND: f64 = 1.0;

/// Why a run does not begin.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What that makes of it.
    pub verdict: Verdict,
    /// In words.
    pub reason: String,
}

impl Refusal {
    /// It cannot be run like this.
    pub fn configuration(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::BadConfiguration, reason: reason.into() }
    }

    /// It would say nothing about the target.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Invalid, reason: reason.into() }
    }
}

#[derive(Deserialize)]
struct Health {
    version: Option<String>,
}

/// What the target says of itself.
#[derive(Clone, Debug)]
pub struct Target {
    /// For the record; the labels of `build_info` come from its metrics.
    pub versions: Versions,
    /// Most events that it takes in a request.
    pub max_events_per_request: u64,
}

/// Looks at the target.
///
/// # Errors
/// When a run against it makes no sense.
pub async fn look(
    caller: &Caller,
    environment: &Environment,
    profile: &Profile,
) -> Result<Target, Refusal> {
    let url = &environment.url;
    let health = first_answer(caller, url).await?;
    let health: Health = serde_json::from_slice(&health.body).map_err(|_| {
        Refusal::configuration(format!("{url}/health gives no JSON: is it a sequencer?"))
    })?;
    let info = ask(caller, "/api/v1/ves/sequencer").await;
    let info = info.map_err(|failure| not_answered(url, &failure))?;
    let info: SequencerInfo = serde_json::from_slice(&info.body).map_err(|_| {
        Refusal::configuration(format!("{url} does not publish who it is: is it a sequencer?"))
    })?;
    let most = info.limits.max_events_per_request;
    let batch = profile.events.batch as u64;
    if profile.needs_events() && batch > most {
        return Err(Refusal::configuration(format!(
            "the profile posts {batch} events a request and the target takes {most}: lower \
             events.batch, or raise MAX_EVENTS_PER_BATCH at the target"
        )));
    }
    if profile.needs_events() {
        check_key(caller, environment, profile).await?;
    }
    let versions = Versions {
        loadgen: env!("CARGO_PKG_VERSION").to_owned(),
        target: health.version.unwrap_or_default(),
        target_build: std::collections::BTreeMap::new(),
        sequencer_id: info.sequencer_id.to_string(),
        machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    };
    Ok(Target { versions, max_events_per_request: most })
}

async fn ask(caller: &Caller, path: &str) -> Result<crate::caller::Answer, Failure> {
    let asked = tokio::time::timeout(ANSWER_LIMIT, caller.send(&Shot::get(path), &[])).await;
    asked.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", ANSWER_LIMIT.as_secs());
        let class = LoadError::Timeout;
        Err(Failure { class, message, is_answered: false, retry_after: None })
    })
}

async fn first_answer(caller: &Caller, url: &str) -> Result<crate::caller::Answer, Refusal> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask(caller, "/health").await {
            Ok(answer) => return Ok(answer),
            // It may just be starting.
            Err(failure) if failure.is_passing() && Instant::now() + PAUSE < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(not_answered(url, &failure)),
        }
    }
}

fn not_answered(url: &str, failure: &Failure) -> Refusal {
    match failure.class {
        LoadError::Redirect => Refusal::configuration(format!(
            "{url} sends callers elsewhere ({failure}); name that address instead"
        )),
        LoadError::Tls => Refusal::configuration(format!(
            "{url} cannot be trusted ({failure}): renew its certificate, or name its root in \
             ca_file"
        )),
        LoadError::ClientError | LoadError::Unauthorized => {
            Refusal::configuration(format!("{url} does not answer as a sequencer ({failure})"))
        }
        _ => Refusal::invalid(format!("{url} cannot be reached ({failure})")),
    }
}

async fn check_key(
    caller: &Caller,
    environment: &Environment,
    profile: &Profile,
) -> Result<(), Refusal> {
    let variable = &environment.key_variable;
    let tenant = environment.tenant_id.unwrap_or_else(Uuid::new_v4);
    let path = format!("/api/v1/ves/head?tenant_id={tenant}&store_id={}", Uuid::new_v4());
    let answer = match ask(caller, &path).await {
        Ok(answer) => answer,
        Err(failure) if failure.class == LoadError::Unauthorized => {
            let advice = if failure.message.starts_with("403") && environment.tenant_id.is_none() {
                "; a tenant's key needs tenant_id in the environment"
            } else {
                ""
            };
            return Err(Refusal::configuration(format!(
                "the target refuses the key in {variable} ({failure}){advice}"
            )));
        }
        Err(failure) if failure.class == LoadError::RateLimited => {
            return Err(Refusal::configuration(format!(
                "the rate limit of the key in {variable} is used up already ({failure}): raise \
                 RATE_LIMIT_PER_MINUTE at the target"
            )));
        }
        Err(failure) => return Err(not_answered(&environment.url, &failure)),
    };
    match answer.rate_limit {
        Some(limit) => check_rate(limit, profile, variable),
        None => Ok(()),
    }
}

fn check_rate(limit: u64, profile: &Profile, variable: &str) -> Result<(), Refusal> {
    let per_second = profile.request_rate().unwrap_or_else(|| {
        let pause = profile.pause.as_secs_f64();
        profile.users as f64 * (1.0 / (pause + 1.0 / CLOSED_REQUESTS_PER_SECOND)).min(1.0)
    });
    let needed = (per_second * 60.0).ceil();
    if needed <= limit as f64 {
        return Ok(());
    }
    let unit = if profile.rate_unit == RateUnit::Events { "events" } else { "requests" };
    let load = match profile.rate {
        Some(rate) => format!("{rate} {unit}/s"),
        None => format!("{} users", profile.users),
    };
    Err(Refusal::configuration(format!(
        "the target allows the key in {variable} {limit} requests a minute and the profile {} \
         ({load} for {}) makes at least {needed}: raise RATE_LIMIT_PER_MINUTE (or the key's own \
         limit) to {needed}, or lower the rate",
        profile.name,
        duration::show(profile.hold),
    )))
}

/// Puts events into the log and seals them, so that readers find something.
///
/// # Errors
/// When the target does not take them.
pub async fn prefill(run: &Run, profile: &Profile) -> Result<(), Refusal> {
    let reads = [Kind::Queries, Kind::Acceptance];
    if !profile.active().any(|(kind, _)| reads.contains(kind)) {
        return Ok(());
    }
    let op = Op { scenario: Kind::Queries, route: Route::Ingest };
    for (place, stream) in run.cast.streams.iter().enumerate() {
        let prepared = run.signer.ahead(place, PREFILL_EVENTS.min(profile.events.sign_ahead));
        let posted = run.post(op, &prepared, Due::now()).await.unwrap_or_default();
        let Some(last) = posted.iter().map(|event| event.sequence_number).max() else {
            let why = LoadError::ALL.iter().map(|class| run.recorder.example_of(*class));
            let why = why.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
            return Err(Refusal::invalid(format!("the target takes no event: {why}")));
        };
        let body = CommitmentRequest {
            tenant_id: stream.tenant_id,
            store_id: stream.store_id,
            sequence_start: 1,
            sequence_end: last,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        // A conflict means that it is sealed already, up to here or soon.
        let sealed = run.caller.send(&Shot::post("/api/v1/ves/commitments", body), &[409]).await;
        if sealed.is_ok() {
            run.known.sealed(*stream, last);
        }
    }
    // What was posted before the start belongs to no second of the run.
    drop(run.recorder.take());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_that_is_too_low_names_the_value_to_raise() {
        let smoke = Profile::find("smoke").unwrap();
        assert!(check_rate(3000, &smoke, "KEY").is_ok());
        let refusal = check_rate(2999, &smoke, "KEY").unwrap_err();
        assert_eq!(refusal.verdict, Verdict::BadConfiguration);
        for part in ["RATE_LIMIT_PER_MINUTE", "to 3000", "2999 requests a minute", "KEY"] {
            assert!(refusal.reason.contains(part), "{part}: {refusal}");
        }
        let ingest = Profile::find("ingest").unwrap();
        assert!(check_rate(2999, &ingest, "KEY").is_err(), "50 users make 50 requests a second");
    }
}
