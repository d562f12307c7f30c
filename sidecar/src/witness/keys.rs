//! Public keys: asked for before they are called unknown, asked for again before they are old, and
//! never allowed to become others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;
use ves::key::KeyStatus;
use ves::wire::{AgentKeyEntry, SequencerInfo};
use ves::{EventRecord, Hash32, KeySource, KeyWindow, PublicKey, Stream, Timestamp, ViolationKind};

use super::Common;
use super::ledger::Finding;
use super::reading::{HEAD_LIMIT, Stopped};

/// Agents whose keys are kept; beyond, those that were read first are forgotten.
const MAX_AGENTS: usize = 10_000;
/// Keys of an agent that are looked at.
const MAX_KEYS: usize = 1_000;
/// Age at which keys are asked for again: a withdrawal is seen this late at most.
const STALE: Duration = Duration::from_secs(30);
/// Agents whose keys are asked for again at each poll, without an event of theirs.
const REFRESHED_AT_ONCE: usize = 20;

/// The keys seen so far.
#[derive(Default)]
pub(super) struct Keys {
    agents: HashMap<(Uuid, Uuid), Agent>,
    receipt: HashMap<u32, PublicKey>,
    info_read: Option<Instant>,
}

struct Agent {
    keys: HashMap<u32, Key>,
    read: Instant,
}

struct Key {
    public_key: Hash32,
    /// None when it is none: nothing verifies with it.
    usable: Option<PublicKey>,
    window: KeyWindow,
    /// The newest event that was verified with it since it was read.
    used: Option<Used>,
}

#[derive(Clone, Copy)]
struct Used {
    stream: Stream,
    sequence_number: u64,
    sequenced_at: Timestamp,
}

/// The keys of one page.
pub(super) struct PageKeys {
    agents: HashMap<(Uuid, u32), (PublicKey, KeyWindow)>,
    receipt: HashMap<u32, PublicKey>,
}

impl KeySource for PageKeys {
    fn agent_key(&self, _: Uuid, agent_id: Uuid, key_id: u32) -> Option<(PublicKey, KeyWindow)> {
        // A page is of one stream, so of one tenant.
        self.agents.get(&(agent_id, key_id)).copied()
    }

    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey> {
        self.receipt.get(&key_version).copied()
    }
}

impl Keys {
    /// The keys that these records of one stream name.
    pub(super) async fn of_page(
        &mut self,
        common: &Common,
        stream: Stream,
        records: &[EventRecord],
    ) -> Result<Arc<PageKeys>, Stopped> {
        let mut page = PageKeys { agents: HashMap::new(), receipt: HashMap::new() };
        let mut has_asked = false;
        for record in records {
            let version = record.receipt.sequencer_key_version;
            if !self.receipt.contains_key(&version) && !has_asked {
                has_asked = true;
                self.read_info(common).await?;
            }
            let event = &record.event;
            let name = (event.source_agent_id, event.agent_key_id);
            if page.agents.contains_key(&name) {
                continue;
            }
            let agent = (stream.tenant_id, event.source_agent_id);
            if self.is_to_be_read(agent, event.agent_key_id) {
                self.read_agent(common, stream, agent).await?;
            }
            let known = self.agents.get(&agent).and_then(|agent| agent.keys.get(&name.1));
            if let Some((key, window)) = known.and_then(|key| Some((key.usable?, key.window))) {
                page.agents.insert(name, (key, window));
            }
        }
        page.receipt.clone_from(&self.receipt);
        Ok(Arc::new(page))
    }

    /// Remembers the newest event of each key, to look at it again when the key is read again.
    pub(super) fn used(&mut self, stream: Stream, records: &[EventRecord]) {
        for record in records {
            let agent = (stream.tenant_id, record.event.source_agent_id);
            let agent = self.agents.get_mut(&agent);
            let key = agent.and_then(|agent| agent.keys.get_mut(&record.event.agent_key_id));
            if let Some(key) = key {
                let (sequence_number, sequenced_at) = (record.sequence_number, record.sequenced_at);
                key.used = Some(Used { stream, sequence_number, sequenced_at });
            }
        }
    }

    /// Asks again for what is old, a few at a time.
    pub(super) async fn refresh(&mut self, common: &Common) -> Result<(), Stopped> {
        if self.info_read.is_none_or(|read| read.elapsed() >= STALE) {
            self.read_info(common).await?;
        }
        let stale = self.agents.iter().filter_map(|(name, agent)| {
            let used = agent.keys.values().find_map(|key| key.used)?;
            (agent.read.elapsed() >= STALE).then_some((*name, used.stream))
        });
        let stale: Vec<_> = stale.take(REFRESHED_AT_ONCE).collect();
        for (name, stream) in stale {
            self.read_agent(common, stream, name).await?;
        }
        Ok(())
    }

    fn is_to_be_read(&self, agent: (Uuid, Uuid), key_id: u32) -> bool {
        /// A key that is not there is not asked for with every page.
        const AGAIN: Duration = Duration::from_millis(200);
        let Some(known) = self.agents.get(&agent) else { return true };
        let age = if known.keys.contains_key(&key_id) { STALE } else { AGAIN };
        known.read.elapsed() >= age
    }

    async fn read_agent(
        &mut self,
        common: &Common,
        stream: Stream,
        name: (Uuid, Uuid),
    ) -> Result<(), Stopped> {
        let read = Instant::now();
        let page = common.core.sequencer.agent_keys(name.0, name.1, HEAD_LIMIT).await?;
        let ours = |entry: &AgentKeyEntry| (entry.tenant_id, entry.agent_id) == name;
        let entries = page.keys.iter().filter(|entry| ours(entry)).take(MAX_KEYS);
        let keys: HashMap<u32, Key> = entries.map(|entry| (entry.key_id, key(entry))).collect();
        if let Some(before) = self.agents.get(&name) {
            for (id, old) in &before.keys {
                let found = changed(stream, name.1, *id, old, keys.get(id));
                if let Some(finding) = found {
                    common.ledger.add(finding).await;
                }
            }
        } else if self.agents.len() >= MAX_AGENTS {
            let oldest = self.agents.iter().min_by_key(|(_, agent)| agent.read);
            if let Some(oldest) = oldest.map(|(name, _)| *name) {
                self.agents.remove(&oldest);
            }
        }
        self.agents.insert(name, Agent { keys, read });
        Ok(())
    }

    async fn read_info(&mut self, common: &Common) -> Result<(), Stopped> {
        let info: SequencerInfo = common.core.sequencer.info(HEAD_LIMIT).await?;
        self.info_read = Some(Instant::now());
        let remembered: HashMap<u32, Hash32> =
            common.memory.receipt_keys().await?.into_iter().collect();
        self.receipt.clear();
        for entry in info.keys.iter().take(MAX_KEYS) {
            let (version, key) = (entry.key_version, entry.public_key);
            match remembered.get(&version) {
                None => common.memory.keep_receipt_key(version, key).await?,
                Some(before) if *before == key => {}
                Some(before) => {
                    let finding = Finding {
                        kind: ViolationKind::Receipt,
                        stream: None,
                        sequence_number: None,
                        detail: format!("receipt key {version} is another one than before"),
                        before: json!({ "key_version": version, "public_key": before }),
                        now: json!({ "key_version": version, "public_key": key }),
                    };
                    common.ledger.add(finding).await;
                }
            }
            if let Ok(usable) = PublicKey::from_bytes(&key.0) {
                self.receipt.insert(version, usable);
            }
        }
        Ok(())
    }
}

fn key(entry: &AgentKeyEntry) -> Key {
    Key {
        public_key: entry.public_key,
        usable: PublicKey::from_bytes(&entry.public_key.0).ok(),
        window: entry.window(),
        used: None,
    }
}

/// A key never changes its bytes (VES 9.1), and what it ends it ended before, not afterwards.
fn changed(stream: Stream, agent: Uuid, id: u32, old: &Key, new: Option<&Key>) -> Option<Finding> {
    let before = json!({ "agent_id": agent, "key_id": id, "public_key": old.public_key });
    let finding = |sequence_number, detail: String, now| Finding {
        kind: ViolationKind::Signature,
        stream: Some(old.used.map_or(stream, |used| used.stream)),
        sequence_number,
        detail,
        before: before.clone(),
        now,
    };
    let number = old.used.map(|used| used.sequence_number);
    let Some(new) = new else {
        let detail = format!("key {id} of agent {agent} is not registered any more");
        return Some(finding(number, detail, serde_json::Value::Null));
    };
    let now = json!({ "agent_id": agent, "key_id": id, "public_key": new.public_key });
    if new.public_key != old.public_key {
        let detail = format!("key {id} of agent {agent} is another one than before");
        return Some(finding(number, detail, now));
    }
    let used = old.used?;
    let status = new.window.audit_status(used.sequenced_at);
    if status == KeyStatus::Active || old.window.audit_status(used.sequenced_at) == status {
        return None;
    }
    let at = used.sequenced_at;
    let detail = format!("key {id} of agent {agent} was {status} at {at}, as is known now");
    let now = json!({ "agent_id": agent, "key_id": id, "status": status.as_str(), "at": at });
    Some(finding(Some(used.sequence_number), detail, now))
}
