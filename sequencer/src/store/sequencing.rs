//! Which events are accepted, under which numbers: the rules of VES 12, free of any database.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use ves::{Event, Hash32, KeyStatus, KeyWindow, Refusal, Sig64, Timestamp};

use super::model::{BatchOutcome, EventOutcome, Placement, PreparedBatch, PreparedEvent};

/// `(entity_type, entity_id)` inside a stream.
pub type EntityKey<'a> = (&'a str, &'a str);

/// `(agent_id, key_id)` inside a tenant.
pub type AgentKeyName = (Uuid, u32);

/// The members of a stored event that a re-submission must repeat exactly (VES 12.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fingerprint {
    /// Covers everything the agent signed.
    pub signing_hash: Hash32,
    /// The signature itself: it is part of the leaf.
    pub agent_signature: Sig64,
    /// Unsigned, but decides about acceptance.
    pub command_id: Option<Uuid>,
    /// Unsigned, but decides about acceptance.
    pub base_version: Option<u64>,
}

impl Fingerprint {
    /// Of an event with this signing hash.
    #[must_use]
    pub fn of(event: &Event, signing_hash: Hash32) -> Self {
        Self {
            signing_hash,
            agent_signature: event.agent_signature,
            command_id: event.command_id,
            base_version: event.base_version,
        }
    }

    /// The outcome of offering an event whose id is taken by the event of this fingerprint.
    #[must_use]
    pub fn resubmitted(&self, offered: &Self, placement: Placement) -> EventOutcome {
        if self == offered {
            EventOutcome::Replayed(placement)
        } else {
            EventOutcome::Refused(Refusal::DuplicateEventId)
        }
    }
}

/// What a driver knows about one stream under its lock. It holds every event id, command id,
/// entity and key of the batches to be decided, as far as the store has them.
#[derive(Default)]
pub struct StreamFacts<'a> {
    /// Last number given.
    pub head_sequence: u64,
    /// Time of the last number.
    pub updated_at: Option<Timestamp>,
    /// Stored events by id.
    pub events: HashMap<Uuid, (Fingerprint, Placement)>,
    /// Command ids in use.
    pub commands: HashSet<Uuid>,
    /// Versions of known entities.
    pub versions: HashMap<EntityKey<'a>, u64>,
    /// Windows of the agents' keys. The moment of the number counts (VES 9.2), so they are read in
    /// the transaction that gives it: what was true when the signature was checked may be over.
    pub keys: HashMap<AgentKeyName, KeyWindow>,
}

/// An accepted event on its way into the store.
#[derive(Clone, Copy)]
pub struct NewRow<'a> {
    /// The event.
    pub prepared: &'a PreparedEvent,
    /// Its place.
    pub placement: Placement,
    /// Its entity's version after it.
    pub entity_version: u64,
}

/// Decides one batch and brings the facts up to date, so that the next batch of the same
/// transaction sees its effects. Accepted events are appended to `rows`.
pub fn decide<'a>(
    facts: &mut StreamFacts<'a>,
    batch: &'a PreparedBatch,
    now: Timestamp,
    key_version: u32,
    rows: &mut Vec<NewRow<'a>>,
) -> BatchOutcome {
    // One time for all events of a transaction, and never before the last one of the stream,
    // whatever the clock does.
    let sequenced_at = facts.updated_at.map_or(now, |last| last.max(now));
    let mut commands_of_request = HashSet::new();
    let mut events = Vec::with_capacity(batch.events.len());
    for prepared in &batch.events {
        let outcome = match check(facts, &mut commands_of_request, prepared, sequenced_at) {
            Err(outcome) => outcome,
            Ok(()) => {
                let placement = Placement {
                    sequence_number: facts.head_sequence + 1,
                    sequenced_at,
                    key_version,
                };
                let entity_version = accept(facts, prepared, placement);
                rows.push(NewRow { prepared, placement, entity_version });
                EventOutcome::Accepted(placement)
            }
        };
        events.push(outcome);
    }
    BatchOutcome { events, head_sequence: facts.head_sequence }
}

/// Checks 2, 14 once more, and 18 to 20 of VES 11.
fn check(
    facts: &StreamFacts<'_>,
    commands_of_request: &mut HashSet<Uuid>,
    prepared: &PreparedEvent,
    sequenced_at: Timestamp,
) -> Result<(), EventOutcome> {
    let event = &prepared.event;
    if let Some((stored, placement)) = facts.events.get(&event.event_id) {
        let offered = Fingerprint::of(event, prepared.signing_hash);
        return Err(stored.resubmitted(&offered, *placement));
    }
    let status = facts.keys.get(&key_of(event)).map(|window| window.live_status(sequenced_at));
    if status != Some(KeyStatus::Active) {
        let reason = status.map_or("not_found", KeyStatus::as_str);
        return Err(EventOutcome::Refused(Refusal::AgentKeyInvalid(reason)));
    }
    if let Some(command_id) = event.command_id {
        // Taken by an earlier valid event of this request, even if that one fails below.
        let new_in_request = commands_of_request.insert(command_id);
        if !new_in_request || facts.commands.contains(&command_id) {
            return Err(EventOutcome::Refused(Refusal::DuplicateCommandId));
        }
    }
    let actual = facts.versions.get(&entity_of(event)).copied().unwrap_or(0);
    match event.base_version {
        Some(expected) if expected != actual => {
            Err(EventOutcome::Refused(Refusal::VersionConflict { expected, actual }))
        }
        _ => Ok(()),
    }
}

/// Brings the facts up to date and returns the entity's new version.
fn accept<'a>(
    facts: &mut StreamFacts<'a>,
    prepared: &'a PreparedEvent,
    placement: Placement,
) -> u64 {
    let event = &prepared.event;
    facts.head_sequence = placement.sequence_number;
    facts.updated_at = Some(placement.sequenced_at);
    let fingerprint = Fingerprint::of(event, prepared.signing_hash);
    facts.events.insert(event.event_id, (fingerprint, placement));
    facts.commands.extend(event.command_id);
    let version = facts.versions.entry(entity_of(event)).or_insert(0);
    *version += 1;
    *version
}

/// The key that signed an event.
#[must_use]
pub fn key_of(event: &Event) -> AgentKeyName {
    (event.source_agent_id, event.agent_key_id)
}

/// The entity an event is about.
#[must_use]
pub fn entity_of(event: &Event) -> EntityKey<'_> {
    (&event.entity_type, &event.entity_id)
}
