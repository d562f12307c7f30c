//! The window in which an agent key is good (VES 9).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::Timestamp;

/// The status a registry record carries (VES 9.1).
#[derive(Copy, Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredStatus {
    /// Usable inside its window.
    Active,
    /// Withdrawn for ever.
    Revoked,
    /// Retired; treated as expired (VES 9.2 \[H\]).
    Expired,
}

impl StoredStatus {
    /// The text of the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// Reads the text of the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Revoked, Self::Expired].into_iter().find(|s| s.as_str() == text)
    }
}

/// What a key is at one moment (VES 9.2).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum KeyStatus {
    /// Signatures count.
    Active,
    /// Before `valid_from`.
    NotYetValid,
    /// After `valid_to`, or stored as expired.
    Expired,
    /// Withdrawn.
    Revoked,
}

impl KeyStatus {
    /// The text after `agent_key_invalid: ` (VES 11, check 14).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of a registry record that decides the status (VES 9.1). Both ends are inclusive.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct KeyWindow {
    /// Status in the record.
    pub status: StoredStatus,
    /// First good moment; none means no lower bound.
    pub valid_from: Option<Timestamp>,
    /// Last good moment; none means no upper bound.
    pub valid_to: Option<Timestamp>,
    /// When the key was withdrawn; present exactly when the status is revoked.
    pub revoked_at: Option<Timestamp>,
}

impl KeyWindow {
    /// Status for accepting an event now, by the sequencer's clock (VES 9.2, rules 1 to 5).
    pub fn live_status(&self, at: Timestamp) -> KeyStatus {
        match self.status {
            StoredStatus::Revoked => KeyStatus::Revoked,
            StoredStatus::Expired => KeyStatus::Expired,
            StoredStatus::Active => self.audit_status(at),
        }
    }

    /// Status for auditing an event sequenced then (VES 9.2, rules 2 to 4 only).
    ///
    /// The stored status is ignored: a key withdrawn later must not spoil earlier events.
    pub fn audit_status(&self, sequenced_at: Timestamp) -> KeyStatus {
        if self.valid_from.is_some_and(|from| sequenced_at < from) {
            KeyStatus::NotYetValid
        } else if self.valid_to.is_some_and(|to| sequenced_at > to) {
            KeyStatus::Expired
        } else if self.revoked_at.is_some_and(|revoked| sequenced_at >= revoked) {
            KeyStatus::Revoked
        } else {
            KeyStatus::Active
        }
    }
}
