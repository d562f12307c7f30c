//! Events read, signed and encoded once for all who follow a stream, within a bound of bytes.
//!
//! Pages are kept by their first number as long as others are not asked for more; the rest is
//! read again. A page never crosses a multiple of [`BLOCK`], so that subscribers who begin at any
//! number soon ask for the same pages. Every byte of encoded events holds its part of one budget,
//! wherever it is: kept here, or on its way to a client that reads slowly.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::SequencerMetrics;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use ves::{EventRecord, Stream};

use super::format::Format;
use crate::identity::Identity;
use crate::store::{Store, StoreError, StoredEvent};

/// Numbers read at once, at most: what is kept of a busy stream is worth its trip.
const BLOCK: u64 = 64;
/// Bytes of payload after which a read ends.
const READ_BYTES: usize = 256 << 10;
/// Bytes after which a page ends, with the event that reaches them: what a client that does not
/// read keeps in memory, twice at most.
const PAGE_BYTES: usize = 16 << 10;
/// About what an event without its payload takes: one allocation for a large one.
const ENVELOPE_BYTES: usize = 4 << 10;
/// What keeping a page takes beside its bytes.
const ENTRY_BYTES: u64 = 256;
/// Reads at once, so that open streams leave the store's connections to requests.
const READS: usize = 2;
/// Longest wait for memory; those who read slowly give it back sooner or are cut.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);

type Key = (Stream, Format, u64);
type Kept = Cache<Key, Page, ByBytes, DefaultHashBuilder, DefaultLifecycle<Key, Page>>;

/// What a subscriber gives to its client next.
#[derive(Clone)]
pub(super) struct Page {
    /// Whole encoded events.
    pub(super) bytes: Bytes,
    /// The number after the last of them.
    pub(super) next: u64,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Page> for ByBytes {
    fn weight(&self, _: &Key, page: &Page) -> u64 {
        page.bytes.len() as u64 + ENTRY_BYTES
    }
}

/// Encoded bytes and their part of the budget.
struct Held {
    text: String,
    _memory: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// The pages of all followed streams.
pub(super) struct Pages {
    store: Arc<dyn Store>,
    identity: Arc<Identity>,
    metrics: Arc<SequencerMetrics>,
    kept: Kept,
    /// The budget in bytes. What is kept takes at most half of it.
    memory: Arc<Semaphore>,
    half: u32,
    /// How many wait for memory.
    scarce: watch::Sender<usize>,
    reads: Semaphore,
}

impl Pages {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        identity: &Arc<Identity>,
        metrics: &Arc<SequencerMetrics>,
        buffer_bytes: usize,
    ) -> Self {
        let half = u32::try_from(buffer_bytes / 2).unwrap_or(u32::MAX);
        // One shard: a page may then weigh as much as all of them.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(1024)
            .weight_capacity(u64::from(half))
            .build()
            .expect("both required options are set");
        let (hash, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self {
            store: Arc::clone(store),
            identity: Arc::clone(identity),
            metrics: Arc::clone(metrics),
            kept: Cache::with_options(options, ByBytes, hash, lifecycle),
            memory: Arc::new(Semaphore::new(buffer_bytes)),
            half,
            scarce: watch::channel(0).0,
            reads: Semaphore::new(READS),
        }
    }

    /// Events from this number on, at least one; `head` is known to be given already.
    ///
    /// # Errors
    /// The store's failure, [`StoreError::Gap`] also when the log ends before the head. Without
    /// memory for a while it is [`StoreError::Failed`]: try again.
    pub(super) async fn page(
        &self,
        stream: Stream,
        format: Format,
        from: u64,
        head: u64,
    ) -> Result<Page, StoreError> {
        let kept = || self.kept.get(&(stream, format, from));
        if let Some(page) = kept() {
            return Ok(page);
        }
        let _reading = self.reads.acquire().await;
        // Others wanted the same and were first.
        if let Some(page) = kept() {
            return Ok(page);
        }
        let last = head.min(from.next_multiple_of(BLOCK));
        let limit = u32::try_from(last + 1 - from).unwrap_or(u32::MAX);
        let (events, head) = self.store.events(stream, from, limit, READ_BYTES).await?;
        let texts = self.encode(format, events);
        let total = texts.iter().map(|(text, _)| text.len()).sum::<usize>();
        let total = u32::try_from(total).unwrap_or(u32::MAX).min(self.half);
        let mut memory = self.reserve(total).await?;
        let (mut first, mut wanted) = (from, None);
        for (text, count) in texts {
            let share = text.len().min(memory.num_permits());
            let bytes = Bytes::from_owner(Held { text, _memory: memory.split(share) });
            let page = Page { bytes, next: first + count };
            wanted.get_or_insert_with(|| page.clone());
            let key = (stream, format, std::mem::replace(&mut first, page.next));
            self.kept.insert(key, page);
        }
        wanted.ok_or(StoreError::Gap { missing: from, head })
    }

    /// A part of the budget. While somebody waits for it, slow readers are cut sooner.
    async fn reserve(&self, bytes: u32) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(memory) = Arc::clone(&self.memory).try_acquire_many_owned(bytes) {
            return Ok(memory);
        }
        let _waiting = Waiting::new(&self.scarce);
        let memory = Arc::clone(&self.memory).acquire_many_owned(bytes);
        match tokio::time::timeout(MEMORY_PATIENCE, memory).await {
            Ok(Ok(memory)) => Ok(memory),
            _ => Err(StoreError::Failed(anyhow::anyhow!("slow readers hold the memory"))),
        }
    }

    /// How many wait for memory.
    pub(super) fn scarce(&self) -> watch::Receiver<usize> {
        self.scarce.subscribe()
    }

    /// Texts of whole events, and how many are in each.
    fn encode(&self, format: Format, events: Vec<StoredEvent>) -> Vec<(String, u64)> {
        let mut texts: Vec<(String, u64)> = Vec::new();
        for StoredEvent { event, signing_hash, placement } in events {
            self.metrics.receipts_signed.inc();
            let (stream, event_id) = (event.stream, event.event_id);
            let receipt = self.identity.receipt(stream, event_id, placement, &signing_hash);
            let (sequence_number, sequenced_at) =
                (placement.sequence_number, placement.sequenced_at);
            let record = EventRecord { event, sequence_number, sequenced_at, receipt };
            if texts.last().is_none_or(|(text, _)| text.len() >= PAGE_BYTES) {
                texts.push((String::new(), 0));
            }
            if let Some((text, count)) = texts.last_mut() {
                text.reserve(record.event.payload.as_str().len() + ENVELOPE_BYTES);
                format.write_event(text, &record);
                *count += 1;
            }
        }
        for (text, _) in &mut texts {
            text.shrink_to_fit();
        }
        texts
    }
}

/// Counts one who waits.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn new(scarce: &'a watch::Sender<usize>) -> Self {
        scarce.send_modify(|waiting| *waiting += 1);
        Self(scarce)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}
