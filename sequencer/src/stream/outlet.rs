//! The way to one client: what is ready for it is taken in time, and silence is never long.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::StreamPolicy;
use super::subscriber::End;

/// A part of this size is taken within the limit; a larger one has as many limits.
const PART_BYTES: usize = 64 << 10;

/// Sends to one client. The channel holds one part: the next is made when that is taken.
pub(super) struct Outlet {
    body: mpsc::Sender<Bytes>,
    heartbeat: Bytes,
    silence: Duration,
    stall: Duration,
    last_sent: Instant,
}

impl Outlet {
    pub(super) fn new(body: mpsc::Sender<Bytes>, heartbeat: Bytes, policy: &StreamPolicy) -> Self {
        let (silence, stall) = (policy.heartbeat, policy.stall);
        Self { body, heartbeat, silence, stall, last_sent: Instant::now() }
    }

    /// Gives bytes to the client; waits as long as it may take.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), End> {
        let parts = u32::try_from(bytes.len() / PART_BYTES).unwrap_or(u32::MAX).saturating_add(1);
        match timeout(self.stall.saturating_mul(parts), self.body.send(bytes)).await {
            Ok(Ok(())) => {
                self.last_sent = Instant::now();
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Lagged("it takes too little in STREAM_STALL_SECS")),
        }
    }

    /// Waits for something; heartbeats go on meanwhile.
    pub(super) async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, End> {
        let mut what = pin!(what);
        loop {
            match timeout_at(self.last_sent + self.silence, &mut what).await {
                Ok(value) => return Ok(value),
                Err(_) => self.send(self.heartbeat.clone()).await?,
            }
        }
    }

    /// The last message, if the client takes it in time; the body ends behind it.
    pub(super) async fn finish(self, notice: Bytes, patience: Duration) {
        let _ = timeout(patience, self.body.send(notice)).await;
    }
}
