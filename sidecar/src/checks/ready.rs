//! The sequencer takes traffic, and what it says itself when it does not.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use serde_json::Value;

use super::probe::{Outcome, Probe};
use crate::app::Core;
use crate::client::CallError;

/// Longest list of reasons that is shown.
const MAX_REASONS: usize = 5;

pub(super) struct Ready {
    pub(super) core: Arc<Core>,
}

#[async_trait]
impl Probe for Ready {
    fn check(&self) -> Check {
        Check::SequencerReady
    }

    async fn look(&self) -> Outcome {
        let url = &self.core.config.sequencer_url;
        match ask(&self.core).await {
            Ok(body) => judge(&body),
            Err(error) => Outcome::fail(format!("{url}/ready: {error}")),
        }
    }
}

/// What `/ready` says, whatever it says.
///
/// # Errors
/// When it says nothing that a sequencer says.
pub(super) async fn ask(core: &Core) -> Result<Value, CallError> {
    let limit = core.config.check_timeout_secs.duration();
    match core.sequencer.get("/ready", limit).await {
        Err(CallError::Refused { status: 503, body, .. }) if body["status"].is_string() => Ok(body),
        other => other,
    }
}

/// The reasons in a body, as one text.
pub(super) fn reasons(body: &Value) -> String {
    let reasons = body["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let reasons: Vec<_> = reasons.take(MAX_REASONS).map(shortened).collect();
    if reasons.is_empty() { "it names no reason".to_owned() } else { reasons.join("; ") }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(200).collect()
}

fn judge(body: &Value) -> Outcome {
    match body["status"].as_str() {
        Some("ready") => Outcome::ok("it takes traffic"),
        Some("degraded") => Outcome::warn(reasons(body)),
        Some("not_ready") => Outcome::fail(reasons(body)),
        _ => Outcome::fail("what /ready says is not what a sequencer says"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::probe::Status;
    use super::*;

    #[test]
    fn the_reasons_are_the_sequencers_own() {
        for (body, expect, word) in [
            (json!({"status": "ready"}), Status::Ok, "traffic"),
            (json!({"status": "degraded", "reasons": ["disk: full"]}), Status::Warn, "disk: full"),
            (json!({"status": "not_ready", "reasons": ["a", "b"]}), Status::Fail, "a; b"),
            (json!({"status": "not_ready"}), Status::Fail, "no reason"),
            (json!({"status": 3}), Status::Fail, "not what"),
        ] {
            let outcome = judge(&body);
            assert_eq!(outcome.status, expect, "{body}");
            assert!(outcome.reason.contains(word), "{}", outcome.reason);
        }
    }
}
