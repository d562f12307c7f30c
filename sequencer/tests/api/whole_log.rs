//! Reads a whole stream back over HTTP, as a stranger would, and audits it.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;
use ves::audit::KeySource;
use ves::wire::{AgentKeysPage, CommitmentsPage, EventsPage, HeadResponse, SequencerInfo};
use ves::{EventRecord, Hash32, KeyWindow, PublicKey, Stream, StreamAuditor, parse_event_record};

use crate::agent::query;
use crate::client::Client;

/// Keys as the server publishes them.
struct Published {
    agents: HashMap<(Uuid, Uuid, u32), (PublicKey, KeyWindow)>,
    sequencer: HashMap<u32, PublicKey>,
}

impl KeySource for Published {
    fn agent_key(&self, tenant: Uuid, agent: Uuid, key: u32) -> Option<(PublicKey, KeyWindow)> {
        self.agents.get(&(tenant, agent, key)).cloned()
    }

    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey> {
        self.sequencer.get(&key_version).cloned()
    }
}

/// A stream as it was at one moment.
struct Log {
    head: HeadResponse,
    events: Vec<EventRecord>,
    commitments: Vec<ves::Commitment>,
}

/// Asserts that the stream is exactly what the protocol promises, and returns its events.
pub(crate) async fn check(client: &Client, stream: Stream) -> Vec<EventRecord> {
    let Log { head, events, commitments } = read(client, stream).await;
    let keys = published_keys(client, stream, &events).await;
    let mut auditor = StreamAuditor::new(stream);
    let mut violations = Vec::new();
    for event in &events {
        violations.extend(auditor.event(event, &keys));
    }
    for commitment in &commitments {
        violations.extend(auditor.commitment(commitment));
    }
    violations.extend(auditor.head(head.head_sequence));
    assert!(violations.is_empty(), "stream {stream:?}: {violations:?}");
    assert_eq!(events.len() as u64, head.head_sequence);
    let ascending = events.is_sorted_by_key(|event| event.sequenced_at);
    assert!(ascending, "sequenced_at decreases in {stream:?}");
    let last = commitments.last();
    assert_eq!(head.committed_sequence, last.map_or(0, |last| last.sequence_end));
    assert_eq!(head.last_state_root, last.map(|last| last.new_state_root));
    check_versions(&events);
    events
}

/// Reads all of a stream, again while somebody writes or seals meanwhile.
async fn read(client: &Client, stream: Stream) -> Log {
    for _ in 0..100 {
        let head = client.head(stream).await;
        let events = read_events(client, stream, head["head_sequence"].as_u64().unwrap()).await;
        let commitments = read_commitments(client, stream).await;
        if client.head(stream).await == head {
            return Log { head: serde_json::from_value(head).unwrap(), events, commitments };
        }
    }
    panic!("the stream never rests");
}

/// Every accepted base version was the number of events its entity had, and no command or event
/// id comes twice.
fn check_versions(events: &[EventRecord]) {
    let mut versions: HashMap<(&str, &str), u64> = HashMap::new();
    let (mut ids, mut commands) = (Vec::new(), Vec::new());
    for EventRecord { event, .. } in events {
        let version = versions.entry((&event.entity_type, &event.entity_id)).or_default();
        if let Some(base) = event.base_version {
            assert_eq!(base, *version, "{}", event.event_id);
        }
        *version += 1;
        ids.push(event.event_id);
        commands.extend(event.command_id);
    }
    for mut list in [ids, commands] {
        let length = list.len();
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), length, "an id comes twice");
    }
}

pub(crate) async fn read_events(client: &Client, stream: Stream, head: u64) -> Vec<EventRecord> {
    let mut events: Vec<EventRecord> = Vec::new();
    let mut from = Some(1);
    while let Some(first) = from {
        let path = format!("/api/v1/ves/events?{}&from={first}&limit=1000", query(stream));
        let answer = client.get(&path).await;
        answer.ok();
        let page: EventsPage = serde_json::from_str(&answer.text).unwrap();
        assert!(page.head_sequence >= head);
        events.extend(page.events.iter().map(|event| parse_event_record(event.get()).unwrap()));
        assert!(page.next_from.is_none_or(|next| next == events.len() as u64 + 1));
        from = page.next_from;
    }
    events
}

async fn read_commitments(client: &Client, stream: Stream) -> Vec<ves::Commitment> {
    let mut commitments = Vec::new();
    let mut from = Some(1);
    while let Some(first) = from {
        let path = format!("/api/v1/ves/commitments?{}&from={first}&limit=500", query(stream));
        let page: CommitmentsPage = serde_json::from_value(client.get(&path).await.ok()).unwrap();
        assert_eq!(page.count, page.commitments.len() as u64);
        commitments.extend(page.commitments);
        from = page.next_from;
    }
    commitments
}

async fn published_keys(client: &Client, stream: Stream, events: &[EventRecord]) -> Published {
    let info: SequencerInfo = get(client, "/api/v1/ves/sequencer").await;
    let usable = |bytes: &Hash32| PublicKey::from_bytes(&bytes.0).unwrap();
    let sequencer = info.keys.iter().map(|key| (key.key_version, usable(&key.public_key)));
    let mut published = Published { agents: HashMap::new(), sequencer: sequencer.collect() };
    let mut agents: Vec<Uuid> = events.iter().map(|event| event.event.source_agent_id).collect();
    agents.sort_unstable();
    agents.dedup();
    for agent in agents {
        let tenant = stream.tenant_id;
        let path = format!("/api/v1/agents/keys?tenant_id={tenant}&agent_id={agent}");
        let page: AgentKeysPage = get(client, &path).await;
        for key in page.keys {
            let name = (tenant, agent, key.key_id);
            published.agents.insert(name, (usable(&key.public_key), key.window()));
        }
    }
    published
}

async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> T {
    let value: Value = client.get(path).await.ok();
    serde_json::from_value(value).unwrap()
}
