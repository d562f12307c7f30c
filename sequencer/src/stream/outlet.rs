//! The way to one client: a part is made when the client wants it, what is ready is taken in
//! time, and silence is never long.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::StreamPolicy;
use super::subscriber::End;

/// A part of this size is taken within the limit; a larger one has as many limits.
const PART_BYTES: usize = 64 << 10;
/// Time for which a client may hold memory that others wait for.
const SCARCE_PATIENCE: Duration = Duration::from_secs(1);

/// The body of an answer, part by part.
pub struct Parts {
    parts: mpsc::Receiver<Bytes>,
    /// Told when the connection has room and nothing is here.
    wanted: Arc<Notify>,
}

impl Stream for Parts {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let part = self.parts.poll_recv(context);
        if part.is_pending() {
            self.wanted.notify_one();
        }
        part
    }
}

/// Sends to one client.
pub(super) struct Outlet {
    parts: mpsc::Sender<Bytes>,
    wanted: Arc<Notify>,
    /// The client wants more, and nothing was sent since it said so.
    is_ready: bool,
    heartbeat: Bytes,
    silence: Duration,
    stall: Duration,
    /// How many wait for memory.
    scarce: watch::Receiver<usize>,
    last_sent: Instant,
    last_bytes: usize,
}

impl Outlet {
    pub(super) fn new(
        heartbeat: Bytes,
        policy: &StreamPolicy,
        scarce: watch::Receiver<usize>,
    ) -> (Self, Parts) {
        let (sender, parts) = mpsc::channel(1);
        let wanted = Arc::new(Notify::new());
        let outlet = Self {
            parts: sender,
            wanted: Arc::clone(&wanted),
            is_ready: false,
            heartbeat,
            silence: policy.heartbeat,
            stall: policy.stall,
            scarce,
            last_sent: Instant::now(),
            last_bytes: 0,
        };
        (outlet, Parts { parts, wanted })
    }

    /// Waits until the client has taken what it got; only then is more read for it.
    pub(super) async fn ready(&mut self) -> Result<(), End> {
        if self.is_ready {
            return Ok(());
        }
        let patience = self.patience();
        tokio::select! {
            biased;
            () = self.wanted.notified() => {
                self.is_ready = true;
                Ok(())
            }
            () = sleep(patience) => Err(self.stalled()),
            () = pressed(&mut self.scarce) => Err(End::Lagged {
                reason: "it takes too little while others wait for the memory it holds",
                patience: SCARCE_PATIENCE,
            }),
        }
    }

    /// Gives bytes to the client; waits as long as it may take.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), End> {
        let length = bytes.len();
        match timeout(self.patience(), self.parts.send(bytes)).await {
            Ok(Ok(())) => {
                (self.last_sent, self.last_bytes) = (Instant::now(), length);
                self.is_ready = false;
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(self.stalled()),
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
    pub(super) async fn finish(self, notice: Bytes, deadline: Instant) {
        let _ = timeout_at(deadline, self.parts.send(notice)).await;
    }

    /// Time for what was sent last.
    fn patience(&self) -> Duration {
        let parts = u32::try_from(self.last_bytes / PART_BYTES).unwrap_or(u32::MAX);
        self.stall.saturating_mul(parts.saturating_add(1))
    }

    fn stalled(&self) -> End {
        End::Lagged { reason: "it takes too little in STREAM_STALL_SECS", patience: self.stall }
    }
}

/// Ends when others have waited for memory for a while.
async fn pressed(scarce: &mut watch::Receiver<usize>) {
    loop {
        if scarce.wait_for(|waiting| *waiting > 0).await.is_err() {
            // The process ends.
            return std::future::pending().await;
        }
        sleep(SCARCE_PATIENCE).await;
        if *scarce.borrow() > 0 {
            return;
        }
    }
}
