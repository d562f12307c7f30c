//! Agents' signing keys: register, list, rotate, revoke (VES 9).

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use ves::wire::{AgentKeyEntry, AgentKeysPage};
use ves::{
    Hash32, KeyWindow, PublicKey, Sig64, StoredStatus, Timestamp, proof_of_possession_challenge,
};

use crate::app::App;
use crate::auth::{Principal, Right, forbidden};
use crate::clock;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::{Reply, Request, read_json};
use crate::store::{AgentKeyRecord, Inserted};

/// Largest key id: what every store can hold.
const MAX_KEY_ID: u32 = i32::MAX.cast_unsigned();
/// Longest overlap of a rotation: a year.
const MAX_OVERLAP_SECONDS: u32 = 366 * 24 * 3600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKey {
    tenant_id: Uuid,
    agent_id: Uuid,
    key_id: Option<u32>,
    public_key: String,
    valid_from: Option<String>,
    valid_to: Option<String>,
    key_algorithm: Option<u32>,
    proof_of_possession: Option<String>,
    /// Tolerated when null: other key algorithms are not taken.
    public_key_bundle: Option<Value>,
    /// The same.
    proof_of_possession_bundle: Option<Value>,
    /// Rotation only.
    overlap_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyName {
    tenant_id: Uuid,
    agent_id: Uuid,
    key_id: u32,
}

pub(super) async fn register(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let new: NewKey = read_json(request.body)?;
    require_owner(request.caller()?, new.tenant_id, new.agent_id)?;
    if new.overlap_seconds.is_some() {
        return Err(ApiError::field("overlapSeconds", "belongs to /api/v1/agents/keys/rotate"));
    }
    let key_id = new.key_id.ok_or_else(|| {
        ApiError::new(Code::MissingRequiredField, "`keyId` is missing; the first is 1")
    })?;
    let key = checked_key(app, &new, key_id)?;
    let inserted = app.store.insert_agent_key(&key).await?;
    app.agent_keys.forget(key.tenant_id, key.agent_id, key.key_id);
    match inserted {
        Inserted::Yes => done(key.tenant_id, key.agent_id, key.key_id, "the key is registered"),
        Inserted::Exists => Err(exists(key.key_id)),
    }
}

pub(super) async fn rotate(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let new: NewKey = read_json(request.body)?;
    require_ending(request.caller()?, new.tenant_id, new.agent_id)?;
    require_owner(request.caller()?, new.tenant_id, new.agent_id)?;
    let overlap = new.overlap_seconds.unwrap_or(0);
    if overlap > MAX_OVERLAP_SECONDS {
        let problem = format!("must be at most {MAX_OVERLAP_SECONDS}");
        return Err(ApiError::field("overlapSeconds", &problem));
    }
    let keys = app.store.agent_keys(new.tenant_id, new.agent_id).await?;
    let highest = keys.iter().map(|key| key.key_id).max().ok_or_else(|| {
        let message = "this agent has no key to rotate; register its first";
        ApiError::new(Code::AgentKeyNotFound, message)
    })?;
    let next = highest.saturating_add(1);
    if new.key_id.is_some_and(|key_id| key_id != next) {
        let problem = format!("must be {next}, the next key of this agent, or be left out");
        return Err(ApiError::field("keyId", &problem));
    }
    let key = checked_key(app, &new, next)?;
    let overlap_micros = i64::from(overlap) * 1_000_000;
    let ends_at = Timestamp::from_micros(key.created_at.as_micros() + overlap_micros);
    let inserted = app.store.rotate_agent_key(&key, ends_at).await?;
    for key_id in keys.iter().map(|key| key.key_id).chain([next]) {
        app.agent_keys.forget(key.tenant_id, key.agent_id, key_id);
    }
    match inserted {
        Inserted::Yes => {
            let message = format!("the key is registered; older keys end at {ends_at}");
            done(key.tenant_id, key.agent_id, next, &message)
        }
        Inserted::Exists => Err(exists(next)),
    }
}

pub(super) async fn revoke(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let KeyName { tenant_id, agent_id, key_id } = read_json(request.body)?;
    require_ending(request.caller()?, tenant_id, agent_id)?;
    let revoked = app.store.revoke_agent_key(tenant_id, agent_id, key_id, clock::now()).await?;
    app.agent_keys.forget(tenant_id, agent_id, key_id);
    match revoked {
        Some(_) => done(tenant_id, agent_id, key_id, "the key is revoked"),
        None => {
            let message = format!("agent {agent_id} has no key {key_id}");
            Err(ApiError::new(Code::AgentKeyNotFound, message))
        }
    }
}

pub(super) async fn list(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let tenant_id = request.query.uuid("tenant_id")?;
    let agent_id = request.query.uuid("agent_id")?;
    request.caller()?.require_tenant(tenant_id)?;
    let keys = app.store.agent_keys(tenant_id, agent_id).await?;
    let keys: Vec<AgentKeyEntry> = keys.iter().map(entry).collect();
    let count = keys.len() as u64;
    Reply::json(&AgentKeysPage { keys, count })
}

fn entry(key: &AgentKeyRecord) -> AgentKeyEntry {
    AgentKeyEntry {
        tenant_id: key.tenant_id,
        agent_id: key.agent_id,
        key_id: key.key_id,
        key_algorithm: key.algorithm,
        public_key: Hash32(key.public_key),
        status: key.window.status,
        valid_from: key.window.valid_from,
        valid_to: key.window.valid_to,
        revoked_at: key.window.revoked_at,
        created_at: key.created_at,
    }
}

/// Ending keys is for administrators, and for the sidecar where the agent is the canary's.
fn require_ending(caller: &Principal, tenant_id: Uuid, agent_id: Uuid) -> ApiResult<()> {
    if caller.is_canary(tenant_id, agent_id) {
        return Ok(());
    }
    caller.require(Right::Admin)?;
    caller.require_tenant(tenant_id)
}

/// An administrator of the tenant, or the agent itself; the sidecar is each of the canary's agents.
fn require_owner(caller: &Principal, tenant_id: Uuid, agent_id: Uuid) -> ApiResult<()> {
    caller.require_tenant(tenant_id)?;
    let itself = (caller.agent_id() == Some(agent_id) && caller.has(Right::Write))
        || caller.is_canary(tenant_id, agent_id);
    if itself || (caller.has(Right::Admin) && caller.agent_id().is_none_or(|id| id == agent_id)) {
        return Ok(());
    }
    Err(forbidden("this needs an administrator of the tenant, or the agent itself".to_owned()))
}

/// Everything that can be wrong with a key before it is stored.
fn checked_key(app: &App, new: &NewKey, key_id: u32) -> ApiResult<AgentKeyRecord> {
    if key_id > MAX_KEY_ID {
        return Err(ApiError::field("keyId", &format!("must be 0 to {MAX_KEY_ID}")));
    }
    if !matches!(new.key_algorithm, None | Some(0 | 1)) {
        return Err(ApiError::field("keyAlgorithm", "must be 1 (Ed25519)"));
    }
    if new.public_key_bundle.is_some() || new.proof_of_possession_bundle.is_some() {
        let problem = "and `proofOfPossessionBundle` must be null: only Ed25519 keys are taken";
        return Err(ApiError::field("publicKeyBundle", problem));
    }
    let bytes = Hash32::parse_either(&new.public_key).ok_or_else(|| {
        ApiError::new(Code::InvalidPublicKey, "`publicKey` must be 32 bytes in hex")
    })?;
    let public_key = PublicKey::from_bytes(&bytes.0)
        .map_err(|error| ApiError::new(Code::InvalidPublicKey, format!("`publicKey`: {error}")))?;
    match &new.proof_of_possession {
        Some(proof) => check_possession(&public_key, proof)?,
        None if app.config.require_proof_of_possession => {
            let message = "`proofOfPossession` is missing: sign SHA-256(\"VES_POP_V1\" ++ key)";
            return Err(ApiError::new(Code::MissingRequiredField, message));
        }
        None => {}
    }
    let valid_from = time("validFrom", new.valid_from.as_deref())?;
    let valid_to = time("validTo", new.valid_to.as_deref())?;
    if valid_from.zip(valid_to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::field("validTo", "must not be before `validFrom`"));
    }
    let status = StoredStatus::Active;
    Ok(AgentKeyRecord {
        tenant_id: new.tenant_id,
        agent_id: new.agent_id,
        key_id,
        algorithm: 1,
        public_key: bytes.0,
        window: KeyWindow { status, valid_from, valid_to, revoked_at: None },
        created_at: clock::now(),
    })
}

/// A proof that is given is always checked (VES 9.3).
fn check_possession(key: &PublicKey, proof: &str) -> ApiResult<()> {
    let proof = Sig64::parse_either(proof)
        .ok_or_else(|| ApiError::field("proofOfPossession", "must be 64 bytes in hex"))?;
    if key.verify(&proof_of_possession_challenge(key.as_bytes()), &proof) {
        return Ok(());
    }
    let message = "`proofOfPossession` does not verify: sign the 32 bytes of \
                   SHA-256(\"VES_POP_V1\" ++ public key) with the private key";
    Err(ApiError::new(Code::InvalidSignature, message))
}

fn time(name: &str, text: Option<&str>) -> ApiResult<Option<Timestamp>> {
    text.map(|text| {
        Timestamp::parse(text).ok_or_else(|| {
            ApiError::field(name, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z")
        })
    })
    .transpose()
}

fn exists(key_id: u32) -> ApiError {
    let message = format!("this agent has a key {key_id} already; register the next id");
    ApiError::new(Code::AlreadyExists, message)
}

fn done(tenant_id: Uuid, agent_id: Uuid, key_id: u32, message: &str) -> ApiResult<Reply> {
    Reply::json(&json!({
        "success": true,
        "tenantId": tenant_id,
        "agentId": agent_id,
        "keyId": key_id,
        "keyAlgorithm": 1,
        "message": message,
    }))
}
