//! What the last commits left behind: heads, entities and keys that need not be read again.
//!
//! They let a commit of new events on known entities be one trip to the database instead of
//! several. A driver either is the only writer, or lets the database check while it writes that
//! what was remembered is still true; after a failed commit all is forgotten and read again.

use std::collections::HashMap;

use ves::{KeyWindow, Stream, Timestamp};

use super::sequencing::{AgentKeyName, EntityKey};

/// Streams remembered; one more and all are forgotten.
const MAX_STREAMS: usize = 10_000;
/// Entities and keys remembered; one more and all are forgotten.
const MAX_ENTRIES: usize = 60_000;

/// A stream's end, its entities there, and keys of its tenant. `R` names a row in the driver's
/// tables.
pub(super) struct KnownStream<R> {
    pub(super) row: R,
    pub(super) head_sequence: u64,
    pub(super) updated_at: Timestamp,
    /// Grows when a key of the tenant ends.
    pub(super) key_epoch: u64,
    entities: HashMap<String, KnownEntity<R>>,
    /// As they were read in this epoch.
    keys: HashMap<AgentKeyName, KeyWindow>,
}

/// An entity's row and version.
#[derive(Clone, Copy)]
pub(super) struct KnownEntity<R> {
    pub(super) row: R,
    pub(super) version: u64,
}

/// Owned by whoever holds the writer.
#[derive(Default)]
pub(super) struct Known<R> {
    streams: HashMap<Stream, KnownStream<R>>,
    /// Entities and keys of all streams.
    entries: usize,
}

impl<R: Copy> Known<R> {
    pub(super) fn stream(&self, stream: &Stream) -> Option<&KnownStream<R>> {
        self.streams.get(stream)
    }

    /// Where a stream ends now. Its entities and keys stay.
    pub(super) fn learn_stream(
        &mut self,
        stream: Stream,
        row: R,
        (head_sequence, updated_at): (u64, Timestamp),
        key_epoch: u64,
    ) {
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&stream) {
            *self = Self { streams: HashMap::new(), entries: 0 };
        }
        let known = self.streams.entry(stream).or_insert_with(|| KnownStream {
            row,
            head_sequence,
            updated_at,
            key_epoch,
            entities: HashMap::new(),
            keys: HashMap::new(),
        });
        (known.head_sequence, known.updated_at) = (head_sequence, updated_at);
    }

    /// An entity of a stream that was learnt before.
    pub(super) fn learn_entity(
        &mut self,
        stream: &Stream,
        key: EntityKey<'_>,
        known: KnownEntity<R>,
    ) {
        self.make_room();
        let Some(stream) = self.streams.get_mut(stream) else { return };
        let before = stream.entities.insert(name(key), known);
        self.entries += usize::from(before.is_none());
    }

    /// A key of the tenant of a stream that was learnt before.
    pub(super) fn learn_key(&mut self, stream: &Stream, key: AgentKeyName, window: KeyWindow) {
        self.make_room();
        let Some(stream) = self.streams.get_mut(stream) else { return };
        let before = stream.keys.insert(key, window);
        self.entries += usize::from(before.is_none());
    }

    fn make_room(&mut self) {
        if self.entries >= MAX_ENTRIES {
            for stream in self.streams.values_mut() {
                (stream.entities, stream.keys) = (HashMap::new(), HashMap::new());
            }
            self.entries = 0;
        }
    }

    /// Some key has another window now.
    pub(super) fn forget_keys(&mut self) {
        for stream in self.streams.values_mut() {
            self.entries -= stream.keys.len();
            stream.keys = HashMap::new();
        }
    }

    /// The stream was found to end here, in this epoch. Where it was remembered otherwise, somebody
    /// else wrote to it, to whatever entities, or ended a key.
    pub(super) fn found_stream(
        &mut self,
        stream: &Stream,
        (head_sequence, updated_at): (u64, Timestamp),
        key_epoch: u64,
    ) {
        let Some(known) = self.streams.get_mut(stream) else { return };
        if known.head_sequence != head_sequence {
            self.entries -= known.entities.len();
            known.entities = HashMap::new();
        }
        if known.key_epoch != key_epoch {
            self.entries -= known.keys.len();
            known.keys = HashMap::new();
        }
        (known.head_sequence, known.updated_at) = (head_sequence, updated_at);
        known.key_epoch = key_epoch;
    }
}

impl<R: Copy> KnownStream<R> {
    pub(super) fn entity(&self, key: EntityKey<'_>) -> Option<KnownEntity<R>> {
        self.entities.get(&name(key)).copied()
    }

    /// The window of a key of the tenant.
    pub(super) fn key(&self, key: AgentKeyName) -> Option<KeyWindow> {
        self.keys.get(&key).copied()
    }
}

/// One text for both parts; U+0000 is in neither (VES 5).
fn name((entity_type, entity_id): EntityKey<'_>) -> String {
    [entity_type, "\0", entity_id].concat()
}
