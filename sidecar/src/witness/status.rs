//! What both loops say of themselves, for metrics, view and each other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ves::{Hash32, Stream, Timestamp};

use super::checkpoint::Trail;
use super::view::{AuditView, MAX_STREAMS, StreamView, WitnessView};

/// Where a stream stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) head: u64,
    pub(super) committed: u64,
    /// Highest number that is done with.
    pub(super) verified: u64,
    /// What the loop over the history is to come to; none before the stream was compared with what
    /// is remembered.
    pub(super) until: Option<Until>,
    /// Where that loop stands.
    pub(super) audited: u64,
    /// Changes when the stream is begun again.
    pub(super) begun: u64,
}

/// What the tail saw of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// First number that it has not seen.
    pub(super) next: u64,
    /// Over all below.
    pub(super) trail: Trail,
    /// End and state root of the last commitment that it followed.
    pub(super) committed: Option<(u64, Hash32)>,
}

/// The present state.
#[derive(Default)]
pub(super) struct Status(Mutex<Now>);

/// Everything that is shown.
#[derive(Default)]
pub(super) struct Now {
    pub(super) problem: Option<String>,
    pub(super) memory_problem: Option<String>,
    pub(super) last_poll: Option<Timestamp>,
    pub(super) catching_up: bool,
    pub(super) lag_events: u64,
    pub(super) lag_seconds: f64,
    pub(super) oldest_unverified_age_seconds: f64,
    pub(super) places: BTreeMap<Stream, Place>,
    pub(super) audit: AuditView,
}

impl Status {
    /// Held for a look only, never across a wait.
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills in what it knows.
    pub(super) fn show(&self, view: &mut WitnessView) {
        let now = self.now();
        view.problem = now.problem.clone().or_else(|| now.memory_problem.clone());
        view.last_poll = now.last_poll;
        view.catching_up = now.catching_up;
        view.lag_events = now.lag_events;
        view.lag_seconds = now.lag_seconds;
        view.oldest_unverified_age_seconds = now.oldest_unverified_age_seconds;
        view.stream_count = now.places.len() as u64;
        let events_per_second = view.audit.events_per_second;
        view.audit = AuditView { events_per_second, ..now.audit.clone() };
        let mut streams: Vec<StreamView> = now.places.iter().map(stream_view).collect();
        drop(now);
        // Stable, so equal ones stay in the order of their names.
        streams.sort_by_key(|stream| std::cmp::Reverse(stream.lag_events));
        streams.truncate(MAX_STREAMS);
        view.streams = streams;
    }
}

fn stream_view((stream, place): (&Stream, &Place)) -> StreamView {
    StreamView {
        tenant_id: stream.tenant_id,
        store_id: stream.store_id,
        head: place.head,
        committed: place.committed,
        verified: place.verified,
        audited: place.audited,
        lag_events: place.head.saturating_sub(place.verified),
    }
}
