//! A log as any reader with a credential sees it.

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use uuid::Uuid;
use ves::wire::HeadResponse;
use ves::{Commitment, PublicKey, Stream, parse_event_record};

use super::log::{AgentKey, Log, PAGE, Page, Problem, Read, Unread};
use crate::client::{Client, ClientError};

/// A stream behind the API.
pub(super) struct HttpLog {
    client: Client,
}

impl HttpLog {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Every stream that the credential may see, or the one wanted, with its head.
    pub(super) async fn streams(&self, only: Option<Stream>) -> anyhow::Result<Vec<(Stream, u64)>> {
        if let Some(stream) = only {
            return Ok(vec![(stream, self.client.head(stream).await?.head_sequence)]);
        }
        let (mut streams, mut after) = (Vec::<(Stream, u64)>::new(), None);
        loop {
            let listed = self.client.streams(after.as_deref(), PAGE).await;
            let (page, next) = listed.context(
                "the streams cannot be listed; name one with --tenant-id and --store-id",
            )?;
            // Forward in any case, whatever a server answers.
            let last = streams.last().map(|(stream, _)| *stream);
            ensure!(
                page.iter().all(|(stream, _)| Some(*stream) > last),
                "the server lists its streams in no order"
            );
            let is_last = page.is_empty() || next.is_none();
            streams.extend(page);
            if is_last {
                return Ok(streams);
            }
            after = next;
        }
    }
}

#[async_trait]
impl Log for HttpLog {
    fn has_receipts(&self) -> bool {
        true
    }

    async fn head(&mut self, stream: Stream) -> Read<HeadResponse> {
        Ok(self.client.head(stream).await?)
    }

    async fn events(&mut self, stream: Stream, from: u64, limit: u32) -> Read<Page> {
        let answer = self.client.events(stream, from, limit).await?;
        let mut page = Page { head: answer.head_sequence, ..Page::default() };
        for raw in &answer.events {
            match parse_event_record(raw.get()) {
                Ok(record) => page.records.push(record),
                Err(error) => page.problems.push(Problem {
                    kind: "unreadable",
                    sequence_number: None,
                    detail: format!("an event from {from} on: {error}"),
                }),
            }
        }
        Ok(page)
    }

    async fn commitments(&mut self, stream: Stream, from: u64) -> Read<Vec<Commitment>> {
        Ok(self.client.commitments(stream, from, PAGE).await?)
    }

    async fn agent_keys(&mut self, tenant_id: Uuid, agent_id: Uuid) -> Read<Vec<AgentKey>> {
        let keys = self.client.agent_keys(tenant_id, agent_id).await?;
        let usable = keys.into_iter().filter_map(|entry| {
            let key = PublicKey::from_bytes(&entry.public_key.0).ok()?;
            Some((entry.key_id, key, entry.window()))
        });
        Ok(usable.collect())
    }

    async fn sequencer_keys(&mut self) -> Read<Vec<(u32, PublicKey)>> {
        let info = self.client.sequencer().await?;
        let usable = info.keys.iter().filter_map(|entry| {
            Some((entry.key_version, PublicKey::from_bytes(&entry.public_key.0).ok()?))
        });
        Ok(usable.collect())
    }
}

impl From<ClientError> for Unread {
    fn from(error: ClientError) -> Self {
        match error.code() {
            // What the server says of a damaged log.
            Some("SEQUENCE_GAP") => Self::Missing,
            Some("DATABASE_ERROR") => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.into()),
        }
    }
}
