//! The bounded queue between handlers and the committer. Its bound counts events, not requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::SequencerMetrics;
use catalog::label::ShedReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

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
    metrics: Arc<SequencerMetrics>,
}

/// Both ends of a queue for this many events. The channel itself needs no bound: every job in it
/// holds room.
#[must_use]
pub fn commit_queue(
    capacity: u32,
    patience: Duration,
    metrics: Arc<SequencerMetrics>,
) -> (CommitQueue, mpsc::UnboundedReceiver<Job>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(capacity as usize));
    metrics.queue_capacity.set(i64::from(capacity));
    (CommitQueue { sender, room, capacity, patience, metrics }, receiver)
}

impl CommitQueue {
    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// `OVERLOADED` at once when there is no room; the store's failure.
    pub async fn commit(&self, batch: PreparedBatch, wait: Part) -> ApiResult<BatchOutcome> {
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
        // A job waits for the commit before it and for its own. Whether it was committed is then
        // unknown here; the committer does not drop a commit that began.
        let Ok(answer) = tokio::time::timeout(self.patience, answer).await else {
            let cause = anyhow::anyhow!("no commit within {} s", self.patience.as_secs_f64());
            return Err(StoreError::Failed(cause).into());
        };
        match answer.map_err(|_| stopped())? {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(match *error {
                StoreError::DiskFull => StoreError::DiskFull.into(),
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
