//! What every handler may use, made once at start and passed on.

use std::sync::Arc;

use catalog::SequencerMetrics;
use tokio::sync::Semaphore;
use uuid::Uuid;
use ves::{Hash32, Receipt, Stream};

use crate::auth::{AgentKeys, Authenticator};
use crate::breaker::Breaker;
use crate::config::Config;
use crate::health::Health;
use crate::identity::Identity;
use crate::ingest::{Admission, CommitQueue};
use crate::lifecycle::Lifecycle;
use crate::rate_limit::RateLimits;
use crate::sealing::Sealer;
use crate::store::{Placement, Store};
use crate::stream::Live;
use crate::telemetry::Tracing;

/// The state of the process.
pub struct App {
    /// As read at start.
    pub config: Config,
    /// The log, behind its circuit breaker.
    pub store: Arc<dyn Store>,
    /// The breaker.
    pub breaker: Arc<Breaker>,
    /// Everything that is counted.
    pub metrics: Arc<SequencerMetrics>,
    /// Credentials of callers.
    pub authenticator: Arc<Authenticator>,
    /// Keys of agents.
    pub agent_keys: AgentKeys,
    /// Spans of requests.
    pub tracing: Tracing,
    /// Who may send more requests.
    pub rate_limits: RateLimits,
    /// The gate before ingest.
    pub admission: Admission,
    /// The way to the committer.
    pub queue: CommitQueue,
    /// Batches.
    pub sealer: Arc<Sealer>,
    /// Who signs receipts.
    pub identity: Arc<Identity>,
    /// Who follows which stream.
    pub live: Arc<Live>,
    /// Room for request bodies, in bytes.
    pub inflight: Semaphore,
    /// What works and what does not.
    pub health: Health,
    /// Where the process is in its life.
    pub lifecycle: Lifecycle,
}

impl App {
    /// The signed receipt of an accepted event.
    #[must_use]
    pub fn receipt(
        &self,
        stream: Stream,
        event_id: Uuid,
        placement: Placement,
        signing_hash: &Hash32,
    ) -> Receipt {
        self.metrics.receipts_signed.inc();
        self.identity.receipt(stream, event_id, placement, signing_hash)
    }
}
