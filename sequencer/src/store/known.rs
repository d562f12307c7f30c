//! What the last commits left behind: heads, entities and keys that need not be read again.
//!
//! They let a commit of new events on known entities be one trip to the database instead of
//! several. A driver either is the only writer, or lets the database check while it writes that
//! what was remembered is still true; after a failed commit all is forgotten and read again.

use std::collections::HashMap;

use uuid::Uuid;
use ves::{KeyWindow, Stream, Timestamp};

use super::sequencing::{AgentKeyName, EntityKey};

/// Streams remembered; one more and all are forgotten.
const MAX_STREAMS: usize = 10_000;
/// Entities remembered; one more and all are forgotten.
const MAX_ENTITIES: usize = 50_000;
/// Keys remembered; one more and all are forgotten.
const MAX_KEYS: usize = 10_000;

/// A stream's end and its entities. `R` names a row in the driver's tables.
pub(super) struct KnownStream<R> {
    pub(super) row: R,
    pub(super) head_sequence: u64,
    pub(super) updated_at: Timestamp,
    entities: HashMap<String, KnownEntity<R>>,
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
    /// Entities of all streams.
    entities: usize,
    keys: HashMap<(Uuid, AgentKeyName), KeyWindow>,
}

impl<R: Copy> Known<R> {
    pub(super) fn stream(&self, stream: &Stream) -> Option<&KnownStream<R>> {
        self.streams.get(stream)
    }

    /// The window of a key of a tenant's agent.
    pub(super) fn key(&self, tenant_id: Uuid, key: AgentKeyName) -> Option<KeyWindow> {
        self.keys.get(&(tenant_id, key)).copied()
    }

    /// Where a stream ends now. Its entities stay.
    pub(super) fn learn_stream(
        &mut self,
        stream: Stream,
        row: R,
        head_sequence: u64,
        updated_at: Timestamp,
    ) {
        if self.streams.len() >= MAX_STREAMS {
            self.streams.clear();
            self.entities = 0;
        }
        let known = self.streams.entry(stream).or_insert_with(|| KnownStream {
            row,
            head_sequence,
            updated_at,
            entities: HashMap::new(),
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
        if self.entities >= MAX_ENTITIES {
            self.streams.values_mut().for_each(|stream| stream.entities = HashMap::new());
            self.entities = 0;
        }
        let Some(stream) = self.streams.get_mut(stream) else { return };
        let before = stream.entities.insert(name(key), known);
        self.entities += usize::from(before.is_none());
    }

    pub(super) fn learn_key(&mut self, tenant_id: Uuid, key: AgentKeyName, window: KeyWindow) {
        if self.keys.len() >= MAX_KEYS {
            self.keys.clear();
        }
        self.keys.insert((tenant_id, key), window);
    }

    /// Some key has another window now.
    pub(super) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// The stream was found to end here: where it was remembered to end elsewhere, somebody else
    /// wrote to it, to whatever entities.
    pub(super) fn found_stream(&mut self, stream: &Stream, head_sequence: u64) {
        if self.stream(stream).is_some_and(|known| known.head_sequence != head_sequence) {
            self.forget_stream(stream);
        }
    }

    /// Somebody else wrote to this stream.
    pub(super) fn forget_stream(&mut self, stream: &Stream) {
        let entities = self.streams.remove(stream).map_or(0, |known| known.entities.len());
        self.entities -= entities;
    }
}

impl<R: Copy> KnownStream<R> {
    pub(super) fn entity(&self, key: EntityKey<'_>) -> Option<KnownEntity<R>> {
        self.entities.get(&name(key)).copied()
    }
}

/// One text for both parts; U+0000 is in neither (VES 5).
fn name((entity_type, entity_id): EntityKey<'_>) -> String {
    [entity_type, "\0", entity_id].concat()
}
