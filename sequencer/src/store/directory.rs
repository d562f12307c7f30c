//! Who and what there is, counted: what administrators ask.
//!
//! Figures come from streams and keys, never from events, and every list is paged by its key. A
//! tenant exists from its first event or key, an agent from its first signing key or the first
//! API key bound to it. The platform's own API keys make no tenant.

use async_trait::async_trait;
use uuid::Uuid;
use ves::{Stream, Timestamp};

use super::{ApiKeyRecord, StoreError};

/// Everything at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overview {
    /// Tenants that exist.
    pub tenants: u64,
    /// Streams.
    pub stores: u64,
    /// Agents that exist.
    pub agents: u64,
    /// API keys, also revoked ones.
    pub api_keys: u64,
    /// API keys that are not revoked.
    pub active_api_keys: u64,
    /// Sum of the heads: the number of events.
    pub total_head_sequence: u64,
    /// Streams with an event since the moment asked for.
    pub active_stores: u64,
    /// The last event.
    pub last_activity_at: Option<Timestamp>,
}

/// One tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantSummary {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Its agents.
    pub agents: u64,
    /// Its API keys, also revoked ones.
    pub api_keys: u64,
    /// Those that are not revoked.
    pub active_api_keys: u64,
    /// Its streams.
    pub stores: u64,
    /// Sum of their heads.
    pub total_head_sequence: u64,
    /// Streams with an event since the moment asked for.
    pub active_stores: u64,
    /// Its newest key, of either kind.
    pub last_key_at: Option<Timestamp>,
    /// Its last event.
    pub last_activity_at: Option<Timestamp>,
}

/// One stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreSummary {
    /// The stream.
    pub stream: Stream,
    /// Highest number given.
    pub head_sequence: u64,
    /// Highest number in a commitment.
    pub committed_sequence: u64,
    /// Agents of the tenant with a signing key, or with an API key that reaches this store.
    pub agents: u64,
    /// The last event.
    pub updated_at: Timestamp,
}

/// One agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AgentSummary {
    /// Its tenant.
    pub tenant_id: Uuid,
    /// The agent.
    pub agent_id: Uuid,
    /// A signing key is good at the moment asked for.
    pub signs: bool,
    /// An active API key may write.
    pub write: bool,
    /// An active API key may administer.
    pub admin: bool,
    /// An active API key is for all stores.
    pub all_stores: bool,
    /// API keys bound to it, also revoked ones.
    pub api_keys: u64,
    /// Those that are not revoked.
    pub active_api_keys: u64,
    /// Its first key, of either kind.
    pub first_key_at: Timestamp,
    /// Its newest key, of either kind.
    pub last_key_at: Timestamp,
}

/// The directory of a store. `tenant_id` is whose rows count; `None` is everybody's.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All at once; streams are active that have an event at `since` or later.
    async fn overview(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
    ) -> Result<Overview, StoreError>;
    /// Tenants after one, in order of their ids.
    async fn tenants(
        &self,
        tenant_id: Option<Uuid>,
        since: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<TenantSummary>, StoreError>;
    /// Streams after one, in key order.
    async fn stores(
        &self,
        tenant_id: Option<Uuid>,
        after: Option<Stream>,
        limit: u32,
    ) -> Result<Vec<StoreSummary>, StoreError>;
    /// Agents after one (tenant, agent), in order of both ids; only one when `agent_id` is given,
    /// once for each tenant that knows it.
    async fn agents(
        &self,
        (tenant_id, agent_id): (Option<Uuid>, Option<Uuid>),
        at: Timestamp,
        after: Option<(Uuid, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AgentSummary>, StoreError>;
    /// API keys bound to an agent whose public prefix begins with `prefix`, after a prefix, in
    /// order of their prefixes.
    async fn agent_api_keys(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        (prefix, after): (&str, &str),
        limit: u32,
    ) -> Result<Vec<ApiKeyRecord>, StoreError>;
}

/// The ids that a filter lets through, both ends included. A range uses an index where
/// `id = ? OR ? IS NULL` does not.
pub(super) fn range(id: Option<Uuid>) -> (Uuid, Uuid) {
    (id.unwrap_or(Uuid::nil()), id.unwrap_or(Uuid::max()))
}

/// The first id after one; `None` after the last there is.
pub(super) fn next(after: Option<Uuid>) -> Option<Uuid> {
    after.map_or(Some(Uuid::nil()), |id| id.as_u128().checked_add(1).map(Uuid::from_u128))
}

/// The first pair after one; `None` after the last there is.
pub(super) fn next_pair(after: Option<(Uuid, Uuid)>) -> Option<(Uuid, Uuid)> {
    let Some((first, second)) = after else { return Some((Uuid::nil(), Uuid::nil())) };
    match next(Some(second)) {
        Some(second) => Some((first, second)),
        None => next(Some(first)).map(|first| (first, Uuid::nil())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_right_after_the_last() {
        let id = Uuid::from_u128;
        let (nil, max) = (Uuid::nil(), Uuid::max());
        for (after, expect) in [
            (None, Some((nil, nil))),
            (Some((id(7), id(8))), Some((id(7), id(9)))),
            (Some((id(7), max)), Some((id(8), nil))),
            (Some((max, max)), None),
        ] {
            assert_eq!(next_pair(after), expect, "{after:?}");
        }
        assert_eq!((next(None), next(Some(max))), (Some(nil), None));
        assert_eq!(range(Some(id(3))), (id(3), id(3)));
        assert_eq!(range(None), (nil, max));
    }
}
