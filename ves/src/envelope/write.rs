//! Writes an envelope as an agent sends it and as a read route shows it (VES 5).

use std::fmt::Write as _;

use super::{Event, Payload};
use crate::canonical::push_string;

/// Room for all members but the payload and the four strings.
const FIXED_BYTES: usize = 1024;

impl Event {
    /// The compact envelope (VES 5): hashes with `0x`, payload canonical, absent optional
    /// members left out.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(FIXED_BYTES + self.payload.as_str().len());
        out.push('{');
        self.write_members(&mut out);
        out.push('}');
        out
    }

    /// The members without the braces, so that a record can add its own.
    pub(crate) fn write_members(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "\"ves_version\":1,\"event_id\":\"{}\",\"tenant_id\":\"{}\",\"store_id\":\"{}\",\
             \"source_agent_id\":\"{}\",\"agent_key_id\":{}",
            self.event_id,
            self.stream.tenant_id,
            self.stream.store_id,
            self.source_agent_id,
            self.agent_key_id,
        );
        let texts = [
            (",\"entity_type\":", &self.entity_type),
            (",\"entity_id\":", &self.entity_id),
            (",\"event_type\":", &self.event_type),
            (",\"created_at\":", &self.created_at),
        ];
        for (name, text) in texts {
            out.push_str(name);
            push_string(out, text);
        }
        let (kind, content) = match &self.payload {
            Payload::Plain(content) => (",\"payload_kind\":0,\"payload\":", content),
            Payload::Encrypted(content) => (",\"payload_kind\":1,\"payload_encrypted\":", content),
        };
        out.push_str(kind);
        out.push_str(content);
        let _ = write!(
            out,
            ",\"payload_plain_hash\":\"0x{}\",\"payload_cipher_hash\":\"0x{}\",\
             \"agent_signature\":\"0x{}\"",
            self.payload_plain_hash, self.payload_cipher_hash, self.agent_signature,
        );
        if let Some(scheme) = self.signature_scheme {
            let _ = write!(out, ",\"agent_signature_scheme\":{scheme}");
        }
        if let Some(command_id) = self.command_id {
            let _ = write!(out, ",\"command_id\":\"{command_id}\"");
        }
        if let Some(base_version) = self.base_version {
            let _ = write!(out, ",\"base_version\":{base_version}");
        }
    }
}
