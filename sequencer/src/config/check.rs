//! What is refused at start, and what follows from several values.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use super::{Config, Database};
use crate::auth::api_key;
use crate::http::{is_origin, origins};
use crate::sealing::SealPolicy;
use crate::stream::StreamPolicy;
use crate::telemetry::export::Receiver;

impl Config {
    /// Refuses values that cannot work together, with a sentence that names them.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.database()?;
        for (name, key) in [
            ("BOOTSTRAP_ADMIN_API_KEY", &self.bootstrap_admin_api_key),
            ("BOOTSTRAP_SIDECAR_API_KEY", &self.bootstrap_sidecar_api_key),
        ] {
            ensure!(
                key.as_ref().is_none_or(|key| api_key::is_well_formed(key.expose())),
                "{name} must be `ss_` and at least 32 of A-Z a-z 0-9 _ -"
            );
        }
        let at_least = [
            (
                "MAX_DB_CONNECTIONS",
                self.max_db_connections.into(),
                self.min_db_connections.max(1).into(),
            ),
            ("MAX_CONNECTIONS", u64::from(self.max_connections), 1),
            ("MAX_EVENTS_PER_BATCH", u64::from(self.max_events_per_batch), 1),
            ("QUEUE_MAX_EVENTS", self.queue_max_events.into(), self.max_events_per_batch.into()),
            ("MAX_INFLIGHT_BYTES", self.max_inflight_bytes.into(), self.max_body_size_bytes.into()),
            ("MAX_BODY_SIZE_BYTES", self.max_body_size_bytes.into(), 1024),
            ("MAX_HEADER_BYTES", self.max_header_bytes as u64, 8192),
            ("MAX_PAGE_BYTES", self.max_page_bytes.into(), 1),
            ("REQUEST_TIMEOUT_SECS", self.request_timeout_secs, 1),
            ("BODY_READ_TIMEOUT_SECS", self.body_read_timeout_secs, 1),
            ("WRITE_TIMEOUT_SECS", self.write_timeout_secs, 1),
            ("RATE_LIMIT_MAX_ENTRIES", self.rate_limit_max_entries as u64, 1),
            ("HEADER_READ_TIMEOUT_SECS", self.header_read_timeout_secs, 1),
            ("DB_STATEMENT_TIMEOUT_MS", self.db_statement_timeout_ms, 100),
            ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", self.circuit_breaker_failure_threshold.into(), 1),
            ("CIRCUIT_BREAKER_SUCCESS_THRESHOLD", self.circuit_breaker_success_threshold.into(), 1),
            ("CIRCUIT_BREAKER_SLOW_CALL_MS", self.circuit_breaker_slow_call_ms, 1),
            ("STREAM_HEARTBEAT_SECS", self.stream_heartbeat_secs, 1),
            ("STREAM_STALL_SECS", self.stream_stall_secs, 1),
            ("STREAM_MAX_LAG_EVENTS", self.stream_max_lag_events, 1),
            ("STREAM_BUFFER_BYTES", self.stream_buffer_bytes.into(), 1 << 20),
            ("COMMITTER_MAX_EVENTS", self.committer_max_events.into(), 1),
            (
                "MAX_COMMITMENT_EVENTS",
                self.max_commitment_events.into(),
                self.committer_max_events.into(),
            ),
        ];
        for (name, value, floor) in at_least {
            ensure!(value >= floor, "{name} is {value}, it must be at least {floor}");
        }
        for origin in self.cors_allow_origins.as_deref().map(origins).unwrap_or_default() {
            ensure!(
                origin == "*" || is_origin(&origin),
                "CORS_ALLOW_ORIGINS holds `{origin}`; an origin is like https://app.example.com"
            );
        }
        let same_port = self.port == self.ops_port && self.port != 0;
        ensure!(!same_port, "PORT and OPS_PORT are both {}", self.port);
        Receiver::of(self)?;
        Ok(())
    }

    /// The store that `DATABASE_URL` names.
    ///
    /// # Errors
    /// When there is no driver for it.
    pub fn database(&self) -> anyhow::Result<Database> {
        Database::parse(&self.database_url)
    }

    /// Longest call of the store: what its driver allows, and a second for the driver to say so.
    #[must_use]
    pub fn store_call_timeout(&self) -> Duration {
        let driver = self.db_acquire_timeout_ms.saturating_add(self.db_statement_timeout_ms);
        Duration::from_millis(driver.saturating_add(1_000))
    }

    /// True when missing secrets may be created: only this machine can reach the API.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.host.is_loopback() && matches!(self.database(), Ok(Database::Sqlite(_)))
    }

    /// Time between "not ready" and closing the port.
    #[must_use]
    pub fn drain_delay(&self) -> Duration {
        let default = if self.host.is_loopback() { 0 } else { 5 };
        Duration::from_secs(self.drain_delay_secs.unwrap_or(default))
    }

    /// When batches are sealed.
    #[must_use]
    pub fn seal_policy(&self) -> SealPolicy {
        SealPolicy {
            max_events: self.committer_max_events,
            max_wait: Duration::from_secs(self.committer_max_wait_secs),
            max_batch_events: self.max_commitment_events,
        }
    }

    /// Bounds of the live stream. Half of the connections are left to requests, and a reader that
    /// stalls can still be told why before its connection is cut.
    #[must_use]
    pub fn stream_policy(&self) -> StreamPolicy {
        StreamPolicy {
            max_subscribers: self.max_stream_subscribers.min(self.max_connections / 2) as usize,
            heartbeat: Duration::from_secs(self.stream_heartbeat_secs),
            stall: Duration::from_secs(self.stream_stall_secs)
                .min(Duration::from_secs(self.write_timeout_secs) / 2),
            max_lag_events: self.stream_max_lag_events,
            buffer_bytes: self.stream_buffer_bytes as usize,
        }
    }

    /// The effective values, one `NAME=value` a line as in an environment file, secrets redacted.
    #[must_use]
    pub fn render(&self) -> String {
        // The fields are named as their variables, so one list serves both.
        let values = serde_json::to_value(self).unwrap_or_default();
        let lines = values.as_object().into_iter().flatten().map(|(name, value)| {
            let name = name.to_uppercase();
            match value {
                Value::Null => format!("# {name} is not set\n"),
                Value::String(text) => format!("{name}={text}\n"),
                other => format!("{name}={other}\n"),
            }
        });
        lines.collect()
    }
}
