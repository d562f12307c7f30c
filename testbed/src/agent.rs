//! An agent with one signing key, and the events it writes.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::{Event, EventDraft, SigningKey, Stream};

/// One writer of one stream.
#[derive(Clone)]
pub struct Agent {
    /// The stream that it writes.
    pub stream: Stream,
    /// Its id.
    pub id: Uuid,
    /// Which of its keys signs.
    pub key_id: u32,
    /// The key.
    pub key: SigningKey,
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// A new agent in a new stream.
    pub fn new() -> Self {
        Self::in_stream(Stream { tenant_id: Uuid::new_v4(), store_id: Uuid::new_v4() })
    }

    /// A new agent in this stream.
    pub fn in_stream(stream: Stream) -> Self {
        let key = SigningKey::from_seed(&seed());
        Self { stream, id: Uuid::new_v4(), key_id: 1, key }
    }

    /// The same agent with another key.
    pub fn with_key(&self, key_id: u32) -> Self {
        Self { key_id, key: SigningKey::from_seed(&seed()), ..self.clone() }
    }

    /// The same agent in another store of its tenant.
    pub fn in_store(&self, store_id: Uuid) -> Self {
        Self { stream: Stream { store_id, ..self.stream }, ..self.clone() }
    }

    /// What a new event says, before it is signed.
    pub fn draft(&self) -> EventDraft {
        let event_id = Uuid::new_v4();
        EventDraft {
            stream: self.stream,
            event_id,
            source_agent_id: self.id,
            agent_key_id: self.key_id,
            entity_type: "shelf".to_owned(),
            entity_id: format!("SH-{}", event_id.as_fields().0 % 16),
            event_type: "shelf.counted".to_owned(),
            created_at: "2026-02-03T04:05:06.789Z".to_owned(),
            payload: json!({ "count": 12, "by": "scanner-3" }),
            command_id: None,
            base_version: None,
        }
    }

    /// A new event.
    pub fn event(&self) -> Event {
        self.draft().sign(&self.key).unwrap()
    }

    /// A new event after this change to its draft.
    pub fn event_with(&self, change: impl FnOnce(&mut EventDraft)) -> Event {
        let mut draft = self.draft();
        change(&mut draft);
        draft.sign(&self.key).unwrap()
    }

    /// So many new events.
    pub fn events(&self, count: usize) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    /// The envelope of a new event after this change to its JSON, not signed again.
    pub fn envelope_with(&self, change: impl FnOnce(&mut Value)) -> Value {
        let mut value = envelope(&self.event());
        change(&mut value);
        value
    }

    /// The body that registers the key.
    pub fn key_body(&self) -> Value {
        json!({
            "tenantId": self.stream.tenant_id,
            "agentId": self.id,
            "keyId": self.key_id,
            "publicKey": self.public_key_hex(),
        })
    }

    /// The body that names the key.
    pub fn key_name(&self) -> Value {
        json!({
            "tenantId": self.stream.tenant_id, "agentId": self.id, "keyId": self.key_id
        })
    }

    /// The public key as `0x` and 64 hex digits.
    pub fn public_key_hex(&self) -> String {
        ves::Hash32(*self.key.public_key().as_bytes()).to_string()
    }
}

/// The envelope of an event as JSON.
pub fn envelope(event: &Event) -> Value {
    serde_json::from_str(&event.to_json()).unwrap()
}

/// An ingest body of these envelopes, each as its raw text.
pub fn body(agent_id: Uuid, envelopes: &[String]) -> String {
    format!("{{\"agentId\":\"{agent_id}\",\"events\":[{}]}}", envelopes.join(","))
}

/// `tenant_id=…&store_id=…`.
pub fn query(stream: Stream) -> String {
    format!("tenant_id={}&store_id={}", stream.tenant_id, stream.store_id)
}

/// A random seed of a signing key.
pub fn seed() -> [u8; 32] {
    let (a, b) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    std::array::from_fn(|place| if place < 16 { a[place] } else { b[place - 16] })
}

/// A small deterministic source of numbers, so that a failure can be repeated from its seed.
pub struct Numbers(u64);

impl Numbers {
    /// A source whose seed is printed, or given by `TEST_SEED`.
    pub fn printed() -> Self {
        let given = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
        #[expect(clippy::print_stdout, reason = "the test harness shows it when the test fails")]
        {
            println!("repeat with TEST_SEED={seed}");
        }
        Self(seed)
    }

    /// A source that repeats what it gave for this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    #[expect(clippy::should_implement_trait, reason = "there is always a next one")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
