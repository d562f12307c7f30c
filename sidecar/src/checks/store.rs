//! The store answers the sequencer, in good time.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use serde_json::Value;

use super::probe::{Outcome, Probe, Status};
use super::ready;
use crate::app::Core;
use crate::store::{StoreLook, StoreView};

/// An answer to a single small question that takes longer is slow.
const SLOW_MILLISECONDS: u64 = 500;

pub(super) struct Store {
    pub(super) core: Arc<Core>,
    pub(super) look: Arc<StoreLook>,
}

#[async_trait]
impl Probe for Store {
    fn check(&self) -> Check {
        Check::Store
    }

    async fn look(&self) -> Outcome {
        let asked = match ready::ask(&self.core).await {
            Ok(body) => judge(&body),
            Err(error) => {
                Outcome::unknown(format!("the sequencer cannot be asked about it: {error}"))
            }
        };
        with_own_look(asked, &self.look.view())
    }
}

/// What the sequencer says, and what the sidecar's own look at the store found.
fn with_own_look(asked: Outcome, look: &StoreView) -> Outcome {
    let own = |outcome: &str| format!("{}; the sidecar's own look at it {outcome}", asked.reason);
    match (asked.status, look.reachable) {
        (Status::Unknown, Some(true)) => Outcome::ok(own("is good")),
        (Status::Unknown, Some(false)) => Outcome::fail(own(&format!("fails: {}", look.reason))),
        // The sequencer works; only what the sidecar wanted to see is missing.
        (Status::Ok, Some(false)) => Outcome::warn(own(&format!("fails: {}", look.reason))),
        _ => asked,
    }
}

fn judge(body: &Value) -> Outcome {
    let database = &body["database"];
    match (database["connected"].as_bool(), database["response_time_ms"].as_u64()) {
        (Some(true), Some(slow)) if slow > SLOW_MILLISECONDS => Outcome::warn(format!(
            "it answered the sequencer after {slow} ms, more than {SLOW_MILLISECONDS} ms"
        ))
        .alert("SequencerDatabaseSlow"),
        (Some(true), Some(time)) => {
            Outcome::ok(format!("it answered the sequencer after {time} ms"))
        }
        (Some(false), _) => Outcome::fail(ready::reasons(body)),
        _ => Outcome::unknown("what /ready says of the database is not what a sequencer says"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_store_is_good_slow_or_gone() {
        let database = |connected: bool, time: Option<u64>| {
            json!({"database": {"connected": connected, "response_time_ms": time},
                "reasons": ["store: the store did not answer in 2 s"]})
        };
        for (body, expect, word) in [
            (database(true, Some(3)), Status::Ok, "3 ms"),
            (database(true, Some(501)), Status::Warn, "501 ms"),
            (database(false, None), Status::Fail, "did not answer in 2 s"),
            (json!({}), Status::Unknown, "not what"),
        ] {
            let outcome = judge(&body);
            assert_eq!(outcome.status, expect, "{body}");
            assert!(outcome.reason.contains(word), "{}", outcome.reason);
        }
    }
}
