//! The live stream: every event of a stream in order, to whoever follows it.
//!
//! [`heads`](Heads) knows how far each followed stream goes: at once from the committer of this
//! process, within `heads::POLL` from the store for what other processes committed.
//! `pages` reads and encodes events once for all subscribers. A `subscriber` takes pages to one
//! client as fast as that client reads: a page is made when the one before is taken. Nothing is
//! skipped: what is not in memory any more is read from the store.

mod format;
mod heads;
mod outlet;
mod pages;
mod subscriber;

use std::sync::Arc;
use std::time::Duration;

use catalog::SequencerMetrics;
use catalog::label::ShedReason;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use ves::Stream;

use crate::auth::{Authenticator, Principal};
use crate::error::{ApiError, ApiResult, Code};
use crate::identity::Identity;
use crate::store::Store;

pub use format::Format;
pub use heads::Heads;
use outlet::Outlet;
pub use outlet::Parts;
use pages::Pages;
use subscriber::Subscriber;

/// Bounds of the live stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamPolicy {
    /// Subscribers at once.
    pub max_subscribers: usize,
    /// Silence after which a heartbeat is sent.
    pub heartbeat: Duration,
    /// Time within which a client must take what is ready for it.
    pub stall: Duration,
    /// Events by which a client may fall further behind than it was.
    pub max_lag_events: u64,
    /// Memory for encoded events.
    pub buffer_bytes: usize,
}

/// What one client asks for.
pub struct Subscription {
    /// The stream it follows.
    pub stream: Stream,
    /// How it wants to read.
    pub format: Format,
    /// First number it wants.
    pub from: u64,
    /// Who it is; asked again while the stream is open.
    pub caller: Principal,
    /// Cuts its connection, and is cancelled when that ends by itself.
    pub connection: CancellationToken,
}

/// All open streams of this process.
pub struct Live {
    store: Arc<dyn Store>,
    heads: Arc<Heads>,
    pages: Pages,
    authenticator: Arc<Authenticator>,
    metrics: Arc<SequencerMetrics>,
    policy: StreamPolicy,
    /// A permit for each subscriber.
    room: Arc<Semaphore>,
    /// Cancelled when the API port closes.
    closing: CancellationToken,
}

impl Live {
    /// No subscriber yet.
    #[must_use]
    pub fn new(
        store: &Arc<dyn Store>,
        identity: &Arc<Identity>,
        authenticator: &Arc<Authenticator>,
        metrics: &Arc<SequencerMetrics>,
        policy: StreamPolicy,
        closing: &CancellationToken,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            heads: Arc::default(),
            pages: Pages::new(store, identity, metrics, policy.buffer_bytes),
            authenticator: Arc::clone(authenticator),
            metrics: Arc::clone(metrics),
            policy,
            room: Arc::new(Semaphore::new(policy.max_subscribers)),
            closing: closing.clone(),
        }
    }

    /// Where the committer tells its numbers.
    #[must_use]
    pub fn heads(&self) -> &Arc<Heads> {
        &self.heads
    }

    /// Begins to send.
    ///
    /// # Errors
    /// `OVERLOADED` when there are too many subscribers, `SEQUENCE_GAP` when the wanted number is
    /// beyond the next one, or the store's failure.
    pub async fn open(self: &Arc<Self>, wanted: Subscription) -> ApiResult<Parts> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            self.metrics.requests_shed[ShedReason::StreamSubscribers].inc();
            let message = "too many streams are open; try again later or at another replica";
            return Err(ApiError::new(Code::Overloaded, message).retry_after(5));
        };
        // Before the head is read: a number given in between is not missed.
        let heads = self.heads.follow(wanted.stream);
        let head = self.store.head(wanted.stream).await?.head_sequence;
        if wanted.from > head + 1 {
            let message = format!("the stream ends at {head}; follow it from {} at most", head + 1);
            return Err(ApiError::new(Code::SequenceGap, message)
                .with_details(serde_json::json!({ "head_sequence": head })));
        }
        self.heads.advance(wanted.stream, head);
        let scarce = self.pages.scarce();
        let (outlet, parts) = Outlet::new(wanted.format.heartbeat(), &self.policy, scarce);
        let subscriber = Subscriber::new(Arc::clone(self), wanted, heads, outlet, room);
        tokio::spawn(subscriber.run());
        Ok(parts)
    }

    /// Learns what other processes commit, until told to stop.
    pub async fn run(&self, stop: &CancellationToken) {
        self.heads.watch(self.store.as_ref(), stop).await;
    }

    /// Brings the gauge up to date, for a scrape.
    pub fn sample(&self) {
        let open = self.policy.max_subscribers - self.room.available_permits();
        self.metrics.live.subscribers.set(i64::try_from(open).unwrap_or(i64::MAX));
    }
}
