//! A log in its own files, with what only they show: trees, stored hashes, entity versions.

use std::collections::HashMap;

use async_trait::async_trait;
use uuid::Uuid;
use ves::receipt::SignatureAlg;
use ves::wire::HeadResponse;
use ves::{Commitment, EventRecord, Hash32, PublicKey, Receipt, Sig64, Stream, merkle};

use super::log::{AgentKey, Log, PAGE, PAGE_BYTES, Page, Problem, Read, Unread};
use crate::config::Database;
use crate::opening::open_store_for_audit;
use crate::store::postgres::Transport;
use crate::store::{Store, StoreError, StoredEvent};

/// Entities of one stream whose events are counted; memory is bounded by it.
const MAX_ENTITIES: usize = 1_000_000;
/// Looks at two figures that must be equal, while somebody changes them both.
const LOOKS: usize = 10;

/// A store that is read while it is verified: an embedded one is owned meanwhile.
pub(super) struct StoreLog {
    store: Box<dyn Store>,
    key_versions: Vec<u32>,
    /// Events per entity of the stream under way.
    entities: HashMap<(String, String), u64>,
}

impl StoreLog {
    /// Opens the store as it is; the second part is what a start would refuse it for.
    pub(super) async fn open(
        database_url: &str,
        transport: Transport,
    ) -> anyhow::Result<(Self, Option<String>)> {
        let database = Database::parse(database_url)?;
        let (store, damage) = open_store_for_audit(database, transport).await?;
        Ok((Self { store, key_versions: Vec::new(), entities: HashMap::new() }, damage))
    }

    /// Every stream, or the one wanted, with its head.
    pub(super) async fn streams(&self, only: Option<Stream>) -> anyhow::Result<Vec<(Stream, u64)>> {
        if let Some(stream) = only {
            return Ok(vec![(stream, self.store.head(stream).await?.head_sequence)]);
        }
        let mut streams: Vec<(Stream, u64)> = Vec::new();
        loop {
            let after = streams.last().map(|(stream, _)| *stream);
            let page = self.store.streams(after, PAGE).await?;
            if page.is_empty() {
                return Ok(streams);
            }
            streams.extend(page.iter().map(|state| (state.stream, state.head_sequence)));
        }
    }

    /// What the stored row says beside the envelope.
    fn row_problem(&self, stored: &StoredEvent) -> Option<Problem> {
        let version = stored.placement.key_version;
        let (kind, detail) = if stored.signing_hash != stored.event.signing_hash() {
            ("signing_hash", "the stored signing hash is not that of the event".to_owned())
        } else if !self.key_versions.contains(&version) {
            ("receipt", format!("there is no receipt key {version}"))
        } else {
            return None;
        };
        Some(Problem { kind, sequence_number: Some(stored.placement.sequence_number), detail })
    }

    /// The stream says that it is committed up to the end of its last commitment.
    async fn check_committed(&self, stream: Stream) -> Read<Option<Problem>> {
        for _ in 0..LOOKS {
            let stated = self.store.head(stream).await?.committed_sequence;
            let last = self.store.last_commitment(stream).await?;
            let last = last.map_or(0, |last| last.sequence_end);
            if last == stated {
                return Ok(None);
            }
            // Sealed between the two looks, and nothing is wrong.
            if self.store.head(stream).await?.committed_sequence != stated {
                continue;
            }
            let detail = format!("the stream says it is committed up to {stated}, it is to {last}");
            return Ok(Some(Problem { kind: "head", sequence_number: Some(stated), detail }));
        }
        Ok(None)
    }

    fn count_entity(&mut self, stored: &StoredEvent) {
        let name = (stored.event.entity_type.clone(), stored.event.entity_id.clone());
        if self.entities.len() < MAX_ENTITIES || self.entities.contains_key(&name) {
            *self.entities.entry(name).or_default() += 1;
        }
    }
}

#[async_trait]
impl Log for StoreLog {
    fn has_receipts(&self) -> bool {
        false
    }

    async fn head(&mut self, stream: Stream) -> Read<HeadResponse> {
        let head = self.store.head(stream).await?;
        Ok(HeadResponse {
            head_sequence: head.head_sequence,
            committed_sequence: head.committed_sequence,
            last_state_root: head.last_state_root,
        })
    }

    async fn events(&mut self, stream: Stream, from: u64, limit: u32) -> Read<Page> {
        let (events, head) = self.store.events(stream, from, limit, PAGE_BYTES).await?;
        let mut page = Page { head, ..Page::default() };
        for stored in events {
            page.problems.extend(self.row_problem(&stored));
            self.count_entity(&stored);
            page.records.push(without_receipt(stored));
        }
        Ok(page)
    }

    async fn commitments(&mut self, stream: Stream, from: u64) -> Read<Vec<Commitment>> {
        Ok(self.store.commitments(stream, from, PAGE).await?)
    }

    async fn agent_keys(&mut self, tenant_id: Uuid, agent_id: Uuid) -> Read<Vec<AgentKey>> {
        let keys = self.store.agent_keys(tenant_id, agent_id).await?;
        let usable = keys.into_iter().filter_map(|record| {
            let key = PublicKey::from_bytes(&record.public_key).ok()?;
            Some((record.key_id, key, record.window))
        });
        Ok(usable.collect())
    }

    async fn sequencer_keys(&mut self) -> Read<Vec<(u32, PublicKey)>> {
        let keys = self.store.sequencer_keys().await?;
        self.key_versions = keys.iter().map(|key| key.version).collect();
        let usable = keys
            .iter()
            .filter_map(|key| Some((key.version, PublicKey::from_bytes(&key.public_key).ok()?)));
        Ok(usable.collect())
    }

    /// Every stored tile equals that of the tree over the events, so every proof is right.
    async fn check_tree(
        &mut self,
        commitment: &Commitment,
        leaves: &[Hash32],
    ) -> Read<Vec<Problem>> {
        let (_, tiles) = merkle::tiles(leaves);
        let mut problems = Vec::new();
        for tile in &tiles {
            let name = (tile.band, tile.index);
            let detail = match self.store.tiles(commitment.batch_id, &[name]).await {
                Ok(stored) if stored.first() == Some(tile) => continue,
                Ok(_) => "has other hashes than the tree over the events".to_owned(),
                Err(StoreError::Corrupt(detail)) => format!("cannot be read: {detail}"),
                Err(error) => return Err(error.into()),
            };
            let (start, end) = (commitment.sequence_start, commitment.sequence_end);
            let (band, index) = name;
            let detail = format!("tile {band}/{index} of commitment {start} to {end} {detail}");
            problems.push(Problem { kind: "tile", sequence_number: Some(start), detail });
        }
        Ok(problems)
    }

    async fn check_end(&mut self, stream: Stream, head: &HeadResponse) -> Read<Vec<Problem>> {
        let mut problems = Vec::new();
        for ((kind, id), counted) in std::mem::take(&mut self.entities) {
            let entity = (kind.as_str(), id.as_str());
            // A log that is served meanwhile grows: then the version is beyond what was counted.
            let beyond = head.head_sequence.saturating_add(1);
            let (newer, version) =
                self.store.entity_events(stream, entity, beyond, 1, PAGE_BYTES).await?;
            if version < counted || (version > counted && newer.is_empty()) {
                let detail =
                    format!("{kind} {id} is at version {version} and has {counted} events");
                problems.push(Problem { kind: "version", sequence_number: None, detail });
            }
        }
        problems.extend(self.check_committed(stream).await?);
        Ok(problems)
    }
}

/// A store keeps no receipts: they are signed when somebody reads. This one fits nothing, at no
/// cost, and the walk leaves out what the auditor says of it.
fn without_receipt(stored: StoredEvent) -> EventRecord {
    let placement = stored.placement;
    EventRecord {
        receipt: Receipt {
            sequencer_id: Uuid::nil(),
            event_id: stored.event.event_id,
            sequence_number: 0,
            sequenced_at: placement.sequenced_at,
            receipt_hash: Hash32::ZERO,
            signature_alg: SignatureAlg::Ed25519,
            sequencer_signature: Sig64::ZERO,
            sequencer_key_version: placement.key_version,
            receipt_signature_scheme: 1,
        },
        event: stored.event,
        sequence_number: placement.sequence_number,
        sequenced_at: placement.sequenced_at,
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Gap { .. } => Self::Missing,
            StoreError::Corrupt(_) => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.into()),
        }
    }
}
