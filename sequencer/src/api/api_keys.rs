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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApiKey {
    tenant_id: Uuid,
    #[serde(default)]
    store_ids: Vec<Uuid>,
    read: bool,
    write: bool,
    admin: bool,
    agent_id: Option<Uuid>,
    /// Requests a minute.
    rate_limit: Option<u32>,
}

pub(super) async fn create(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let new: NewApiKey = read_json(request.body)?;
    check_grant(request.caller()?, &new)?;
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
    let mut answer = item(&record);
    answer["api_key"] = key.into();
    Reply::json(&answer)
}

pub(super) async fn list(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    let tenant_id = match request.query.optional_uuid("tenant_id")? {
        Some(tenant_id) => {
            caller.require_tenant(tenant_id)?;
            Some(tenant_id)
        }
        None if caller.is_platform() => None,
        None => Some(caller.tenant_id()),
    };
    let limit = request.query.limit()?;
    let after = request.query.text("after").unwrap_or_default();
    let mut keys = app.store.api_keys(tenant_id, after, limit + 1).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = keys.last().filter(|_| more).map(|key| key.key_prefix.clone());
    let items: Vec<Value> = keys.iter().map(item).collect();
    Reply::json(&json!({ "items": items, "next": next }))
}

pub(super) async fn revoke(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    let prefix = request.parameter("key_prefix");
    let found = app.store.api_key_by_prefix(prefix).await?;
    let key =
        found.filter(|key| caller.require_tenant(key.tenant_id).is_ok()).ok_or_else(|| {
            ApiError::new(Code::ResourceNotFound, "there is no API key with this prefix")
        })?;
    if key.origin == ApiKeyOrigin::Bootstrap {
        let message = "the bootstrap key is changed through BOOTSTRAP_ADMIN_API_KEY";
        return Err(forbidden(message.to_owned()));
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
        return Err(ApiError::field("store_ids", &format!("holds more than {MAX_STORES} stores")));
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
        return Err(ApiError::field("rate_limit", "must be at least 1, or left out"));
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
