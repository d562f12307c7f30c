//! The one task that gives numbers.
//!
//! It takes whatever queued while the last commit ran: no timer and no idle wait, so a single
//! client sees one commit's latency and a thousand share it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use catalog::SequencerMetrics;
use tokio::sync::mpsc;
use ves::Stream;

use super::queue::Job;
use crate::clock;
use crate::store::{PreparedBatch, Store, StoreError};
use crate::stream::Heads;

/// Events after which a commit takes no further batch: bounds its time and memory.
const MAX_COMMIT_EVENTS: usize = 2_000;

/// Commits until the queue is closed and empty. It is never cancelled: a commit that began ends.
pub async fn commit_loop(
    mut queue: mpsc::UnboundedReceiver<Job>,
    store: Arc<dyn Store>,
    metrics: Arc<SequencerMetrics>,
    key_version: u32,
    followed: Arc<Heads>,
) {
    let mut batches: Vec<PreparedBatch> = Vec::new();
    let mut waiting = Vec::new();
    while let Some(first) = queue.recv().await {
        let mut size = 0;
        let mut next = Some(first);
        while let Some(Job { batch, queued_at, wait, reply, _room }) = next {
            metrics.queue_wait.observe(queued_at.elapsed().as_secs_f64());
            // Nobody waits any more for a batch whose handler gave up or whose client left: it
            // is not committed, and nobody was told that it is.
            if !reply.is_closed() {
                size += batch.events.len();
                batches.push(batch);
                waiting.push((reply, _room, wait.then("commit")));
            }
            next = if size < MAX_COMMIT_EVENTS { queue.try_recv().ok() } else { None };
        }
        if batches.is_empty() {
            continue;
        }
        let started = Instant::now();
        let result = store.commit_events(&batches, clock::now(), key_version).await;
        metrics.commit_duration.observe(started.elapsed().as_secs_f64());
        metrics.commit_size.observe(size as f64);
        for (_, _, part) in &mut waiting {
            part.count("sequencer.commit.events", size);
            if result.is_err() {
                part.fail("the group commit failed");
            }
        }
        let streams: Vec<Stream> = batches.drain(..).map(|batch| batch.stream).collect();
        match result {
            Ok(outcomes) => {
                let heads = outcomes.iter().map(|outcome| outcome.head_sequence);
                let heads: BTreeMap<Stream, u64> = streams.into_iter().zip(heads).collect();
                for ((reply, _room, part), outcome) in waiting.drain(..).zip(outcomes) {
                    drop(part);
                    // A handler that is gone left on purpose: its client closed or timed out.
                    let _ = reply.send(Ok(outcome));
                }
                show_heads(&metrics, &followed, &heads);
            }
            Err(error) => {
                // The breaker has said once that it is open.
                if !matches!(error, StoreError::Unavailable { .. }) {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, size, "commit failed");
                }
                let error = Arc::new(error);
                for (reply, _room, part) in waiting.drain(..) {
                    drop(part);
                    let _ = reply.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}

/// Here and not in the handlers, which answer in any order: a head never goes back.
fn show_heads(metrics: &SequencerMetrics, followed: &Heads, heads: &BTreeMap<Stream, u64>) {
    for (stream, head) in heads {
        followed.advance(*stream, *head);
        let (tenant, store) = (stream.tenant_id.to_string(), stream.store_id.to_string());
        let head = i64::try_from(*head).unwrap_or(i64::MAX);
        metrics.head_sequence.with(&[&tenant, &store]).set(head);
    }
}
