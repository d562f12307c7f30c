//! One client of a live stream, from its first event to its last message.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use ves::Stream;
use warp::http::StatusCode;

use super::outlet::Outlet;
use super::{Live, Subscription};
use crate::auth::{Principal, Right};
use crate::error::ApiError;
use crate::store::StoreError;

/// Wait after a failure of the store.
const RETRY: Duration = Duration::from_millis(500);
/// How often the credential is asked for again; with the age that the answer may have
/// ([`Authenticator::recheck`](crate::auth::Authenticator::recheck)), less than 5 s.
const CHECK: Duration = Duration::from_secs(2);
/// Longest wait for the store's answer about a credential.
const CHECK_PATIENCE: Duration = Duration::from_millis(500);
/// Time for a last message and for the connection to end, when the process stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a stream ends.
pub(super) enum End {
    /// The client closed.
    Gone,
    /// The process stops.
    Draining,
    /// The client is too slow.
    Lagged {
        /// In words.
        reason: &'static str,
        /// Time for the last message and for the connection to end.
        patience: Duration,
    },
    /// It cannot go on: the log is damaged, or the credential ended.
    Failed(ApiError),
}

/// Takes the events of a stream to one client.
pub(super) struct Subscriber {
    live: Arc<Live>,
    wanted: Subscription,
    /// The number to send next.
    next: u64,
    heads: watch::Receiver<u64>,
    outlet: Outlet,
    _room: OwnedSemaphorePermit,
}

impl Subscriber {
    pub(super) fn new(
        live: Arc<Live>,
        wanted: Subscription,
        heads: watch::Receiver<u64>,
        outlet: Outlet,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { live, next: wanted.from, wanted, heads, outlet, _room: room }
    }

    /// Sends until there is a reason to end, and says it.
    pub(super) async fn run(mut self) {
        let live = Arc::clone(&self.live);
        let (stream, connection) = (self.wanted.stream, self.wanted.connection.clone());
        let caller = self.wanted.caller.clone();
        let (trust, trusted) = watch::channel(true);
        let end = tokio::select! {
            biased;
            () = connection.cancelled() => End::Gone,
            () = live.closing.cancelled() => End::Draining,
            error = refusal(&live, &caller, &stream, &trust) => End::Failed(error),
            end = self.follow(trusted) => match end { Err(end) => end },
        };
        self.finish(end).await;
    }

    /// Whatever is dropped here was not sent: `next` moves right after the client took a page.
    async fn follow(&mut self, mut trusted: watch::Receiver<bool>) -> Result<Infallible, End> {
        let (stream, format) = (self.wanted.stream, self.wanted.format);
        let mut least_lag = u64::MAX;
        loop {
            let head = self.outlet.wait(reached(&mut self.heads, self.next)).await?;
            self.outlet.wait(reached(&mut trusted, true)).await?;
            let lag = head - self.next;
            least_lag = least_lag.min(lag);
            if lag - least_lag > self.live.policy.max_lag_events {
                let reason = "it falls behind by more than STREAM_MAX_LAG_EVENTS";
                return Err(End::Lagged { reason, patience: self.live.policy.stall });
            }
            self.outlet.ready().await?;
            let page = self.live.pages.page(stream, format, self.next, head);
            match self.outlet.wait(page).await? {
                Ok(page) => {
                    self.outlet.send(page.bytes).await?;
                    self.live.metrics.live.events_sent.inc_by(page.next - self.next);
                    self.next = page.next;
                }
                Err(error @ (StoreError::Gap { .. } | StoreError::Corrupt(_))) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        tenant_id = %stream.tenant_id,
                        store_id = %stream.store_id,
                        "an open stream cannot go on"
                    );
                    return Err(End::Failed(error.into()));
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a stream waits");
                    self.outlet.wait(sleep(RETRY)).await?;
                }
            }
        }
    }

    /// Says why it ends and where to go on, then sees that the connection ends.
    async fn finish(self, end: End) {
        let (live, wanted, resume_from) = (self.live, self.wanted, self.next);
        let Some((name, mut members)) = describe(&end) else { return };
        members["resume_from"] = resume_from.into();
        let mut patience = LAST_WORDS;
        if let End::Lagged { reason, patience: own } = end {
            live.metrics.live.lagged.inc();
            let key = wanted.caller.key_prefix();
            tracing::info!(key, resume_from, reason, "a reader was too slow and is cut");
            patience = own;
        }
        let deadline = Instant::now() + patience;
        self.outlet.finish(wanted.format.notice(name, members), deadline).await;
        // The answer says `connection: close`: it ends by itself as soon as all is taken.
        if timeout_at(deadline, wanted.connection.cancelled()).await.is_err() {
            wanted.connection.cancel();
        }
    }
}

/// Name and members of the last message.
fn describe(end: &End) -> Option<(&'static str, Value)> {
    match end {
        End::Gone => None,
        End::Draining => Some(("draining", json!({}))),
        End::Lagged { reason, .. } => Some(("lagged", json!({ "reason": reason }))),
        End::Failed(error) => Some((
            "failed",
            json!({
                "code": error.code.as_str(),
                "numeric_code": error.code.number(),
                "message": error.message,
                "details": error.details,
            }),
        )),
    }
}

/// Waits until a watched value is at least this.
async fn reached<T: PartialOrd + Copy>(watched: &mut watch::Receiver<T>, least: T) -> T {
    let value = watched.wait_for(|value| *value >= least).await.map(|value| *value);
    match value {
        Ok(value) => value,
        // Never: its sender lives as long as it has receivers.
        Err(_) => std::future::pending().await,
    }
}

/// Ends when the credential no longer allows what it allowed. While nobody can say, it is not
/// trusted and no event is sent.
async fn refusal(
    live: &Live,
    caller: &Principal,
    stream: &Stream,
    trust: &watch::Sender<bool>,
) -> ApiError {
    loop {
        let asked = timeout(CHECK_PATIENCE, live.authenticator.recheck(caller)).await;
        let allowed = asked.map(|caller| {
            let caller = caller?;
            caller.require(Right::Read)?;
            caller.require_stream(stream)
        });
        match allowed {
            Ok(Err(error))
                if matches!(
                    error.code.status(),
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                ) =>
            {
                return error;
            }
            known => trust.send_if_modified(|trusted| {
                let before = std::mem::replace(trusted, matches!(known, Ok(Ok(()))));
                before != *trusted
            }),
        };
        sleep(CHECK).await;
    }
}
