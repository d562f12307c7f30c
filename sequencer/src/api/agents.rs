//! Agents and the API keys bound to them: look, mint, list, revoke.
//!
//! An agent exists in a tenant from its first key of either kind. It may look after its own API
//! keys; an administrator of its tenant may look after all.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api_keys::{NewApiKey, after_prefix, issue, may_be_prefix, tenant_scope};
use crate::app::App;
use crate::auth::{Principal, Right, forbidden};
use crate::clock;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::{MAX_LIMIT, Reply, Request, read_json};
use crate::store::{AgentSummary, ApiKeyRecord};

/// Fewest characters of a public prefix that name a key: 32 bits, so that a slip of the finger
/// names none.
const MIN_PREFIX: usize = 8;

/// Most active API keys that an agent is given here, so that it cannot fill the store with them.
const MAX_ACTIVE_KEYS: u64 = 1000;

/// What an API key of an agent may do; what is left out is what the caller's own credential has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    store_ids: Option<Vec<Uuid>>,
    read_only: Option<bool>,
    admin: Option<bool>,
    /// Requests a minute.
    rate_limit: Option<u32>,
}

pub(super) async fn one(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let agent = find(app, request).await?;
    let (tenant_id, agent_id) = (agent.tenant_id, agent.agent_id);
    let active = active_keys(app, &agent).await?;
    let mut stores = BTreeSet::new();
    if !agent.all_stores {
        stores.extend(active.iter().flat_map(|key| key.store_ids.iter().copied()));
    }
    // No limit of its own is the highest.
    let limits: Option<Vec<u32>> = active.iter().map(|key| key.rate_limit).collect();
    Reply::json(&json!({
        "agentId": agent_id,
        "tenantId": tenant_id,
        "active": agent.signs || agent.active_api_keys > 0,
        "permissions": permissions(&agent),
        "storeIds": stores,
        "rateLimit": limits.and_then(|limits| limits.into_iter().max()),
    }))
}

pub(super) async fn mint(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    require_change(caller)?;
    let wanted: Wanted = read_json(request.body)?;
    let agent = find(app, request).await?;
    if agent.active_api_keys >= MAX_ACTIVE_KEYS {
        let message = format!("this agent has {MAX_ACTIVE_KEYS} active API keys; revoke one first");
        return Err(ApiError::new(Code::AlreadyExists, message));
    }
    let admin = wanted.admin.unwrap_or(false);
    let read_only = wanted.read_only.unwrap_or(!admin && !caller.has(Right::Write));
    if admin && read_only {
        return Err(ApiError::field("readOnly", "and `admin` must not both be true"));
    }
    let new = NewApiKey {
        tenant_id: agent.tenant_id,
        store_ids: wanted.store_ids.unwrap_or_else(|| caller.store_ids().to_vec()),
        read: true,
        write: !read_only,
        admin,
        agent_id: Some(agent.agent_id),
        rate_limit: wanted.rate_limit.or(caller.rate_limit()),
    };
    let (key, record) = issue(app, caller, new).await?;
    Reply::json(&json!({
        "success": true,
        "apiKey": key,
        "keyHashPrefix": record.key_prefix,
        "permissions": permissions_of(record.write, record.admin),
        "message": "the API key is made; keep it, it is not shown again",
    }))
}

pub(super) async fn list(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let limit = request.query.limit()?;
    let after = after_prefix(request)?;
    let agent = find(app, request).await?;
    let range = ("", after);
    let mut keys =
        app.store.agent_api_keys(agent.tenant_id, agent.agent_id, range, limit + 1).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = keys.last().filter(|_| more).map(|key| key.key_prefix.clone());
    let keys: Vec<Value> = keys.iter().map(item).collect();
    Reply::json(&json!({ "count": keys.len(), "keys": keys, "next": next }))
}

pub(super) async fn revoke(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    require_change(request.caller()?)?;
    let prefix = request.parameter("prefix");
    if prefix.len() < MIN_PREFIX {
        let problem = format!("must be at least {MIN_PREFIX} characters of `keyHashPrefix`");
        return Err(ApiError::field("prefix", &problem));
    }
    let agent = find(app, request).await?;
    let (tenant_id, agent_id) = (agent.tenant_id, agent.agent_id);
    let found = if may_be_prefix(prefix) {
        app.store.agent_api_keys(tenant_id, agent_id, (prefix, ""), 2).await?
    } else {
        Vec::new()
    };
    let key = match found.as_slice() {
        [] => {
            let message = "this agent has no API key with this prefix";
            return Err(ApiError::new(Code::ResourceNotFound, message));
        }
        [key] => key,
        _ => {
            let message = "several API keys of this agent begin with this; give more characters";
            return Err(ApiError::new(Code::AlreadyExists, message));
        }
    };
    app.store.revoke_api_key(&key.key_hash, clock::now()).await?;
    app.authenticator.forget(&key.key_hash);
    Reply::json(&json!({ "success": true, "message": "the API key is revoked" }))
}

/// The API keys bound to an agent that are not revoked.
async fn active_keys(app: &App, agent: &AgentSummary) -> ApiResult<Vec<ApiKeyRecord>> {
    let (tenant_id, agent_id) = (agent.tenant_id, agent.agent_id);
    let (mut active, mut after) = (Vec::new(), String::new());
    loop {
        let keys = app.store.agent_api_keys(tenant_id, agent_id, ("", &after), MAX_LIMIT).await?;
        let Some(last) = keys.last() else { return Ok(active) };
        after.clone_from(&last.key_prefix);
        active.extend(keys.into_iter().filter(|key| key.revoked_at.is_none()));
    }
}

/// The agent in the path, when the caller may look after it.
async fn find(app: &App, request: &Request<'_>) -> ApiResult<AgentSummary> {
    let caller = request.caller()?;
    let agent_id = request.uuid_parameter("agent_id")?;
    let administers = caller.has(Right::Admin) && caller.agent_id().is_none();
    if !administers && caller.agent_id() != Some(agent_id) {
        let message = "this needs an administrator of the tenant, or the agent itself";
        return Err(forbidden(message.to_owned()));
    }
    let tenant_id = tenant_scope(request)?;
    // Two are enough to see that there are several.
    let found = app.store.agents((tenant_id, Some(agent_id)), clock::now(), None, 2).await?;
    match found.as_slice() {
        [agent] => Ok(*agent),
        [] => {
            let message = format!("there is no agent {agent_id}; it begins with its first key");
            Err(ApiError::new(Code::ResourceNotFound, message))
        }
        _ => {
            let message =
                "several tenants have an agent with this id; add `tenant_id` to the query";
            Err(ApiError::new(Code::MissingRequiredField, message))
        }
    }
}

/// A credential that only reads makes and ends none, or it would outlive its own revocation.
fn require_change(caller: &Principal) -> ApiResult<()> {
    if caller.has(Right::Admin) { Ok(()) } else { caller.require(Right::Write) }
}

/// The widest right among the agent's active API keys. An agent without one, but with a good
/// signing key, writes through credentials of its tenant.
pub(super) fn permissions(agent: &AgentSummary) -> &'static str {
    let writes = agent.write || (agent.active_api_keys == 0 && agent.signs);
    permissions_of(writes, agent.admin)
}

fn permissions_of(write: bool, admin: bool) -> &'static str {
    match (write, admin) {
        (_, true) => "admin",
        (true, false) => "read_write",
        (false, false) => "read",
    }
}

fn item(key: &ApiKeyRecord) -> Value {
    json!({
        "keyHashPrefix": key.key_prefix,
        "active": key.revoked_at.is_none(),
        "permissions": permissions_of(key.write, key.admin),
        "rateLimit": key.rate_limit,
    })
}
