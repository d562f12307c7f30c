//! Everything the process can be told, read once at start.
//!
//! Each value is a flag and an environment variable; nothing else in the program looks at the
//! environment. [`Config::validate`] refuses what is likely a mistake.

mod check;
mod database;
mod secret;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use uuid::Uuid;

pub use database::{Database, redacted};
pub(crate) use database::{password, url_option};
pub use secret::Secret;

/// The sequencer's configuration.
#[derive(Args, Clone, Debug, Serialize)]
pub struct Config {
    /// Address of the API.
    #[arg(long, env = "HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    pub host: IpAddr,
    /// Port of the API; 0 picks a free one.
    #[arg(long, env = "PORT", default_value_t = 8080, help_heading = "Listening")]
    pub port: u16,
    /// Address of metrics and detailed health: loopback or the pod network, not the internet.
    #[arg(long, env = "OPS_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    pub ops_host: IpAddr,
    /// Port of metrics and detailed health; 0 picks a free one.
    #[arg(long, env = "OPS_PORT", default_value_t = 8081, help_heading = "Listening")]
    pub ops_port: u16,
    /// Connections served at once on each port; more wait to be accepted.
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 4096, help_heading = "Listening")]
    pub max_connections: u32,

    /// Where the log lives: a file (sqlite://), or a server (postgres://) that replicas share.
    #[serde(serialize_with = "database::serialize_redacted")]
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/sequencer.db",
        hide_env_values = true,
        help_heading = "Store"
    )]
    pub database_url: String,
    /// Folder of keys that are created in development.
    #[arg(long, env = "DATA_DIR", default_value = "data", help_heading = "Store")]
    pub data_dir: PathBuf,
    /// Connections to the store.
    #[arg(long, env = "MAX_DB_CONNECTIONS", default_value_t = 10, help_heading = "Store")]
    pub max_db_connections: u32,
    /// Connections to PostgreSQL that are opened before they are needed, and kept.
    #[arg(long, env = "MIN_DB_CONNECTIONS", default_value_t = 0, help_heading = "Store")]
    pub min_db_connections: u32,
    /// Longest wait for a store connection, in milliseconds.
    #[arg(long, env = "DB_ACQUIRE_TIMEOUT_MS", default_value_t = 5_000, help_heading = "Store")]
    pub db_acquire_timeout_ms: u64,
    /// Longest run of one statement of the store, or wait for a lock, in milliseconds.
    #[arg(long, env = "DB_STATEMENT_TIMEOUT_MS", default_value_t = 5_000, help_heading = "Store")]
    pub db_statement_timeout_ms: u64,
    /// Failed and slow calls of the store that open its circuit breaker once they are half of the
    /// last ones: of four times as many, within ten seconds.
    #[arg(
        long,
        env = "CIRCUIT_BREAKER_FAILURE_THRESHOLD",
        default_value_t = 5,
        help_heading = "Store"
    )]
    pub circuit_breaker_failure_threshold: u32,
    /// Good probes in a row that close a circuit breaker.
    #[arg(
        long,
        env = "CIRCUIT_BREAKER_SUCCESS_THRESHOLD",
        default_value_t = 2,
        help_heading = "Store"
    )]
    pub circuit_breaker_success_threshold: u32,
    /// A call of the store that takes longer, in milliseconds, is slow for its circuit breaker.
    #[arg(
        long,
        env = "CIRCUIT_BREAKER_SLOW_CALL_MS",
        default_value_t = 2_000,
        help_heading = "Store"
    )]
    pub circuit_breaker_slow_call_ms: u64,
    /// Seconds after which an unused connection to a database server is closed.
    #[arg(long, env = "DB_IDLE_TIMEOUT_SECS", default_value_t = 600, help_heading = "Store")]
    pub db_idle_timeout_secs: u64,
    /// Seconds after which a connection to a database server is replaced.
    #[arg(long, env = "DB_MAX_LIFETIME_SECS", default_value_t = 1800, help_heading = "Store")]
    pub db_max_lifetime_secs: u64,
    /// Let the connection to a database server on another host go over the network in clear.
    #[arg(
        long,
        env = "DB_ALLOW_PLAINTEXT",
        default_value_t = false,
        action = clap::ArgAction::Set,
        help_heading = "Store"
    )]
    pub db_allow_plaintext: bool,
    /// Bring an older schema up to date at start; with false, such a start is refused.
    #[arg(
        long,
        env = "DB_MIGRATE_ON_STARTUP",
        default_value_t = true,
        action = clap::ArgAction::Set,
        help_heading = "Store"
    )]
    pub db_migrate_on_startup: bool,
    /// Writes are refused while less, or less than 5 %, is free on the store's disk; 0 turns that
    /// off.
    #[arg(
        long,
        env = "MIN_FREE_DISK_BYTES",
        default_value_t = 256 << 20,
        help_heading = "Store"
    )]
    pub min_free_disk_bytes: u64,

    /// The platform key: `ss_` and at least 32 of A-Z a-z 0-9 _ -. Changing it retires the old one.
    #[arg(
        long,
        env = "BOOTSTRAP_ADMIN_API_KEY",
        hide_env_values = true,
        help_heading = "Identity"
    )]
    pub bootstrap_admin_api_key: Option<Secret>,
    /// The sidecar's key, of the same form: it reads everywhere and writes in the canary's streams
    /// only. Changing or removing it retires the old one.
    #[arg(
        long,
        env = "BOOTSTRAP_SIDECAR_API_KEY",
        hide_env_values = true,
        help_heading = "Identity"
    )]
    pub bootstrap_sidecar_api_key: Option<Secret>,
    /// Seed of the receipt key: 32 bytes as 64 hex digits or base64.
    #[arg(
        long,
        env = "VES_SEQUENCER_SIGNING_KEY",
        hide_env_values = true,
        help_heading = "Identity"
    )]
    pub ves_sequencer_signing_key: Option<Secret>,
    /// Id of the logical sequencer; unset, one is created and kept in the store.
    #[arg(long, env = "VES_SEQUENCER_ID", help_heading = "Identity")]
    pub ves_sequencer_id: Option<Uuid>,
    /// Register agent keys only with a proof that the caller holds the private key.
    #[arg(
        long,
        env = "REQUIRE_PROOF_OF_POSSESSION",
        default_value_t = false,
        action = clap::ArgAction::Set,
        help_heading = "Identity"
    )]
    pub require_proof_of_possession: bool,

    /// Largest request body, in bytes.
    #[arg(
        long,
        env = "MAX_BODY_SIZE_BYTES",
        default_value_t = 10 << 20,
        help_heading = "Limits"
    )]
    pub max_body_size_bytes: u32,
    /// Most events in one request.
    #[arg(long, env = "MAX_EVENTS_PER_BATCH", default_value_t = 1000, help_heading = "Limits")]
    pub max_events_per_batch: u32,
    /// Largest payload of one event, in bytes of canonical JSON.
    #[arg(
        long,
        env = "MAX_EVENT_PAYLOAD_SIZE",
        default_value_t = 1 << 20,
        help_heading = "Limits"
    )]
    pub max_event_payload_size: u32,
    /// Seconds until a request is answered 504.
    #[arg(long, env = "REQUEST_TIMEOUT_SECS", default_value_t = 30, help_heading = "Limits")]
    pub request_timeout_secs: u64,
    /// Seconds within which a client must send its request head.
    #[arg(long, env = "HEADER_READ_TIMEOUT_SECS", default_value_t = 10, help_heading = "Limits")]
    pub header_read_timeout_secs: u64,
    /// Seconds within which a body must come; each 64 KiB of it allow one second more.
    #[arg(long, env = "BODY_READ_TIMEOUT_SECS", default_value_t = 10, help_heading = "Limits")]
    pub body_read_timeout_secs: u64,
    /// Seconds after which a client that takes nothing of its answer is cut off.
    #[arg(long, env = "WRITE_TIMEOUT_SECS", default_value_t = 30, help_heading = "Limits")]
    pub write_timeout_secs: u64,
    /// Most headers of a request.
    #[arg(long, env = "MAX_HEADERS", default_value_t = 64, help_heading = "Limits")]
    pub max_headers: usize,
    /// Most bytes of a request head.
    #[arg(long, env = "MAX_HEADER_BYTES", default_value_t = 16 << 10, help_heading = "Limits")]
    pub max_header_bytes: usize,
    /// Events that may be under way or wait for the committer; more are answered 503.
    #[arg(long, env = "QUEUE_MAX_EVENTS", default_value_t = 10_000, help_heading = "Limits")]
    pub queue_max_events: u32,
    /// Bytes of request bodies in memory at once; more are answered 503.
    #[arg(
        long,
        env = "MAX_INFLIGHT_BYTES",
        default_value_t = 64 << 20,
        help_heading = "Limits"
    )]
    pub max_inflight_bytes: u32,
    /// Bytes of payloads in one page of events; a page ends with the event that reaches it.
    #[arg(long, env = "MAX_PAGE_BYTES", default_value_t = 16 << 20, help_heading = "Limits")]
    pub max_page_bytes: u32,
    /// Agent keys, and API keys, kept in memory.
    #[arg(
        long,
        env = "CREDENTIAL_CACHE_ENTRIES",
        default_value_t = 10_000,
        help_heading = "Limits"
    )]
    pub credential_cache_entries: usize,
    /// Requests a minute of one tenant; 0 is no limit. The platform's key has none.
    #[arg(long, env = "RATE_LIMIT_PER_MINUTE", default_value_t = 0, help_heading = "Limits")]
    pub rate_limit_per_minute: u32,
    /// Unknown credentials a minute that one address may have looked up; 0 is no limit.
    #[arg(
        long,
        env = "UNKNOWN_CREDENTIALS_PER_MINUTE",
        default_value_t = 600,
        help_heading = "Limits"
    )]
    pub unknown_credentials_per_minute: u32,
    /// Tenants and credentials, and addresses, whose requests are counted in memory.
    #[arg(long, env = "RATE_LIMIT_MAX_ENTRIES", default_value_t = 10_000, help_heading = "Limits")]
    pub rate_limit_max_entries: usize,
    /// Origins whose pages may call the API, with commas between them, or `*`; unset: none.
    #[arg(long, env = "CORS_ALLOW_ORIGINS", help_heading = "Listening")]
    pub cors_allow_origins: Option<String>,

    /// Open live streams; at most half of MAX_CONNECTIONS.
    #[arg(
        long,
        env = "MAX_STREAM_SUBSCRIBERS",
        default_value_t = 2_000,
        help_heading = "Live stream"
    )]
    pub max_stream_subscribers: u32,
    /// Seconds of silence after which a heartbeat is sent.
    #[arg(long, env = "STREAM_HEARTBEAT_SECS", default_value_t = 15, help_heading = "Live stream")]
    pub stream_heartbeat_secs: u64,
    /// Seconds within which a reader must take up to 64 KiB, or it is cut; at most half of
    /// WRITE_TIMEOUT_SECS.
    #[arg(long, env = "STREAM_STALL_SECS", default_value_t = 10, help_heading = "Live stream")]
    pub stream_stall_secs: u64,
    /// Events by which a reader may fall further behind than it was, or it is cut.
    #[arg(
        long,
        env = "STREAM_MAX_LAG_EVENTS",
        default_value_t = 100_000,
        help_heading = "Live stream"
    )]
    pub stream_max_lag_events: u64,
    /// Bytes of memory for events on their way to readers.
    #[arg(
        long,
        env = "STREAM_BUFFER_BYTES",
        default_value_t = 64 << 20,
        help_heading = "Live stream"
    )]
    pub stream_buffer_bytes: u32,

    /// Events after which a stream's batch is sealed.
    #[arg(
        long,
        env = "COMMITTER_MAX_EVENTS",
        default_value_t = 1024,
        help_heading = "Commitments"
    )]
    pub committer_max_events: u32,
    /// Age in seconds of the oldest unsealed event at which a batch is sealed; 0: only on demand.
    #[arg(
        long,
        env = "COMMITTER_MAX_WAIT_SECS",
        default_value_t = 10,
        help_heading = "Commitments"
    )]
    pub committer_max_wait_secs: u64,
    /// Most events in one batch.
    #[arg(
        long,
        env = "MAX_COMMITMENT_EVENTS",
        default_value_t = 65_536,
        help_heading = "Commitments"
    )]
    pub max_commitment_events: u32,

    /// Seconds between "not ready" and closing the port; default 5, or 0 when HOST is loopback.
    #[arg(long, env = "DRAIN_DELAY_SECS", help_heading = "Stopping")]
    pub drain_delay_secs: Option<u64>,
    /// Seconds for requests in flight after the port is closed.
    #[arg(long, env = "SHUTDOWN_TIMEOUT_SECS", default_value_t = 15, help_heading = "Stopping")]
    pub shutdown_timeout_secs: u64,
    /// Which log lines are written, for example `info` or `sequencer=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", help_heading = "Logging")]
    pub rust_log: String,

    /// Base URL of an OTLP receiver (HTTP, protobuf); unset, nothing is traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", help_heading = "Traces")]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// Headers for the receiver, `name=value,...` with percent-encoded values.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true,
        help_heading = "Traces"
    )]
    pub otel_exporter_otlp_headers: Option<Secret>,
    /// Name under which traces show this service.
    #[arg(
        long,
        env = "OTEL_SERVICE_NAME",
        default_value = "stateset-sequencer",
        help_heading = "Traces"
    )]
    pub otel_service_name: String,
    /// Share of requests that are traced, 0 to 1; a caller's own decision comes first.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, help_heading = "Traces")]
    pub otel_traces_sampler_arg: f64,
}
