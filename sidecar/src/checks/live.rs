//! The sequencer's process answers, and it is a sequencer.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use serde_json::Value;

use super::probe::{Outcome, Probe};
use crate::app::Core;
use crate::client::CallError;
use crate::process::Process;

pub(super) struct Live {
    pub(super) core: Arc<Core>,
    pub(super) process: Process,
}

#[async_trait]
impl Probe for Live {
    fn check(&self) -> Check {
        Check::SequencerLive
    }

    async fn look(&self) -> Outcome {
        let limit = self.core.config.check_timeout_secs.duration();
        let answer: Result<Value, CallError> = self.core.sequencer.get("/health", limit).await;
        let url = &self.core.config.sequencer_url;
        match answer {
            Ok(body) => judge(&body, url),
            Err(error) => Outcome::fail(format!("{url}/health: {error}; {}", self.process.fate())),
        }
    }
}

fn judge(body: &Value, url: &str) -> Outcome {
    let text = |name: &str| body[name].as_str().unwrap_or("?");
    match (text("service"), text("status")) {
        ("stateset-sequencer", "healthy") => {
            Outcome::ok(format!("version {} answers", text("version")))
        }
        ("stateset-sequencer", status) => {
            Outcome::fail(format!("{url}/health says \"{status}\" instead of \"healthy\""))
        }
        (service, _) => Outcome::fail(format!(
            "{url} is not a sequencer: /health says the service is \"{service}\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::probe::Status;
    use super::*;

    #[test]
    fn only_a_healthy_sequencer_is_alive() {
        for (body, expect, word) in [
            (json!({"service": "stateset-sequencer", "status": "healthy"}), Status::Ok, "answers"),
            (json!({"service": "stateset-sequencer", "status": "sick"}), Status::Fail, "sick"),
            (json!({"service": "nginx", "status": "healthy"}), Status::Fail, "nginx"),
            (json!({"status": "healthy"}), Status::Fail, "not a sequencer"),
            (json!([1]), Status::Fail, "not a sequencer"),
        ] {
            let outcome = judge(&body, "http://there");
            assert_eq!(outcome.status, expect, "{body}");
            assert!(outcome.reason.contains(word), "{}", outcome.reason);
        }
    }
}
