//! What goes into a store and what comes out.

use uuid::Uuid;
use ves::{Event, Hash32, Refusal, Sig64, Stream, Timestamp, key::KeyWindow};

/// An event that passed every check that needs no write lock.
#[derive(Clone, Debug)]
pub struct PreparedEvent {
    /// The checked envelope.
    pub event: Event,
    /// Its signing hash, computed once.
    pub signing_hash: Hash32,
}

/// The good events of one request, all of one stream, in request order.
#[derive(Clone, Debug)]
pub struct PreparedBatch {
    /// Their stream.
    pub stream: Stream,
    /// At least one.
    pub events: Vec<PreparedEvent>,
}

/// Number, time and key under which an event was accepted: with the signing hash, all that its
/// receipt is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placement {
    /// Number in the stream, from 1.
    pub sequence_number: u64,
    /// The sequencer's clock at acceptance.
    pub sequenced_at: Timestamp,
    /// Receipt key in force then.
    pub key_version: u32,
}

/// What became of one event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventOutcome {
    /// It has a new number.
    Accepted(Placement),
    /// The same event was accepted before.
    Replayed(Placement),
    /// It has no number and left no trace.
    Refused(Refusal),
}

/// What became of one batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BatchOutcome {
    /// One per event, in order.
    pub events: Vec<EventOutcome>,
    /// Head of the stream afterwards.
    pub head_sequence: u64,
}

/// A stored event.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The envelope as accepted.
    pub event: Event,
    /// As stored at acceptance.
    pub signing_hash: Hash32,
    /// Its place in the stream.
    pub placement: Placement,
}

impl StoredEvent {
    /// What it adds to the bytes of a page.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.event.payload.as_str().len()
    }
}

/// Ends of a stream.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// Highest number given; 0 when none.
    pub head_sequence: u64,
    /// Highest number in a commitment; 0 when none.
    pub committed_sequence: u64,
    /// State root after the last commitment.
    pub last_state_root: Option<Hash32>,
}

/// What one leaf is made of, and when its event was accepted.
#[derive(Clone, Copy, Debug)]
pub struct LeafSource {
    /// As stored at acceptance.
    pub signing_hash: Hash32,
    /// The agent's signature.
    pub agent_signature: Sig64,
    /// Acceptance.
    pub sequenced_at: Timestamp,
}

/// A stream with events that are in no batch.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// The stream.
    pub stream: Stream,
    /// Last number in a batch.
    pub committed_sequence: u64,
    /// Last number given.
    pub head_sequence: u64,
    /// Acceptance of the first event that is in no batch.
    pub oldest_at: Timestamp,
}

/// A stream and its ends, for walks over all streams.
#[derive(Clone, Copy, Debug)]
pub struct StreamState {
    /// The stream.
    pub stream: Stream,
    /// Highest number given.
    pub head_sequence: u64,
    /// Highest number in a commitment.
    pub committed_sequence: u64,
}

/// An agent's signing key as registered (VES 9.1).
#[derive(Clone, Debug)]
pub struct AgentKeyRecord {
    /// Owner's tenant.
    pub tenant_id: Uuid,
    /// Owner.
    pub agent_id: Uuid,
    /// Number among the owner's keys.
    pub key_id: u32,
    /// VES 8.3; 1 is Ed25519.
    pub algorithm: u32,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// When it is good.
    pub window: KeyWindow,
    /// Registration.
    pub created_at: Timestamp,
}

/// Where a credential came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ApiKeyOrigin {
    /// `BOOTSTRAP_ADMIN_API_KEY`, or created at first start in development.
    Bootstrap,
    /// `BOOTSTRAP_SIDECAR_API_KEY`, or created at first start in development.
    Sidecar,
    /// Through the administrative route.
    Created,
}

impl ApiKeyOrigin {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Sidecar => "sidecar",
            Self::Created => "created",
        }
    }

    /// Reads what is stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Bootstrap, Self::Sidecar, Self::Created];
        all.into_iter().find(|origin| origin.as_str() == text)
    }

    /// The variable that sets the one live credential of this origin; `None` where there are many.
    #[must_use]
    pub const fn variable(self) -> Option<&'static str> {
        match self {
            Self::Bootstrap => Some("BOOTSTRAP_ADMIN_API_KEY"),
            Self::Sidecar => Some("BOOTSTRAP_SIDECAR_API_KEY"),
            Self::Created => None,
        }
    }
}

/// A credential. Its text is nowhere, only the hash.
#[derive(Clone, Debug)]
pub struct ApiKeyRecord {
    /// SHA-256 of the credential.
    pub key_hash: Hash32,
    /// Public identifier: the first 16 hex digits of the hash.
    pub key_prefix: String,
    /// Tenant it acts for; nil is the platform.
    pub tenant_id: Uuid,
    /// Stores it may touch; empty is all.
    pub store_ids: Vec<Uuid>,
    /// May read.
    pub read: bool,
    /// May write events and commitments.
    pub write: bool,
    /// May administer its tenant.
    pub admin: bool,
    /// The only agent it may post for.
    pub agent_id: Option<Uuid>,
    /// Requests a minute, when it has a limit of its own.
    pub rate_limit: Option<u32>,
    /// Where it came from.
    pub origin: ApiKeyOrigin,
    /// Creation.
    pub created_at: Timestamp,
    /// Last use, to within ten seconds.
    pub last_used_at: Option<Timestamp>,
    /// Revocation.
    pub revoked_at: Option<Timestamp>,
}

/// A receipt key as published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SequencerKey {
    /// From 1.
    pub version: u32,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// First use.
    pub valid_from: Timestamp,
    /// End of use; `None` for the current one.
    pub valid_to: Option<Timestamp>,
}

/// The right to do work that one process does at a time, as it was when the work began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fence {
    /// The lease.
    pub lease: &'static str,
    /// Grows with every new holder.
    pub epoch: u64,
}

/// Room on a disk, bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskRoom {
    /// What this process may still write.
    pub available_bytes: u64,
    /// What it could write were the disk empty: used and available, without the reserve of root.
    pub usable_bytes: u64,
}

/// Share of a disk below which writes are refused, as a divisor: 5 %.
const REFUSED_BELOW: u64 = 20;

impl DiskRoom {
    /// Writes are refused while less than this is available: the configured floor or 5 % of the
    /// disk, whichever is more. A floor of 0 turns that off.
    #[must_use]
    pub fn floor_bytes(self, configured: u64) -> u64 {
        if configured == 0 { 0 } else { configured.max(self.usable_bytes / REFUSED_BELOW) }
    }
}

/// Connections of a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct PoolStatus {
    /// In use.
    pub active: u32,
    /// Open, unused.
    pub idle: u32,
    /// Bound.
    pub max: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_larger_of_bytes_and_share_and_zero_turns_it_off() {
        for (usable_bytes, configured, expect) in
            [(1_000, 100, 100), (10_000, 100, 500), (10_000, 0, 0), (0, 7, 7)]
        {
            let room = DiskRoom { available_bytes: 0, usable_bytes };
            assert_eq!(room.floor_bytes(configured), expect, "{usable_bytes} {configured}");
        }
    }
}
