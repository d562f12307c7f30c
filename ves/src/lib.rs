//! The VES 1.0 protocol as pure functions: no I/O, no clock, no randomness, no async.
//!
//! A sequencer, an agent, a witness and an auditor all use this one crate, so that they can never
//! disagree about a byte. "VES 15.1" in the documentation names a section of the protocol
//! description; \[H\] marks its hardening rules, which this crate always applies when it accepts
//! an event.
//!
//! * An event comes in through [`parse_submission`], its signature is checked with
//!   [`Event::verify_signature`], and a [`Receipt`] answers it.
//! * A batch becomes a tree ([`merkle`]) and a [`Commitment`] chained to the one before.
//! * Anybody reads all of it back ([`wire`]) and feeds it to a [`StreamAuditor`].
//!
//! No input makes a function here panic, and no nesting of a text makes it use more stack.

pub mod audit;
pub mod bytes;
pub mod canary;
pub mod canonical;
pub mod commitment;
pub mod encrypted;
pub mod envelope;
mod json;
pub mod key;
pub mod merkle;
pub mod preimage;
pub mod receipt;
pub mod signature;
pub mod stream;
pub mod wire;

pub use audit::{KeySource, StreamAuditor, Violation, ViolationKind};
pub use bytes::{Hash32, Sig64, Timestamp};
pub use canonical::{CanonicalError, CanonicalLimits, canonicalize};
pub use commitment::{ChainError, Commitment};
pub use envelope::{
    EnvelopeLimits, Event, EventDraft, MalformedEnvelope, Payload, Refusal, Submission,
    parse_submission,
};
pub use key::{KeyStatus, KeyWindow, StoredStatus};
pub use merkle::{InclusionProof, Tile};
pub use receipt::{Receipt, receipt_hash};
pub use signature::{BadPublicKey, PublicKey, SigningKey, proof_of_possession_challenge};
pub use stream::Stream;
pub use wire::{EventRecord, RecordError, parse_event_record};
