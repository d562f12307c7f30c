//! Health, readiness, metrics, and who this sequencer is.

use std::time::Duration;

use serde_json::json;
use ves::Hash32;
use ves::envelope::{MAX_ENTITY_ID_BYTES, MAX_ENTITY_TYPE_BYTES, MAX_EVENT_TYPE_BYTES};
use ves::wire::{SequencerInfo, SequencerKey, SequencerLimits};
use warp::http::StatusCode;

use crate::app::App;
use crate::auth::Right;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::health::{Report, Status};
use crate::http::{Reply, Request};
use crate::process;
use crate::store::PoolStatus;

/// Name of the service in `/health`.
const SERVICE: &str = "stateset-sequencer";
/// Longest wait between "not ready" and the closed port that a request may ask for: an hour.
const MAX_DRAIN_DELAY_SECONDS: u64 = 3_600;

/// The process can make progress. Never asks the store: a restart would not mend that.
pub(super) fn health() -> ApiResult<Reply> {
    Reply::json(&json!({
        "status": "healthy",
        "service": SERVICE,
        "version": crate::VERSION,
        "timestamp": clock::now(),
    }))
}

/// The contract, as `make generate` wrote it from `openapi.yaml`.
pub(super) fn contract() -> Reply {
    Reply::raw_json(include_str!("../../openapi.json"))
}

/// 503 only when no request could succeed: a balancer then looks elsewhere. Shedding and a full
/// disk keep 200, or every replica would leave the balancer at once.
pub(super) async fn ready(app: &App) -> ApiResult<Reply> {
    let report = app.health.report(app).await;
    let (ready, status) = readiness(app, &report);
    let mut reasons = report.reasons();
    if app.lifecycle.is_draining() {
        reasons.push("draining: the process is stopping".to_owned());
    }
    let pool = report.pool;
    let mut body = json!({
        "status": status,
        "database": {
            "connected": report.store_millis.is_some(),
            "response_time_ms": report.store_millis,
        },
        "pool": {
            "status": pool_status(pool),
            "utilization": format!("{:.1}%", utilization(pool) * 100.0),
            "active": pool.active,
            "idle": pool.idle,
        },
    });
    if !reasons.is_empty() {
        body["reasons"] = json!(reasons);
    }
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(Reply::json(&body)?.with_status(code))
}

fn readiness(app: &App, report: &Report) -> (bool, &'static str) {
    match report.status() {
        _ if app.lifecycle.is_draining() => (false, "not_ready"),
        Status::Unhealthy => (false, "not_ready"),
        Status::Degraded => (true, "degraded"),
        Status::Healthy => (true, "ready"),
    }
}

fn utilization(pool: PoolStatus) -> f64 {
    f64::from(pool.active) / f64::from(pool.max.max(1))
}

fn pool_status(pool: PoolStatus) -> &'static str {
    match utilization(pool) {
        used if used < 0.5 => "healthy",
        used if used < 0.75 => "moderate",
        used if used < 0.9 => "stressed",
        _ => "critical",
    }
}

fn require_platform(request: &Request<'_>) -> ApiResult<()> {
    if request.caller()?.is_platform() {
        return Ok(());
    }
    Err(crate::auth::forbidden("this needs the platform's credential".to_owned()))
}

/// Begins to drain as SIGTERM does, and ends the process when `exit` says so. May be repeated:
/// the first call decides the delay.
pub(super) fn drain(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    require_platform(request)?;
    let exit = request.query.optional_flag("exit")?.unwrap_or(false);
    let default = app.config.drain_delay().as_secs();
    let delay = request.query.number("delay_seconds", default)?;
    if delay > MAX_DRAIN_DELAY_SECONDS {
        let problem = format!("must be 0 to {MAX_DRAIN_DELAY_SECONDS}");
        return Err(ApiError::field("delay_seconds", &problem));
    }
    let closes_in = app.lifecycle.drain(Duration::from_secs(delay));
    if exit {
        app.lifecycle.exit();
    }
    tracing::info!(closes_in_seconds = closes_in.as_secs_f64(), exit, "draining by request");
    Reply::json(&json!({
        "status": "draining",
        "closes_in_seconds": closes_in.as_secs_f64(),
        "exit": app.lifecycle.exit_requested().is_cancelled(),
    }))
}

/// For the platform: its administrators, and whoever reads all that it keeps.
pub(super) async fn health_detailed(app: &App, request: &Request<'_>) -> ApiResult<Reply> {
    let caller = request.caller()?;
    if !caller.reads_everything() {
        caller.require(Right::Admin)?;
        require_platform(request)?;
    }
    let report = app.health.report(app).await;
    Reply::json(&json!({ "status": report.status(), "components": report.components }))
}

pub(super) fn sequencer_info(app: &App) -> ApiResult<Reply> {
    let key = |key: &crate::store::SequencerKey| SequencerKey {
        key_version: key.version,
        algorithm: "ed25519".to_owned(),
        public_key: Hash32(key.public_key),
        valid_from: key.valid_from,
        valid_to: key.valid_to,
    };
    let config = &app.config;
    Reply::json(&SequencerInfo {
        sequencer_id: app.identity.sequencer_id(),
        keys: app.identity.keys().iter().map(key).collect(),
        ves_version: 1,
        limits: SequencerLimits {
            max_body_bytes: config.max_body_size_bytes.into(),
            max_events_per_request: config.max_events_per_batch.into(),
            max_payload_bytes: config.max_event_payload_size.into(),
            max_payload_depth: crate::ingest::MAX_PAYLOAD_DEPTH as u64,
            max_entity_type_bytes: MAX_ENTITY_TYPE_BYTES as u64,
            max_entity_id_bytes: MAX_ENTITY_ID_BYTES as u64,
            max_event_type_bytes: MAX_EVENT_TYPE_BYTES as u64,
            max_page_events: crate::http::MAX_LIMIT.into(),
            max_commitment_events: config.max_commitment_events.into(),
        },
    })
}

/// Samples every gauge and encodes.
pub(super) async fn metrics(app: &App) -> Reply {
    let report = app.health.report(app).await;
    let metrics = &app.metrics;
    metrics.ready.set(i64::from(readiness(app, &report).0));
    metrics.database_breaker.show(app.breaker.state());
    metrics.draining.set(i64::from(app.lifecycle.is_draining()));
    metrics.queue_depth.set(i64::from(app.queue.depth()));
    metrics.ingest_inside.set(i64::try_from(app.admission.inside()).unwrap_or(i64::MAX));
    let limit = app.admission.current_limit();
    metrics.ingest_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
    metrics.db_pool_active.set(i64::from(report.pool.active));
    metrics.db_pool_idle.set(i64::from(report.pool.idle));
    metrics.db_pool_max.set(i64::from(report.pool.max));
    // Without the store the backlog keeps its last value; `ready` says that it is old.
    if report.store_millis.is_some() {
        metrics.commitment_lag.set(i64::try_from(report.unsealed_events).unwrap_or(i64::MAX));
        metrics.commitment_oldest_age.set(report.oldest_unsealed_seconds);
        if let Ok(active) = app.store.count_active_api_keys().await {
            metrics.api_keys_active.set(i64::try_from(active).unwrap_or(i64::MAX));
        }
    }
    app.agent_keys.sample();
    app.authenticator.sample();
    app.live.sample();
    process::sample(metrics);
    Reply::metrics(metrics.encode())
}
