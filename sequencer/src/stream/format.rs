//! How events and notices look on the wire: server-sent events, or one JSON object a line.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use ves::EventRecord;

/// Format of a live stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// `text/event-stream`.
    ServerSent,
    /// `application/x-ndjson`.
    Lines,
}

impl Format {
    /// What an `Accept` header asks for. NDJSON must be named and preferred; everything else gets
    /// server-sent events.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let (mut lines, mut server_sent) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(1.0, |text| text.parse().unwrap_or(0.0));
            match essence.as_str() {
                "application/x-ndjson" => lines = quality,
                "text/event-stream" => server_sent = quality,
                _ => {}
            }
        }
        if lines > server_sent { Self::Lines } else { Self::ServerSent }
    }

    /// Value of `content-type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::ServerSent => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// Says that the connection lives.
    pub(super) fn heartbeat(self) -> Bytes {
        Bytes::from_static(match self {
            Self::ServerSent => b": heartbeat\n\n",
            Self::Lines => b"{\"type\":\"heartbeat\"}\n",
        })
    }

    /// Appends an event. No JSON of ours holds a line break.
    pub(super) fn write_event(self, out: &mut String, record: &EventRecord) {
        match self {
            Self::ServerSent => {
                // Writing to a String cannot fail.
                let _ = write!(out, "id: {}\nevent: event\ndata: ", record.sequence_number);
                record.write_json(out);
                out.push_str("\n\n");
            }
            Self::Lines => {
                out.push_str("{\"type\":\"event\"");
                let brace = out.len();
                record.write_json(out);
                out.replace_range(brace..=brace, ",");
                out.push('\n');
            }
        }
    }

    /// A message that is no event.
    pub(super) fn notice(self, name: &str, mut members: Value) -> Bytes {
        Bytes::from(match self {
            Self::ServerSent => format!("event: {name}\ndata: {members}\n\n"),
            Self::Lines => {
                members["type"] = name.into();
                format!("{members}\n")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_format() {
        let cases = [
            ("", Format::ServerSent),
            ("*/*", Format::ServerSent),
            ("application/json", Format::ServerSent),
            ("text/event-stream", Format::ServerSent),
            ("application/x-ndjson", Format::Lines),
            ("Application/X-NDJSON; q=0.9, */*;q=0.1", Format::Lines),
            ("application/x-ndjson;q=0.5, text/event-stream", Format::ServerSent),
            ("application/x-ndjson, text/event-stream;q=0.5", Format::Lines),
            ("application/x-ndjson;q=0", Format::ServerSent),
            ("application/x-ndjson;q=x", Format::ServerSent),
            (",;,=", Format::ServerSent),
        ];
        for (accept, expect) in cases {
            assert_eq!(Format::accepted(accept), expect, "{accept}");
        }
    }
}
