//! What the walk reads, wherever it lives.

use async_trait::async_trait;
use uuid::Uuid;
use ves::wire::HeadResponse;
use ves::{Commitment, EventRecord, Hash32, KeyWindow, PublicKey, Stream, Violation};

/// Most events or commitments read at once.
pub(super) const PAGE: u32 = 1000;
/// Bytes of payloads at which a page read from a store ends.
pub(super) const PAGE_BYTES: usize = 16 << 20;

/// Something that is not as it must be.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// [`ves::ViolationKind`], or one of what only this command sees: `head`, `time`, `tile`,
    /// `version`, `signing_hash`, `unreadable`.
    pub(super) kind: &'static str,
    pub(super) sequence_number: Option<u64>,
    pub(super) detail: String,
}

impl From<Violation> for Problem {
    fn from(Violation { kind, sequence_number, detail }: Violation) -> Self {
        Self { kind: kind.as_str(), sequence_number, detail }
    }
}

/// Why a part of the log did not come.
#[derive(Debug)]
pub(super) enum Unread {
    /// A number below the head is not there.
    Missing,
    /// It is there and cannot be read: the log is at fault.
    Damaged(String),
    /// Whether the log is sound remains unknown.
    Failed(anyhow::Error),
}

impl Unread {
    /// What is wrong with the log, or why that is unknown.
    pub(super) fn detail(self) -> anyhow::Result<String> {
        match self {
            Self::Missing => Ok("it is not there".to_owned()),
            Self::Damaged(detail) => Ok(detail),
            Self::Failed(error) => Err(error),
        }
    }
}

/// Result of reading a part of the log.
pub(super) type Read<T> = Result<T, Unread>;

/// Events in ascending order.
#[derive(Default)]
pub(super) struct Page {
    pub(super) records: Vec<EventRecord>,
    /// Head of the stream at the time of reading.
    pub(super) head: u64,
    /// What the source itself noticed about them.
    pub(super) problems: Vec<Problem>,
}

impl Page {
    /// True when it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.problems.is_empty()
    }
}

/// A key of an agent: number, key, when it was good. Unusable keys are left out.
pub(super) type AgentKey = (u32, PublicKey, KeyWindow);

/// A log to walk over.
#[async_trait]
pub(super) trait Log: Send {
    /// Whether the receipts are those that clients get.
    fn has_receipts(&self) -> bool;
    /// Ends of a stream.
    async fn head(&mut self, stream: Stream) -> Read<HeadResponse>;
    /// Events `from ..`, at most `limit`; damaged when one of them is.
    async fn events(&mut self, stream: Stream, from: u64, limit: u32) -> Read<Page>;
    /// Commitments that start at `from` or later, ascending, at most [`PAGE`].
    async fn commitments(&mut self, stream: Stream, from: u64) -> Read<Vec<Commitment>>;
    /// Keys of an agent.
    async fn agent_keys(&mut self, tenant_id: Uuid, agent_id: Uuid) -> Read<Vec<AgentKey>>;
    /// Published receipt keys by version.
    async fn sequencer_keys(&mut self) -> Read<Vec<(u32, PublicKey)>>;

    /// Checks of a commitment beyond its events, given all its leaves.
    async fn check_tree(&mut self, _: &Commitment, _: &[Hash32]) -> Read<Vec<Problem>> {
        Ok(Vec::new())
    }

    /// Checks of a stream beyond its events, after all of them.
    async fn check_end(&mut self, _: Stream, _: &HeadResponse) -> Read<Vec<Problem>> {
        Ok(Vec::new())
    }
}
