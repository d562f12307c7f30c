//! Why one event is refused, in the words of the wire (VES 11).

/// The outcome of the first failing check of VES 11.
#[derive(Clone, Eq, PartialEq, Debug, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Refusal {
    /// Checks 1, 2 and 21: the id is taken by an event that differs.
    DuplicateEventId,
    /// Checks 18 and 19.
    DuplicateCommandId,
    /// Check 11.
    InvalidPayloadHash,
    /// Check 12.
    InvalidCipherHash,
    /// Checks 16 and 17.
    InvalidSignature,
    /// Check 3.
    UnsupportedVersion,
    /// Checks 13 to 15: `not_found`, `revoked`, `expired`, `not_yet_valid` or `bad_key`.
    AgentKeyInvalid(&'static str),
    /// Checks 4 to 10, and any member that is missing or badly formed.
    Schema {
        /// The envelope member at fault; a dot leads into `payload_encrypted`.
        member: String,
        /// What is wrong with it, for people.
        detail: String,
    },
    /// Check 20.
    VersionConflict {
        /// `base_version` of the event.
        expected: u64,
        /// The entity's version at that point.
        actual: u64,
    },
}

impl Refusal {
    /// Every [`Refusal::code`], for label values that must exist before they happen.
    pub const CODES: &[&str] = &[
        "duplicate_event_id",
        "duplicate_command_id",
        "invalid_payload_hash",
        "invalid_cipher_hash",
        "invalid_signature",
        "unsupported_version",
        "agent_key_invalid",
        "schema_validation",
        "version_conflict",
    ];

    /// The exact text of `reason` in the response (VES 11).
    pub fn reason(&self) -> String {
        let code = self.code();
        match self {
            Self::AgentKeyInvalid(status) => format!("{code}: {status}"),
            Self::Schema { member, .. } => format!("{code}: {member}"),
            Self::VersionConflict { expected, actual } => {
                format!("{code}: expected {expected}, actual {actual}")
            }
            _ => code.to_owned(),
        }
    }

    /// The part of the reason before the colon.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateEventId => "duplicate_event_id",
            Self::DuplicateCommandId => "duplicate_command_id",
            Self::InvalidPayloadHash => "invalid_payload_hash",
            Self::InvalidCipherHash => "invalid_cipher_hash",
            Self::InvalidSignature => "invalid_signature",
            Self::UnsupportedVersion => "unsupported_version",
            Self::AgentKeyInvalid(_) => "agent_key_invalid",
            Self::Schema { .. } => "schema_validation",
            Self::VersionConflict { .. } => "version_conflict",
        }
    }

    /// What is wrong and what to do about it, for the people who write the agent.
    pub fn message(&self) -> String {
        let text = match self {
            Self::DuplicateEventId => {
                "another event of this stream has this event_id; give the event a new one"
            }
            Self::DuplicateCommandId => {
                "another event of this stream carries this command_id; \
                 the command has been carried out already"
            }
            Self::InvalidPayloadHash => {
                "payload_plain_hash is not the hash of the payload; \
                 hash its canonical JSON (RFC 8785) after VES_PAYLOAD_PLAIN_V1"
            }
            Self::InvalidCipherHash => {
                "payload_cipher_hash is not the hash of the encrypted payload in this envelope"
            }
            Self::InvalidSignature => {
                "agent_signature is not an Ed25519 signature of this event by this key; \
                 sign the 32 bytes of the event signing hash"
            }
            Self::UnsupportedVersion => "ves_version must be 1",
            Self::AgentKeyInvalid(status) => return key_message(status).to_owned(),
            Self::Schema { member, detail } => return format!("{member} {detail}"),
            Self::VersionConflict { expected, actual } => {
                return format!(
                    "base_version is {expected} but the entity has version {actual}; \
                     read its latest events and decide again"
                );
            }
        };
        text.to_owned()
    }

    pub(crate) fn schema(member: &str, detail: &str) -> Self {
        Self::Schema { member: member.to_owned(), detail: detail.to_owned() }
    }
}

fn key_message(status: &str) -> &'static str {
    match status {
        "not_found" => "no key is registered for this agent and agent_key_id; register it first",
        "revoked" => "the signing key has been revoked; sign with another key",
        "expired" => "the signing key has expired; rotate to a new key",
        "not_yet_valid" => "the signing key is not valid yet; wait for its valid_from",
        _ => "the registered public key is not usable; register a new key",
    }
}
