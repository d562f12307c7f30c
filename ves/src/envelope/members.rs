//! Splits an envelope into the raw texts of its members (VES 5).

use std::borrow::Cow;

use crate::json::{BadJson, Scanner};

macro_rules! members {
    ($($name:ident),* $(,)?) => {
        /// The raw JSON text of each known member; JSON null counts as absent where VES 5
        /// says so, which the readers decide.
        #[derive(Default)]
        pub(crate) struct Members<'a> {
            $(pub(crate) $name: Option<&'a str>,)*
        }

        impl<'a> Members<'a> {
            fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<&'a str>)> {
                match name {
                    $(stringify!($name) => Some((stringify!($name), &mut self.$name)),)*
                    _ => None,
                }
            }
        }
    };
}

members! {
    ves_version, event_id, tenant_id, store_id, source_agent_id, agent_key_id, entity_type,
    entity_id, event_type, created_at, payload_kind, payload, payload_encrypted,
    payload_plain_hash, payload_cipher_hash, agent_signature, command_id, base_version,
    agent_signature_scheme, agent_signature_bundle, sequence_number, sequenced_at, receipt,
}

/// Why a text is no envelope at all.
pub(crate) enum NotMembers {
    NotJson,
    NotAnObject,
    Repeated(&'static str),
}

impl<'a> Members<'a> {
    /// Reads one object and nothing after it. Unknown members are skipped, repeated or not.
    pub(crate) fn split(envelope: &'a str) -> Result<Self, NotMembers> {
        let mut members = Self::default();
        let mut scanner = Scanner::new(envelope);
        if scanner.peek() != Some(b'{') {
            scanner.value()?;
            return Err(NotMembers::NotAnObject);
        }
        scanner.expect(b'{')?;
        if scanner.peek() == Some(b'}') {
            scanner.expect(b'}')?;
            scanner.end()?;
            return Ok(members);
        }
        loop {
            let name = scanner.name()?;
            let value = scanner.value()?;
            // A name with a lone surrogate is nobody's name: an unknown member.
            let name = name.decode().unwrap_or_default();
            if let Some((name, slot)) = members.slot(&name)
                && slot.replace(value).is_some()
            {
                return Err(NotMembers::Repeated(name));
            }
            if scanner.peek() == Some(b'}') {
                scanner.expect(b'}')?;
                scanner.end()?;
                return Ok(members);
            }
            scanner.expect(b',')?;
        }
    }
}

/// The characters of a JSON string; `None` for other values and for lone surrogates.
pub(crate) fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    crate::json::RawString { inner, has_escape: inner.contains('\\') }.decode().ok()
}

/// A plain JSON integer that fits; `1.0`, `1e0`, `"1"`, `-0` and `true` do not (VES 3.2).
pub(crate) fn integer<T: std::str::FromStr>(raw: &str) -> Option<T> {
    let digits = raw.bytes().all(|byte| byte.is_ascii_digit());
    if digits { raw.parse().ok() } else { None }
}

impl From<BadJson> for NotMembers {
    fn from(_: BadJson) -> Self {
        Self::NotJson
    }
}
