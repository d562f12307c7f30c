//! The batches of one group commit, by stream, on their way through a driver.

use std::collections::{BTreeMap, HashMap, hash_map};

use ves::{Stream, Timestamp};

use super::known::{Known, KnownEntity};
use super::sequencing::{EntityKey, NewRow, StreamFacts, decide, entity_of, key_of};
use super::{BatchOutcome, EventOutcome, PreparedBatch, PreparedEvent, StoreError};

/// One stream's part of a commit. `R` names a row in the driver's tables.
#[derive(Default)]
pub(super) struct Group<'a, R> {
    pub(super) batches: Vec<&'a PreparedBatch>,
    /// Of the stream.
    pub(super) row: R,
    /// False until the stream has its first event.
    pub(super) exists: bool,
    /// Grows when a key of the tenant ends, where others may end keys.
    pub(super) key_epoch: u64,
    pub(super) facts: StreamFacts<'a>,
    /// Rows of known entities.
    pub(super) entities: HashMap<EntityKey<'a>, R>,
    /// What is to be written.
    pub(super) rows: Vec<NewRow<'a>>,
}

/// In key order: every process locks streams in the same order.
pub(super) type Groups<'a, R> = BTreeMap<Stream, Group<'a, R>>;

impl<'a, R> Group<'a, R> {
    /// All events that were offered.
    pub(super) fn events(&self) -> impl Iterator<Item = &'a PreparedEvent> {
        self.batches.iter().flat_map(|batch| &batch.events)
    }

    /// Time of the last number, in microseconds.
    pub(super) fn updated_at(&self) -> i64 {
        self.facts.updated_at.map_or(0, Timestamp::as_micros)
    }
}

pub(super) fn group<R: Default>(batches: &[PreparedBatch]) -> Groups<'_, R> {
    let mut groups = Groups::<R>::new();
    for batch in batches {
        groups.entry(batch.stream).or_default().batches.push(batch);
    }
    groups
}

/// Decides all batches in order. What is to be written is in the groups afterwards.
pub(super) fn decide_all<'a, R>(
    groups: &mut Groups<'a, R>,
    batches: &'a [PreparedBatch],
    now: Timestamp,
    key_version: u32,
) -> Result<Vec<BatchOutcome>, StoreError> {
    let decide_one = |batch: &'a PreparedBatch| {
        let group = groups.get_mut(&batch.stream).ok_or_else(|| corrupt("stream"))?;
        Ok(decide(&mut group.facts, batch, now, key_version, &mut group.rows))
    };
    batches.iter().map(decide_one).collect()
}

pub(super) fn all_accepted(outcomes: &[BatchOutcome]) -> bool {
    let accepted = |outcome: &EventOutcome| matches!(outcome, EventOutcome::Accepted(_));
    outcomes.iter().flat_map(|batch| &batch.events).all(accepted)
}

/// Fills the groups from memory as far as it reaches; true when nothing is missing.
pub(super) fn recall<R: Copy>(known: &Known<R>, groups: &mut Groups<'_, R>) -> bool {
    let mut complete = true;
    for (stream, group) in groups {
        let Group { batches, row, exists, key_epoch, facts, entities, .. } = group;
        let remembered = known.stream(stream);
        if let Some(remembered) = remembered {
            (*row, *exists, *key_epoch) = (remembered.row, true, remembered.key_epoch);
            facts.head_sequence = remembered.head_sequence;
            facts.updated_at = Some(remembered.updated_at);
        }
        for prepared in batches.iter().flat_map(|batch| &batch.events) {
            let (entity, key) = (entity_of(&prepared.event), key_of(&prepared.event));
            if let hash_map::Entry::Vacant(place) = entities.entry(entity) {
                match remembered.and_then(|stream| stream.entity(entity)) {
                    Some(KnownEntity { row, version }) => {
                        place.insert(row);
                        facts.versions.insert(entity, version);
                    }
                    None => complete = false,
                }
            }
            if let hash_map::Entry::Vacant(place) = facts.keys.entry(key) {
                match remembered.and_then(|stream| stream.key(key)) {
                    Some(window) => {
                        place.insert(window);
                    }
                    None => complete = false,
                }
            }
        }
    }
    complete
}

/// Keeps what a commit left behind for the next one.
pub(super) fn remember<R: Copy>(known: &mut Known<R>, groups: Groups<'_, R>) {
    for (stream, group) in groups {
        let Some(updated_at) = group.facts.updated_at else { continue };
        let end = (group.facts.head_sequence, updated_at);
        known.learn_stream(stream, group.row, end, group.key_epoch);
        for (key, row) in group.entities {
            if let Some(&version) = group.facts.versions.get(&key) {
                known.learn_entity(&stream, key, KnownEntity { row, version });
            }
        }
        for (key, window) in group.facts.keys {
            known.learn_key(&stream, key, window);
        }
    }
}

/// The database answered about something that was not asked.
pub(super) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a row of another {what} than was asked for"))
}
