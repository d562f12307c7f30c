//! How far each followed stream goes.
//!
//! A number that this process gave is known at once; what another process committed is found by
//! asking the store. A stream nobody follows costs nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use ves::Stream;

use crate::store::Store;

/// How often the store is asked. What another process committed must be seen within a second,
/// and this leaves most of it for a slow answer and the way to the client.
pub(super) const POLL: Duration = Duration::from_millis(200);
/// Longest wait for the store's answer; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The heads of the streams that somebody follows.
#[derive(Default)]
pub struct Heads {
    /// Held for a map operation only. An entry whose receivers are gone goes with the next look.
    followed: Mutex<HashMap<Stream, watch::Sender<u64>>>,
    /// Somebody follows after nobody did.
    begun: Notify,
}

impl Heads {
    /// Begins to follow a stream.
    pub(super) fn follow(&self, stream: Stream) -> watch::Receiver<u64> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let head = followed.entry(stream).or_insert_with(|| watch::channel(0).0);
        let receiver = head.subscribe();
        self.begun.notify_one();
        receiver
    }

    /// Tells the followers of a stream that its numbers go up to this one.
    pub fn advance(&self, stream: Stream, head: u64) {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = followed.get(&stream) else { return };
        known.send_if_modified(|known| {
            let newer = head > *known;
            *known = head.max(*known);
            newer
        });
    }

    /// Asks the store about all followed streams, several times a second, until told to stop.
    pub async fn watch(&self, store: &dyn Store, stop: &CancellationToken) {
        let mut answers = true;
        loop {
            let streams = self.followed();
            if streams.is_empty() {
                if stop.run_until_cancelled(self.begun.notified()).await.is_none() {
                    return;
                }
                continue;
            }
            let asked = tokio::time::timeout(PATIENCE, store.heads(&streams)).await;
            if let Ok(Ok(heads)) = &asked {
                for (stream, head) in streams.iter().zip(heads) {
                    self.advance(*stream, *head);
                }
            } else if answers {
                tracing::warn!("the store does not tell heads; open streams wait for it");
            }
            answers = matches!(asked, Ok(Ok(_)));
            if stop.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                return;
            }
        }
    }

    fn followed(&self) -> Vec<Stream> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|_, head| head.receiver_count() > 0);
        followed.keys().copied().collect()
    }
}
