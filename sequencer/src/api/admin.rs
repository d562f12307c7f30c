//! Figures for administrators: what there is of tenants, stores and agents.
//!
//! A tenant's administrator sees its tenant, the platform sees all. A credential that is narrowed
//! to stores or to an agent sees none of it: the figures are of whole tenants.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::bytes::parse_uuid;
use ves::{Stream, Timestamp};

use super::agents::permissions;
use super::api_keys::tenant_scope;
use crate::app::App;
use crate::auth::{Right, forbidden};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::http::{Reply, Request};
use crate::store::{AgentSummary, StoreSummary, TenantSummary};

/// A stream with an event within this time is active: a day.
const ACTIVE_MICROS: i64 = 24 * 3600 * 1_000_000;

pub(super) async fn overview(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let tenant_id = scope(request)?;
    let found = app.store.overview(tenant_id, a_day_ago()).await?;
    Reply::json(&json!({
        "tenants": found.tenants,
        "stores": found.stores,
        "agents": found.agents,
        "apiKeys": found.api_keys,
        "activeApiKeys": found.active_api_keys,
        "totalHeadSequence": found.total_head_sequence,
        "activeStores24h": found.active_stores,
        "lastActivityAt": found.last_activity_at,
    }))
}

pub(super) async fn tenants(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let (tenant_id, limit) = (scope(request)?, request.query.limit()?);
    let after = request.query.optional_uuid("after")?;
    let rows = app.store.tenants(tenant_id, a_day_ago(), after, limit + 1).await?;
    page(rows, limit, tenant, |last| last.tenant_id.to_string())
}

/// Also for who reads every stream: there is no other way to know them all.
pub(super) async fn stores(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    if !caller.reads_everything() {
        caller.require(Right::Admin)?;
    }
    let (tenant_id, limit) = (scope(request)?, request.query.limit()?);
    let after = after_pair(request)?.map(|(tenant_id, store_id)| Stream { tenant_id, store_id });
    let with_agents = request.query.optional_flag("agents")?.unwrap_or(true);
    let rows = app.store.stores(tenant_id, after, limit + 1, with_agents).await?;
    page(rows, limit, store, |last| format!("{}:{}", last.stream.tenant_id, last.stream.store_id))
}

pub(super) async fn agents(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let (tenant_id, limit) = (scope(request)?, request.query.limit()?);
    let (which, after) = ((tenant_id, None), after_pair(request)?);
    let rows = app.store.agents(which, clock::now(), after, limit + 1).await?;
    page(rows, limit, agent, |last| format!("{}:{}", last.tenant_id, last.agent_id))
}

fn scope(request: &Request<'_>) -> ApiResult<Option<Uuid>> {
    let caller = request.caller()?;
    if !caller.store_ids().is_empty() || caller.agent_id().is_some() {
        let message = "this needs a credential that is not narrowed to stores or to an agent";
        return Err(forbidden(message.to_owned()));
    }
    tenant_scope(request)
}

fn a_day_ago() -> Timestamp {
    Timestamp::from_micros(clock::now().as_micros() - ACTIVE_MICROS)
}

/// `after` of a list whose rows have two ids: both, with a colon between them.
fn after_pair(request: &Request<'_>) -> ApiResult<Option<(Uuid, Uuid)>> {
    let Some(text) = request.query.text("after") else { return Ok(None) };
    let pair = text.split_once(':');
    let pair = pair.and_then(|(first, second)| Some((parse_uuid(first)?, parse_uuid(second)?)));
    pair.map(Some).ok_or_else(|| ApiError::field("after", "must be the `next` of a page"))
}

/// A page of rows that were read one beyond the limit, so that the last page is known.
fn page<T>(
    mut rows: Vec<T>,
    limit: u32,
    item: impl Fn(&T) -> Value,
    key: impl Fn(&T) -> String,
) -> ApiResult<Reply> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(key);
    let items: Vec<Value> = rows.iter().map(item).collect();
    Reply::json(&json!({ "items": items, "next": next }))
}

fn tenant(found: &TenantSummary) -> Value {
    json!({
        "tenantId": found.tenant_id,
        "agentCount": found.agents,
        "apiKeyCount": found.api_keys,
        "activeApiKeys": found.active_api_keys,
        "storeCount": found.stores,
        "totalHeadSequence": found.total_head_sequence,
        "activeStores24h": found.active_stores,
        "lastKeyAt": found.last_key_at,
        "lastActivityAt": found.last_activity_at,
    })
}

fn store(found: &StoreSummary) -> Value {
    let mut item = json!({
        "tenantId": found.stream.tenant_id,
        "storeId": found.stream.store_id,
        "headSequence": found.head_sequence,
        "committedSequence": found.committed_sequence,
        "updatedAt": found.updated_at,
    });
    if let Some(agents) = found.agents {
        item["agentCount"] = agents.into();
    }
    item
}

fn agent(found: &AgentSummary) -> Value {
    let is_scoped = found.active_api_keys > 0 && !found.all_stores;
    json!({
        "tenantId": found.tenant_id,
        "agentId": found.agent_id,
        "permissions": permissions(found),
        "storeScope": if is_scoped { "scoped" } else { "all" },
        "apiKeyCount": found.api_keys,
        "activeApiKeys": found.active_api_keys,
        "firstKeyAt": found.first_key_at,
        "lastKeyAt": found.last_key_at,
    })
}
