//! Credentials: create, list, revoke. Nobody widens their own rights.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Principal, Right, api_key, forbidden};
use crate::clock;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::{Reply, Request, read_json};
use crate::store::{ApiKeyOrigin, ApiKeyRecord, Inserted};

/// Most stores that one credential can name.
const MAX_STORES: usize = 1000;

/// Length of a public prefix.
const PREFIX_DIGITS: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKey {
    pub(super) tenant_id: Uuid,
    #[serde(default)]
    pub(super) store_ids: Vec<Uuid>,
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) admin: bool,
    pub(super) agent_id: Option<Uuid>,
    /// Requests a minute.
    pub(super) rate_limit: Option<u32>,
}

pub(super) async fn create(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let new: NewApiKey = read_json(request.body)?;
    let (key, record) = issue(app, request.caller()?, new).await?;
    let mut answer = item(&record);
    answer["api_key"] = key.into();
    Reply::json(&answer)
}

/// Makes and stores a credential that the caller may hand out; gives it with its record.
pub(super) async fn issue(
    app: &App,
    caller: &Principal,
    new: NewApiKey,
) -> ApiResult<(String, ApiKeyRecord)> {
    check_grant(caller, &new)?;
    let key = api_key::generate(new.tenant_id).map_err(|error| ApiError {
        cause: Some(error),
        ..ApiError::new(Code::InternalError, "no random key could be made")
    })?;
    let key_hash = api_key::hash(&key);
    let record = ApiKeyRecord {
        key_hash,
        key_prefix: api_key::public_prefix(&key_hash),
        tenant_id: new.tenant_id,
        store_ids: new.store_ids,
        read: new.read,
        write: new.write,
        admin: new.admin,
        agent_id: new.agent_id,
        rate_limit: new.rate_limit,
        origin: ApiKeyOrigin::Created,
        created_at: clock::now(),
        last_used_at: None,
        revoked_at: None,
    };
    if app.store.insert_api_key(&record).await? == Inserted::Exists {
        return Err(ApiError::new(Code::InternalError, "two keys have the same prefix"));
    }
    Ok((key, record))
}

pub(super) async fn list(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let tenant_id = tenant_scope(request)?;
    let limit = request.query.limit()?;
    let after = after_prefix(request)?;
    let mut keys = app.store.api_keys(tenant_id, after, limit + 1).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = keys.last().filter(|_| more).map(|key| key.key_prefix.clone());
    let items: Vec<Value> = keys.iter().map(item).collect();
    Reply::json(&json!({ "items": items, "next": next }))
}

/// Whose rows a list shows: the tenant named in the query; else the caller's own, or all of them
/// for the platform.
pub(super) fn tenant_scope(request: &Request<'_>) -> ApiResult<Option<Uuid>> {
    let caller = request.caller()?;
    match request.query.optional_uuid("tenant_id")? {
        Some(tenant_id) => caller.require_tenant(tenant_id).map(|()| Some(tenant_id)),
        None if caller.is_platform() => Ok(None),
        None => Ok(Some(caller.tenant_id())),
    }
}

/// `after` of a list of API keys.
pub(super) fn after_prefix<'a>(request: &'a Request<'_>) -> ApiResult<&'a str> {
    let after = request.query.text("after").unwrap_or_default();
    let problem = || ApiError::field("after", "must be the `next` of a page");
    (may_be_prefix(after) && after.len() <= PREFIX_DIGITS).then_some(after).ok_or_else(problem)
}

/// True for what a public prefix may begin with. Nothing else is asked of a store: not every one
/// takes any text.
pub(super) fn may_be_prefix(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) async fn revoke(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    let prefix = request.parameter("key_prefix");
    let found = match may_be_prefix(prefix) {
        true => app.store.api_key_by_prefix(prefix).await?,
        false => None,
    };
    let key =
        found.filter(|key| caller.require_tenant(key.tenant_id).is_ok()).ok_or_else(|| {
            ApiError::new(Code::ResourceNotFound, "there is no API key with this prefix")
        })?;
    if let Some(variable) = key.origin.variable() {
        return Err(forbidden(format!("this key is changed through {variable}")));
    }
    app.store.revoke_api_key(&key.key_hash, clock::now()).await?;
    app.authenticator.forget(&key.key_hash);
    Reply::json(&json!({ "success": true, "message": "the API key is revoked" }))
}

/// A credential may only hand on what it has.
fn check_grant(caller: &Principal, new: &NewApiKey) -> ApiResult<()> {
    caller.require_tenant(new.tenant_id)?;
    if !(new.read || new.write || new.admin) {
        return Err(ApiError::field("read", "or `write` or `admin` must be true"));
    }
    if new.store_ids.len() > MAX_STORES {
        let message = format!("a credential can name {MAX_STORES} stores, not more");
        return Err(ApiError::new(Code::InvalidFieldValue, message));
    }
    let rights = [(Right::Read, new.read), (Right::Write, new.write), (Right::Admin, new.admin)];
    for (right, wanted) in rights {
        if wanted {
            caller.require(right)?;
        }
    }
    let own = caller.store_ids();
    let wider = new.store_ids.is_empty() || new.store_ids.iter().any(|store| !own.contains(store));
    if !own.is_empty() && wider {
        return Err(forbidden("this credential is not for all of these stores".to_owned()));
    }
    if new.rate_limit == Some(0) {
        let message = "a rate limit must be at least 1 request a minute, or left out";
        return Err(ApiError::new(Code::InvalidFieldValue, message));
    }
    if let Some(own) = caller.rate_limit()
        && new.rate_limit.is_none_or(|wanted| wanted > own)
    {
        return Err(forbidden(format!("this credential may make {own} requests a minute")));
    }
    if caller.agent_id().is_some() && caller.agent_id() != new.agent_id {
        return Err(forbidden("this credential is bound to one agent".to_owned()));
    }
    Ok(())
}

fn item(key: &ApiKeyRecord) -> Value {
    json!({
        "key_prefix": key.key_prefix,
        "tenant_id": key.tenant_id,
        "store_ids": key.store_ids,
        "read": key.read,
        "write": key.write,
        "admin": key.admin,
        "agent_id": key.agent_id,
        "rate_limit": key.rate_limit,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    })
}
