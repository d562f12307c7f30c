//! What a check is: one look at one thing, with a result in words.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::label::Check;
use serde::Serialize;

use crate::blocking::Blocking;

/// How well something is; a later one is worse.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It cannot be seen, which is neither good nor bad.
    Unknown,
    /// Somebody should look at it today.
    Warn,
    /// Somebody must look at it now.
    Fail,
}

impl Status {
    /// The value of `check_status`; none while it is not known.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Ok => Some(1.0),
            Self::Unknown => None,
            Self::Warn => Some(0.5),
            Self::Fail => Some(0.0),
        }
    }
}

/// Result of one look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    /// How well it is.
    pub status: Status,
    /// Why, for someone at night: the figure and its limit.
    pub reason: String,
    /// Alert whose runbook helps, when it is not the usual one of the check.
    pub alert: Option<&'static str>,
}

impl Outcome {
    /// A result of this status.
    pub(super) fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), alert: None }
    }

    pub(super) fn ok(reason: impl Into<String>) -> Self {
        Self::new(Status::Ok, reason)
    }

    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self::new(Status::Unknown, reason)
    }

    pub(super) fn warn(reason: impl Into<String>) -> Self {
        Self::new(Status::Warn, reason)
    }

    pub(super) fn fail(reason: impl Into<String>) -> Self {
        Self::new(Status::Fail, reason)
    }

    /// With the runbook of this alert.
    pub(super) fn alert(mut self, alert: &'static str) -> Self {
        self.alert = Some(alert);
        self
    }
}

/// One thing to look at.
#[async_trait]
pub(super) trait Probe: Send + Sync + 'static {
    /// Which check it is.
    fn check(&self) -> Check;
    /// One look. What hangs is given up by the caller.
    async fn look(&self) -> Outcome;
}

/// Looks once, within a limit. A look that panics or hangs is a failed one and stops nobody.
pub(super) async fn look_within(probe: Arc<dyn Probe>, limit: Duration) -> Outcome {
    let mut look = tokio::spawn(async move { probe.look().await });
    match tokio::time::timeout(limit, &mut look).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(broken)) => {
            tracing::error!(error = &broken as &dyn std::error::Error, "a check broke");
            Outcome::fail(format!(
                "the check itself broke, which is a bug of the sidecar: {broken}"
            ))
        }
        Err(_) => {
            look.abort();
            Outcome::fail(format!("no result within {:.1} s", limit.as_secs_f64()))
        }
    }
}

/// Looks at what may hang, with a thread of its own.
pub(super) async fn look_blocking(
    blocking: &Blocking,
    look: impl FnOnce() -> Outcome + Send + 'static,
) -> Outcome {
    let hangs = || Outcome::fail("the kernel has not answered the last look yet: the disk hangs");
    blocking.run(look).await.unwrap_or_else(hangs)
}
