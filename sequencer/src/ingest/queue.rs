//! The bounded queue between handlers and the committer. Its bound counts events, not requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::SequencerMetrics;
use catalog::label::ShedReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::breaker::{Breaker, Kind};
use crate::config::Config;
use crate::error::{ApiError, ApiResult, Code};
use crate::store::{BatchOutcome, PreparedBatch, StoreError};
use crate::telemetry::Part;

/// A batch waiting for the committer.
pub struct Job {
    pub(super) batch: PreparedBatch,
    pub(super) queued_at: Instant,
    /// The wait, for the request's trace.
    pub(super) wait: Part,
    pub(super) reply: oneshot::Sender<Result<BatchOutcome, Arc<StoreError>>>,
    /// Given back when the job is answered. It goes with the job, not with the handler, whose
    /// client may leave at any time.
    pub(super) _room: OwnedSemaphorePermit,
}

/// The handlers' end.
pub struct CommitQueue {
    sender: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    capacity: u32,
    /// Longest wait for a commit.
    patience: Duration,
    breaker: Arc<Breaker>,
    metrics: Arc<SequencerMetrics>,
}

/// Both ends of a queue, for as many events as configured. The channel itself needs no bound: every
/// job in it holds room.
#[must_use]
pub fn commit_queue(
    config: &Config,
    breaker: Arc<Breaker>,
    metrics: Arc<SequencerMetrics>,
) -> (CommitQueue, mpsc::UnboundedReceiver<Job>) {
    let (capacity, patience) = (config.queue_max_events, config.store_call_timeout());
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(capacity as usize));
    metrics.queue_capacity.set(i64::from(capacity));
    (CommitQueue { sender, room, capacity, patience, breaker, metrics }, receiver)
}

impl CommitQueue {
    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// `OVERLOADED` at once when there is no room; the store's failure.
    pub async fn commit(&self, batch: PreparedBatch, wait: Part) -> ApiResult<BatchOutcome> {
        // Nothing is queued for a store that is not asked.
        let unavailable = |retry_after| StoreError::Unavailable { retry_after };
        self.breaker.begin(Kind::Work).map(drop).map_err(unavailable)?;
        let size = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(size) else {
            self.metrics.requests_shed[ShedReason::QueueFull].inc();
            let message = "the event queue is full; repeat the request, that is safe";
            return Err(ApiError::new(Code::Overloaded, message).retry_after(1));
        };
        let (reply, answer) = oneshot::channel();
        let job = Job { batch, queued_at: Instant::now(), wait, reply, _room: room };
        let stopped =
            || ApiError::new(Code::ServiceUnavailable, "the sequencer is stopping").retry_after(1);
        self.sender.send(job).map_err(|_| stopped())?;
        // A job waits for the commit before it and for its own, but not for a store that hangs.
        // Whether it was committed is then unknown here: a commit that began is not dropped.
        let given_up = |why: &'static str| StoreError::Failed(anyhow::anyhow!(why)).into();
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = self.breaker.opened() => return Err(given_up("the circuit breaker opened")),
            () = tokio::time::sleep(self.patience) => return Err(given_up("no commit in time")),
        };
        match answer.map_err(|_| stopped())? {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(match *error {
                StoreError::DiskFull => StoreError::DiskFull.into(),
                StoreError::DiskRefuses(_) => {
                    StoreError::DiskRefuses(anyhow::anyhow!("the group commit failed")).into()
                }
                StoreError::Unavailable { retry_after } => {
                    StoreError::Unavailable { retry_after }.into()
                }
                // Logged by the committer, once for all requests of the commit.
                _ => StoreError::Failed(anyhow::anyhow!("the group commit failed")).into(),
            }),
        }
    }

    /// Events waiting or being committed.
    #[must_use]
    pub fn depth(&self) -> u32 {
        let free = u32::try_from(self.room.available_permits()).unwrap_or(u32::MAX);
        self.capacity.saturating_sub(free)
    }

    /// Its bound.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}
