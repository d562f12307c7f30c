//! Where a process is in its life: serving, draining, closing.
//!
//! A drain is asked for by a signal or over HTTP and goes one way for both: not ready at once,
//! requests still served until the delay is over, then the port closes and streams end.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// Where a process is in its life.
#[derive(Debug, Default)]
pub struct Lifecycle {
    /// When the API port closes; set once, when the drain begins.
    closes_at: OnceLock<Instant>,
    draining: CancellationToken,
    closing: CancellationToken,
    exit: CancellationToken,
}

impl Lifecycle {
    /// True from the stop signal on.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Begins to drain, or goes on with it: the first call decides the delay. Gives the time
    /// until the API port closes.
    pub fn drain(&self, delay: Duration) -> Duration {
        let closes_at = *self.closes_at.get_or_init(|| Instant::now() + delay);
        self.draining.cancel();
        closes_at.saturating_duration_since(Instant::now())
    }

    /// Asks the process to end when it has drained.
    pub fn exit(&self) {
        self.exit.cancel();
    }

    /// Cancelled when the process was asked to end by a request.
    #[must_use]
    pub fn exit_requested(&self) -> &CancellationToken {
        &self.exit
    }

    /// Cancelled when the API port closes: time for the last message of whatever does not end by
    /// itself. Until then a balancer may still send clients here.
    #[must_use]
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Waits for a drain and its delay, then closes.
    pub async fn run(&self) {
        self.draining.cancelled().await;
        if let Some(closes_at) = self.closes_at.get() {
            tokio::time::sleep_until((*closes_at).into()).await;
        }
        self.closing.cancel();
    }
}
