//! The heads of all streams, and what follows from them: lag, age, rollback.

use std::time::Duration;

use ves::Stream;

use super::super::compare::rolled_back;
use super::super::reading::{HEAD_LIMIT, Stopped};
use super::super::status::Place;
use super::{Follow, Tail, age_seconds, as_f64};
use crate::client::{CallError, StreamHead};
use crate::clock;

/// Most streams that are followed; more are named as a problem.
const MAX_STREAMS: usize = 10_000;
/// Longest wait for a page of the list of streams.
const LIST_LIMIT: Duration = Duration::from_secs(15);

impl Tail {
    /// Reads all heads once.
    pub(super) async fn read_heads(&mut self) -> Result<(), Stopped> {
        let named = self.common.core.config.witness_streams.0.clone();
        for follow in self.follows.values_mut() {
            (follow.is_listed, follow.is_blocked) = (false, false);
        }
        if named.is_empty() {
            self.list().await?;
        }
        for stream in named {
            let head = self.common.core.sequencer.head(stream, HEAD_LIMIT).await?;
            self.heard(stream, head.head_sequence, head.committed_sequence);
        }
        self.ask_for_unlisted().await?;
        self.check_ends().await?;
        self.common.status.now().last_poll = Some(clock::now());
        let metrics = &self.common.core.metrics.witness;
        metrics.last_poll.set(clock::unix_seconds());
        metrics.streams.set(as_f64(self.follows.len() as u64));
        Ok(())
    }

    async fn list(&mut self) -> Result<(), Stopped> {
        let mut after: Option<String> = None;
        let mut last: Option<Stream> = None;
        loop {
            self.mark_progress();
            let sequencer = &self.common.core.sequencer;
            let page = sequencer.streams(after.as_deref(), LIST_LIMIT).await?;
            let has_items = !page.items.is_empty();
            for item in page.items {
                let StreamHead { head_sequence, committed_sequence, .. } = item;
                // Forward in any case, whatever is answered.
                if last.is_some_and(|last| item.stream() <= last) {
                    let text = "its streams are listed in no order".to_owned();
                    return Err(CallError::Unexpected(text).into());
                }
                last = Some(item.stream());
                self.heard(item.stream(), head_sequence, committed_sequence);
            }
            if self.follows.len() > MAX_STREAMS {
                let text = format!("more than {MAX_STREAMS} streams; name some: WITNESS_STREAMS");
                return Err(CallError::Unexpected(text).into());
            }
            match page.next {
                Some(next) if has_items => after = Some(next),
                _ => return Ok(()),
            }
        }
    }

    fn heard(&mut self, stream: Stream, head: u64, committed: u64) {
        // No number is above what a store can hold, whatever is claimed.
        let most = i64::MAX.cast_unsigned() - 1;
        let (head, committed) = (head.min(most), committed.min(most));
        let follow = self.follows.entry(stream).or_insert_with(|| Follow::new(head, 1));
        if follow.first_head == 0 && follow.compared.is_none() {
            follow.first_head = head;
        }
        let moved = follow.head != head;
        (follow.head, follow.committed, follow.is_listed) = (head, committed, true);
        if moved && let Some(followed) = self.loaded.get_mut(&stream) {
            followed.linked = false;
        }
    }

    /// A stream that is remembered and not listed: gone, or not for this key to see.
    async fn ask_for_unlisted(&mut self) -> Result<(), Stopped> {
        let unlisted = self.follows.iter().filter(|(_, follow)| !follow.is_listed);
        let unlisted: Vec<Stream> = unlisted.map(|(stream, _)| *stream).collect();
        let is_named = !self.common.core.config.witness_streams.0.is_empty();
        for stream in unlisted {
            if is_named {
                // It was followed once and is not to be any more; what is remembered stays.
                self.follows.remove(&stream);
                self.loaded.remove(&stream);
                self.common.status.now().places.remove(&stream);
                continue;
            }
            self.mark_progress();
            match self.common.core.sequencer.head(stream, HEAD_LIMIT).await {
                Ok(head) => self.heard(stream, head.head_sequence, head.committed_sequence),
                Err(error) if error.status() == Some(403) => self.block(stream, &error.into()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Heads and ends of commitments that are lower than seen before.
    async fn check_ends(&mut self) -> Result<(), Stopped> {
        let lower = self.follows.iter().filter(|(_, f)| !f.is_blocked && f.is_rolled_back());
        let lower: Vec<Stream> = lower.map(|(stream, _)| *stream).collect();
        for stream in lower {
            // The list is older than this answer, and another replica may have given it.
            let head = self.common.core.sequencer.head(stream, HEAD_LIMIT).await?;
            let followed = self.load(stream).await?;
            if let Some(finding) = rolled_back(&followed.standing, &head) {
                self.common.ledger.add(finding).await;
            }
        }
        Ok(())
    }

    /// Shows where everything stands.
    pub(super) fn show(&self) {
        let (mut lag, mut oldest, mut catching_up) = (0_u64, 0.0_f64, false);
        for follow in self.follows.values() {
            if !follow.is_behind() {
                continue;
            }
            lag = lag.saturating_add(follow.head - follow.next + 1);
            catching_up |= follow.next <= follow.first_head;
            // What is not verified came after both.
            let since = follow.last_time.max(follow.level_at);
            oldest = oldest.max(since.map_or(0.0, age_seconds));
        }
        let seconds = if self.speed > 0.0 { as_f64(lag) / self.speed } else { 0.0 };
        let metrics = &self.common.core.metrics.witness;
        metrics.lag_events.set(as_f64(lag));
        metrics.lag_seconds.set(seconds);
        metrics.oldest_unverified_age.set(oldest);
        metrics.catching_up.set(f64::from(u8::from(catching_up)));
        let mut now = self.common.status.now();
        (now.lag_events, now.lag_seconds) = (lag, seconds);
        (now.oldest_unverified_age_seconds, now.catching_up) = (oldest, catching_up);
        for (stream, follow) in &self.follows {
            let place = now.places.entry(*stream).or_insert_with(|| Place {
                verified: follow.next - 1,
                begun: follow.begun,
                ..Place::default()
            });
            (place.head, place.committed) = (follow.head, follow.committed);
        }
    }
}
