//! What the last commits left behind: heads and entities that need not be read again.
//!
//! Only the one writer changes them, so they are true until a commit fails; then all is
//! forgotten and read again. They let a commit of new events on known entities be one trip to
//! the database instead of three.

use std::collections::HashMap;

use ves::{Stream, Timestamp};

use super::super::sequencing::EntityKey;

/// Streams remembered; one more and all are forgotten.
const MAX_STREAMS: usize = 10_000;
/// Entities remembered; one more and all are forgotten.
const MAX_ENTITIES: usize = 50_000;

/// A stream's row.
#[derive(Clone, Copy)]
pub(super) struct KnownStream {
    pub(super) id: i64,
    pub(super) head_sequence: u64,
    pub(super) updated_at: Timestamp,
}

/// An entity's row and version.
#[derive(Clone, Copy)]
pub(super) struct KnownEntity {
    pub(super) id: i64,
    pub(super) version: u64,
}

/// Owned by whoever holds the writer.
#[derive(Default)]
pub(super) struct Known {
    streams: HashMap<Stream, KnownStream>,
    /// By row id of the stream, then by name.
    entities: HashMap<i64, HashMap<String, KnownEntity>>,
    count: usize,
}

impl Known {
    pub(super) fn stream(&self, stream: &Stream) -> Option<KnownStream> {
        self.streams.get(stream).copied()
    }

    pub(super) fn entity(&self, stream: i64, key: EntityKey<'_>) -> Option<KnownEntity> {
        self.entities.get(&stream)?.get(&name(key)).copied()
    }

    pub(super) fn learn_stream(&mut self, stream: Stream, known: KnownStream) {
        if self.streams.len() >= MAX_STREAMS {
            self.streams.clear();
        }
        self.streams.insert(stream, known);
    }

    pub(super) fn learn_entity(&mut self, stream: i64, key: EntityKey<'_>, known: KnownEntity) {
        if self.count >= MAX_ENTITIES {
            self.entities.clear();
            self.count = 0;
        }
        let before = self.entities.entry(stream).or_default().insert(name(key), known);
        self.count += usize::from(before.is_none());
    }
}

/// One text for both parts; U+0000 is in neither (VES 5).
fn name((entity_type, entity_id): EntityKey<'_>) -> String {
    [entity_type, "\0", entity_id].concat()
}
