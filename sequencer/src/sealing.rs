//! Sealing: a range of a stream becomes a Merkle batch, chained to the one before (VES 17).
//!
//! Derived from the log and never part of the write path; a process that dies half way leaves
//! nothing behind but work to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::SequencerMetrics;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ves::{Commitment, Hash32, Stream, merkle};

use crate::clock;
use crate::error::{ApiError, ApiResult, Code};
use crate::lease::Lease;
use crate::store::{Backlog, Fence, LeafSource, Sealed, Store};

/// One of the replicas seals in the background.
const LEASE: &str = "sealer";
/// How often the backlog is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Wait after a failure, so that a broken store is not asked and complained about four times a
/// second.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Streams sealed per look.
const STREAMS_PER_TICK: u32 = 256;
/// Times a request looks again after somebody else sealed first.
const ATTEMPTS: usize = 4;

/// When a batch is sealed in the background.
#[derive(Clone, Copy, Debug)]
pub struct SealPolicy {
    /// After this many events.
    pub max_events: u32,
    /// Or when the oldest unsealed event is this old. Zero: never.
    pub max_wait: Duration,
    /// Most events in one batch.
    pub max_batch_events: u32,
}

/// Seals ranges, on demand and in the background.
pub struct Sealer {
    store: Arc<dyn Store>,
    metrics: Arc<SequencerMetrics>,
    policy: SealPolicy,
}

impl Sealer {
    /// A sealer over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, metrics: Arc<SequencerMetrics>, policy: SealPolicy) -> Self {
        Self { store, metrics, policy }
    }

    /// Seals exactly this range, or returns the commitment that already does.
    ///
    /// # Errors
    /// `SEQUENCE_GAP` when the range does not continue the chain or passes the head.
    pub async fn seal_range(&self, stream: Stream, start: u64, end: u64) -> ApiResult<Commitment> {
        let most = u64::from(self.policy.max_batch_events);
        if start == 0 || end < start || end - start >= most {
            let problem = format!("and `sequence_start` must span 1 to {most} numbers, from 1 on");
            return Err(ApiError::field("sequence_end", &problem));
        }
        for _ in 0..ATTEMPTS {
            let last = self.store.last_commitment(stream).await?;
            let expected = last.as_ref().map_or(1, |last| last.sequence_end + 1);
            if start != expected {
                let sealed = self.store.commitment_of(stream, start).await?;
                return sealed
                    .filter(|c| c.sequence_start == start && c.sequence_end == end)
                    .ok_or_else(|| wrong_start(expected));
            }
            let head = self.store.head(stream).await?.head_sequence;
            if end > head {
                let message = format!("the stream ends at {head}, `sequence_end` is {end}");
                return Err(ApiError::new(Code::SequenceGap, message)
                    .with_details(json!({ "head_sequence": head })));
            }
            let previous = last.map_or(Hash32::ZERO, |last| last.new_state_root);
            if let Some(commitment) = self.seal(stream, start, end, previous, None).await? {
                return Ok(commitment);
            }
        }
        let message = "others are sealing this stream; repeat the request";
        Err(ApiError::new(Code::Overloaded, message).retry_after(1))
    }

    /// Seals in the background until told to stop; a batch that began ends.
    pub async fn run(&self, stop: CancellationToken) {
        if self.policy.max_wait.is_zero() {
            return stop.cancelled().await;
        }
        let mut lease = Lease::new(Arc::clone(&self.store), LEASE);
        let mut pause = TICK;
        let mut undated_at = Instant::now();
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match self.seal_due(&mut lease, &mut undated_at).await {
                Ok(()) => TICK,
                Err(error) => {
                    log_failure(&error);
                    PAUSE_AFTER_FAILURE
                }
            };
        }
        lease.end().await;
    }

    /// Looks once, if this process is the one that seals. A stream that cannot be sealed does not
    /// keep the others from it. `undated_at` is when events without an age were due last.
    async fn seal_due(&self, lease: &mut Lease, undated_at: &mut Instant) -> ApiResult<()> {
        let fence = lease.hold().await;
        self.metrics.sealer_active.set(i64::from(matches!(fence, Ok(Some(_)))));
        let Some(fence) = fence? else { return Ok(()) };
        let now = clock::now();
        let undated = undated_at.elapsed() >= self.policy.max_wait;
        if undated {
            *undated_at = Instant::now();
        }
        let mut failure = Ok(());
        for backlog in self.store.backlog(STREAMS_PER_TICK).await? {
            if self.is_due(&backlog, now.as_micros(), undated) {
                failure = failure.and(self.seal_backlog(&backlog, fence).await);
            }
        }
        failure
    }

    async fn seal_backlog(&self, backlog: &Backlog, fence: Fence) -> ApiResult<()> {
        let start = backlog.committed_sequence + 1;
        let most = u64::from(self.policy.max_batch_events);
        let end = backlog.head_sequence.min(start + most - 1);
        let last = self.store.last_commitment(backlog.stream).await?;
        let previous = last.map_or(Hash32::ZERO, |last| last.new_state_root);
        // None: a request was first, or another process seals now. The next look sees what is left.
        self.seal(backlog.stream, start, end, previous, Some(fence)).await.map(|_| ())
    }

    /// An event from the future, because the clock was set back, has no age: it is due when all of
    /// those are, or it would wait until the clock has caught up.
    fn is_due(&self, backlog: &Backlog, now_micros: i64, undated: bool) -> bool {
        let waiting = backlog.head_sequence - backlog.committed_sequence;
        let age_micros = now_micros.saturating_sub(backlog.oldest_at.as_micros());
        waiting >= u64::from(self.policy.max_events)
            || i128::from(age_micros) >= self.policy.max_wait.as_micros().cast_signed()
            || (age_micros < 0 && undated)
    }

    /// Reads, hashes and stores one batch; `None` when the chain has moved meanwhile.
    async fn seal(
        &self,
        stream: Stream,
        start: u64,
        end: u64,
        previous: Hash32,
        fence: Option<Fence>,
    ) -> ApiResult<Option<Commitment>> {
        let started = Instant::now();
        let sources = self.store.leaf_sources(stream, start, end).await?;
        let accepted: Vec<_> = sources.iter().map(|source| source.sequenced_at).collect();
        let tree = tokio::task::spawn_blocking(move || build_tree(stream, start, &sources));
        let (root, leaf_count, tiles) = tree.await.map_err(|error| ApiError {
            cause: Some(error.into()),
            ..ApiError::new(Code::InternalError, "the tree could not be built")
        })?;
        let now = clock::now();
        let commitment =
            Commitment::seal(&stream, Uuid::new_v4(), start, root, leaf_count, previous, now);
        match self.store.seal(&commitment, &tiles, fence).await? {
            Sealed::ChainMoved => Ok(None),
            Sealed::Stored => {
                self.metrics.commitments.inc();
                self.metrics.commitment_duration.observe(started.elapsed().as_secs_f64());
                for accepted in accepted {
                    let micros = now.as_micros().saturating_sub(accepted.as_micros()).max(0);
                    self.metrics.commitment_delay.observe(micros as f64 / 1e6);
                }
                Ok(Some(commitment))
            }
        }
    }
}

fn build_tree(
    stream: Stream,
    start: u64,
    sources: &[LeafSource],
) -> (Hash32, u32, Vec<merkle::Tile>) {
    let leaf = |(number, source): (u64, &LeafSource)| {
        merkle::leaf_hash(&stream, number, &source.signing_hash, &source.agent_signature)
    };
    let leaves: Vec<Hash32> = (start..).zip(sources).map(leaf).collect();
    let (root, tiles) = merkle::tiles(&leaves);
    (root, u32::try_from(leaves.len()).unwrap_or(u32::MAX), tiles)
}

fn wrong_start(expected: u64) -> ApiError {
    let message = format!("the next commitment of this stream starts at {expected}");
    ApiError::new(Code::SequenceGap, message).with_details(json!({ "expected_start": expected }))
}

fn log_failure(error: &ApiError) {
    let cause = error.cause.as_ref().map(|cause| format!("{cause:#}"));
    tracing::warn!(error = error.message, cause, "sealing failed; it is tried again");
}
