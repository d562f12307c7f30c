//! How many events a second the witness verifies in its half of a core: pages as they come over the
//! wire, parsed, every hash and both signatures checked, leaves, roots and the trail. CPU time of
//! one thread, so that neighbours do not count. `cargo bench -p sidecar --bench witness`

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;
use ves::wire::EventsPage;
use ves::{
    Commitment, EventDraft, EventRecord, Hash32, KeySource, KeyWindow, PublicKey, Receipt,
    SigningKey, StoredStatus, Stream, StreamAuditor, Timestamp, merkle, parse_event_record,
};

const STREAM: Stream = Stream { tenant_id: Uuid::from_u128(1), store_id: Uuid::from_u128(2) };
/// Events of a page, and of a commitment.
const PAGE: u32 = 1_000;
const PAGES: u64 = 20;
/// Agents that write.
const AGENTS: u8 = 8;
/// What must be verified in [`CORES`].
const TARGET: f64 = 5_000.0;
const CORES: f64 = 0.5;

struct Keys {
    agents: HashMap<(Uuid, u32), (PublicKey, KeyWindow)>,
    receipts: PublicKey,
}

impl KeySource for Keys {
    fn agent_key(&self, _: Uuid, agent: Uuid, key_id: u32) -> Option<(PublicKey, KeyWindow)> {
        self.agents.get(&(agent, key_id)).copied()
    }

    fn sequencer_key(&self, _: u32) -> Option<PublicKey> {
        Some(self.receipts)
    }
}

fn main() -> std::io::Result<()> {
    let pages: Vec<String> = (0..PAGES).map(page).collect();
    let bytes: usize = pages.iter().map(String::len).sum();
    let keys = keys();
    // The first round warms up.
    let _ = verify(&pages, &keys, true);
    let mut out = std::io::stdout();
    for (what, signatures) in [("everything", true), ("without signatures", false)] {
        let rounds = (0..3).map(|_| verify(&pages, &keys, signatures));
        let best = rounds.min().unwrap_or_default().as_secs_f64();
        let events = f64::from(PAGE) * f64::from(u32::try_from(PAGES).unwrap_or(0));
        let speed = events / best;
        writeln!(
            out,
            "{what}: {speed:.0} events per CPU second, {:.1} us and {} bytes an event, \
             {:.2} of the {TARGET:.0} events/s in {CORES} cores",
            best / events * 1e6,
            bytes / (PAGE as usize * usize::try_from(PAGES).unwrap_or(1)),
            speed * CORES / TARGET,
        )?;
    }
    Ok(())
}

/// CPU time to verify all pages.
fn verify(pages: &[String], keys: &Keys, signatures: bool) -> Duration {
    let started = thread_time();
    let mut auditor = StreamAuditor::new(STREAM);
    let mut trail = Hash32::ZERO;
    let mut state_root = Hash32::ZERO;
    for text in pages {
        let page: EventsPage<&RawValue> = serde_json::from_slice(text.as_bytes()).expect("a page");
        let records =
            page.events.iter().map(|raw| parse_event_record(raw.get()).expect("a record"));
        let records: Vec<EventRecord> = records.collect();
        let start = auditor.next_sequence();
        for record in &records {
            let found = if signatures {
                auditor.event(record, keys)
            } else {
                auditor.event_without_signatures(record)
            };
            assert!(found.is_empty(), "{found:?}");
            let leaf = auditor.pending().last().expect("its leaf").leaf_hash;
            trail = merkle::node_hash(&trail, &leaf);
        }
        let leaves: Vec<Hash32> = auditor.pending().iter().map(|leaf| leaf.leaf_hash).collect();
        let root = merkle::root(&leaves).expect("leaves");
        let at = Timestamp::from_micros(0);
        let commitment = Commitment::seal(&STREAM, Uuid::nil(), start, root, PAGE, state_root, at);
        state_root = commitment.new_state_root;
        let found = auditor.commitment(&commitment);
        assert!(found.is_empty(), "{found:?}");
    }
    thread_time().saturating_sub(started)
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn agent(number: u8) -> (Uuid, SigningKey) {
    (Uuid::from_u128(100 + u128::from(number)), SigningKey::from_seed(&[number + 1; 32]))
}

fn keys() -> Keys {
    let window = KeyWindow {
        status: StoredStatus::Active,
        valid_from: None,
        valid_to: None,
        revoked_at: None,
    };
    let agents = (0..AGENTS).map(agent);
    let agents = agents.map(|(id, key)| ((id, 1), (key.public_key(), window))).collect();
    Keys { agents, receipts: SigningKey::from_seed(&[99; 32]).public_key() }
}

/// A page as the API gives it.
fn page(number: u64) -> String {
    let first = number * u64::from(PAGE) + 1;
    let records = (first..first + u64::from(PAGE)).map(record);
    let records: Vec<String> = records.map(|record| record.to_json()).collect();
    let head = PAGES * u64::from(PAGE);
    format!("{{\"events\":[{}],\"head_sequence\":{head},\"next_from\":null}}", records.join(","))
}

fn record(number: u64) -> EventRecord {
    let (agent_id, key) = agent(u8::try_from(number % u64::from(AGENTS)).unwrap_or(0));
    let draft = EventDraft {
        stream: STREAM,
        event_id: Uuid::from_u128(0x1000_0000 + u128::from(number)),
        source_agent_id: agent_id,
        agent_key_id: 1,
        entity_type: "order".to_owned(),
        entity_id: format!("ORD-{number}"),
        event_type: "order.line_added".to_owned(),
        created_at: "2026-02-03T04:05:06.789Z".to_owned(),
        payload: json!({
            "order": number, "sku": "SKU-000-4711", "quantity": 12, "unit_price": "17.40",
            "currency": "EUR", "warehouse": "north-3", "tags": ["gift", "express"],
            "address": { "street": "Main Street 1", "city": "Springfield", "zip": "12345" },
        }),
        command_id: Some(Uuid::from_u128(u128::from(number))),
        base_version: None,
    };
    let event = draft.sign(&key).expect("a good event");
    let sequenced_at = Timestamp::from_micros(1_770_091_506_000_000);
    let (sequencer, hash) = (SigningKey::from_seed(&[99; 32]), event.signing_hash());
    let id = event.event_id;
    let receipt =
        Receipt::issue(&sequencer, 1, Uuid::nil(), &STREAM, id, number, sequenced_at, &hash);
    EventRecord { event, sequence_number: number, sequenced_at, receipt }
}
