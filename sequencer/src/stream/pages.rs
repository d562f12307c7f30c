//! Events read, signed and encoded once for all who follow a stream, within a bound of bytes.
//!
//! A stream is cut into blocks of [`BLOCK`] numbers. A block grows while its numbers are given
//! and is kept in memory as long as others are not asked for more; the rest is read again. Every
//! byte of encoded events holds its part of one budget, wherever it is: in a block, or on its
//! way to a client that reads slowly.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::SequencerMetrics;
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync::Cache};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ves::{EventRecord, Stream};

use super::format::Format;
use crate::identity::Identity;
use crate::store::{Store, StoreError, StoredEvent};

/// Numbers of a block: few enough that a block of the largest payloads fits the memory, enough
/// that a read is worth its trip.
const BLOCK: u64 = 16;
/// Bytes of payload after which a read ends; a block of large events grows by several reads.
const READ_BYTES: usize = 1 << 20;
/// Bytes of a chunk: what a client that does not read keeps in memory, three times at most.
const CHUNK_BYTES: usize = 16 << 10;
/// Reads at once, so that open streams leave the store's connections to requests.
const READS: usize = 2;
/// Longest wait for memory; those who read slowly give it back or are cut.
const MEMORY_PATIENCE: Duration = Duration::from_secs(1);

type Key = (Stream, Format, u64);
type Blocks =
    Cache<Key, Arc<Block>, ByBytes, DefaultHashBuilder, DefaultLifecycle<Key, Arc<Block>>>;

/// What a subscriber gives to its client next.
pub(super) struct Page {
    /// Whole encoded events.
    pub(super) bytes: Bytes,
    /// The number after the last of them.
    pub(super) next: u64,
}

/// Encoded events, each whole, with consecutive numbers.
#[derive(Clone)]
struct Chunk {
    first: u64,
    /// Where each event ends.
    ends: Vec<usize>,
    bytes: Bytes,
}

impl Chunk {
    /// The number after its last event.
    fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    /// Its events from a number on that it holds.
    fn page(&self, from: u64) -> Page {
        let before = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let start = before.checked_sub(1).map_or(0, |place| self.ends[place]);
        Page { bytes: self.bytes.slice(start..), next: self.next() }
    }
}

/// Events of a block from its first number on.
#[derive(Clone, Default)]
struct Block(Vec<Chunk>);

impl Block {
    fn page(&self, from: u64) -> Option<Page> {
        let chunk = self.0.iter().find(|chunk| from < chunk.next())?;
        Some(chunk.page(from))
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|chunk| chunk.bytes.len()).sum()
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Block>> for ByBytes {
    fn weight(&self, _: &Key, block: &Arc<Block>) -> u64 {
        block.bytes() as u64 + 256
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
    blocks: Blocks,
    /// The budget in bytes. Blocks take at most half of it; the other half is on its way.
    memory: Arc<Semaphore>,
    half: u32,
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
        // One shard: a block may then weigh as much as all of them.
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
            blocks: Cache::with_options(options, ByBytes, hash, lifecycle),
            memory: Arc::new(Semaphore::new(buffer_bytes)),
            half,
            reads: Semaphore::new(READS),
        }
    }

    /// Events from this number on, at least one; `head` is known to be given already.
    ///
    /// # Errors
    /// The store's failure, [`StoreError::Gap`] also when the log ends before the head. Without
    /// memory for a second it is [`StoreError::Failed`]: try again.
    pub(super) async fn page(
        &self,
        stream: Stream,
        format: Format,
        from: u64,
        head: u64,
    ) -> Result<Page, StoreError> {
        let number = (from - 1) / BLOCK;
        let key = (stream, format, number);
        let known = || self.blocks.get(&key);
        if let Some(page) = known().and_then(|block| block.page(from)) {
            return Ok(page);
        }
        let _reading = self.reads.acquire().await;
        // Others wanted the same and were first.
        let block = known();
        if let Some(page) = block.as_ref().and_then(|block| block.page(from)) {
            return Ok(page);
        }
        let mut block = block.map_or_else(Block::default, |block| Block::clone(&block));
        let last = head.min((number + 1) * BLOCK);
        loop {
            let start = block.0.last().map_or(number * BLOCK + 1, Chunk::next);
            block.0.extend(self.read(stream, format, start, last).await?);
            if let Some(page) = block.page(from) {
                self.blocks.insert(key, Arc::new(block));
                return Ok(page);
            }
        }
    }

    async fn read(
        &self,
        stream: Stream,
        format: Format,
        start: u64,
        last: u64,
    ) -> Result<Vec<Chunk>, StoreError> {
        let limit = u32::try_from(last + 1 - start).unwrap_or(u32::MAX);
        let (events, head) = self.store.events(stream, start, limit, READ_BYTES).await?;
        if events.is_empty() {
            return Err(StoreError::Gap { missing: start, head });
        }
        let texts = self.encode(format, events);
        let total = texts.iter().map(|(text, _)| text.len()).sum::<usize>();
        let total = u32::try_from(total).unwrap_or(u32::MAX).min(self.half);
        let memory = Arc::clone(&self.memory).acquire_many_owned(total);
        let memory = tokio::time::timeout(MEMORY_PATIENCE, memory).await;
        let Ok(Ok(mut memory)) = memory else {
            return Err(StoreError::Failed(anyhow::anyhow!("slow readers hold the memory")));
        };
        let mut first = start;
        let chunks = texts.into_iter().map(|(text, ends)| {
            let share = text.len().min(memory.num_permits());
            let held = Held { text, _memory: memory.split(share) };
            let chunk = Chunk { first, ends, bytes: Bytes::from_owner(held) };
            first = chunk.next();
            chunk
        });
        Ok(chunks.collect())
    }

    /// Texts of whole events and where each event ends in them.
    fn encode(&self, format: Format, events: Vec<StoredEvent>) -> Vec<(String, Vec<usize>)> {
        let mut chunks: Vec<(String, Vec<usize>)> = Vec::new();
        for StoredEvent { event, signing_hash, placement } in events {
            self.metrics.receipts_signed.inc();
            let (stream, event_id) = (event.stream, event.event_id);
            let receipt = self.identity.receipt(stream, event_id, placement, &signing_hash);
            let (sequence_number, sequenced_at) =
                (placement.sequence_number, placement.sequenced_at);
            let record = EventRecord { event, sequence_number, sequenced_at, receipt };
            if chunks.last().is_none_or(|(text, _)| text.len() >= CHUNK_BYTES) {
                chunks.push((String::new(), Vec::new()));
            }
            if let Some((text, ends)) = chunks.last_mut() {
                format.write_event(text, &record);
                ends.push(text.len());
            }
        }
        for (text, _) in &mut chunks {
            text.shrink_to_fit();
        }
        chunks
    }
}
