//! Everything the process can be told, read once at start.
//!
//! Each value is a flag and an environment variable; nothing else in the program looks at the
//! environment. [`Config::validate`] refuses what is likely a mistake.

mod certificate;
mod check;
mod seconds;
mod secret;
mod witness;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use serde::Serialize;

pub use certificate::CertificatePlace;
use check::ratio;
pub(crate) use check::{parse_url, public_url};
pub use seconds::Seconds;
pub use secret::Secret;
pub use witness::Streams;

/// The sidecar's configuration.
#[derive(Args, Clone, Debug, Serialize)]
pub struct Config {
    /// Address of metrics, health and the status page.
    #[arg(long, env = "SIDECAR_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    pub sidecar_host: IpAddr,
    /// Port of metrics, health and the status page; 0 picks a free one.
    #[arg(long, env = "SIDECAR_PORT", default_value_t = 9091, help_heading = "Listening")]
    pub sidecar_port: u16,
    /// Token for all but `/metrics`, `/health` and `/ready`: at least 16 characters. Optional while
    /// SIDECAR_HOST is loopback.
    #[arg(long, env = "SIDECAR_TOKEN", hide_env_values = true, help_heading = "Listening")]
    pub sidecar_token: Option<Secret>,
    /// Further host names under which the sidecar may be called, with commas. Without a token it
    /// answers as localhost, 127.0.0.1 and ::1; with one, under any name while this is empty.
    #[arg(long, env = "SIDECAR_ALLOWED_HOSTS", value_delimiter = ',', help_heading = "Listening")]
    pub sidecar_allowed_hosts: Vec<String>,

    /// Base URL of the sequencer's API.
    #[arg(
        long,
        env = "SEQUENCER_URL",
        default_value = "http://127.0.0.1:8080",
        help_heading = "Sequencer"
    )]
    #[serde(serialize_with = "check::serialize_public")]
    pub sequencer_url: String,
    /// Base URL of the sequencer's operations port.
    #[arg(
        long,
        env = "SEQUENCER_OPS_URL",
        default_value = "http://127.0.0.1:8081",
        help_heading = "Sequencer"
    )]
    #[serde(serialize_with = "check::serialize_public")]
    pub sequencer_ops_url: String,
    /// Key for the sequencer's API: its BOOTSTRAP_SIDECAR_API_KEY. Unset, the key that a
    /// development sequencer put into DATA_DIR/sidecar.key.
    #[arg(long, env = "SEQUENCER_API_KEY", hide_env_values = true, help_heading = "Sequencer")]
    pub sequencer_api_key: Option<Secret>,
    /// File that holds the process id of the sequencer; unset, its process is found by the port of
    /// SEQUENCER_URL.
    #[arg(long, env = "SEQUENCER_PID_FILE", help_heading = "Sequencer")]
    pub sequencer_pid_file: Option<PathBuf>,
    /// The sequencer's data folder, to be watched; unset, its disk is not checked.
    #[arg(long, env = "DATA_DIR", help_heading = "Sequencer")]
    pub data_dir: Option<PathBuf>,
    /// The sequencer's store, to be looked at from outside; unset, it is not.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, help_heading = "Sequencer")]
    #[serde(serialize_with = "check::serialize_redacted")]
    pub database_url: Option<String>,
    /// Let the connection to a database on another machine go over the network in clear.
    #[arg(
        long,
        env = "DB_ALLOW_PLAINTEXT",
        default_value_t = false,
        action = ArgAction::Set,
        help_heading = "Sequencer"
    )]
    pub db_allow_plaintext: bool,

    /// Folder of what the sidecar remembers: its witness's checkpoints and evidence.
    #[arg(long, env = "SIDECAR_STATE_DIR", default_value = "data/sidecar", help_heading = "State")]
    pub sidecar_state_dir: PathBuf,
    /// Folder of the runbooks that `/runbooks/<Alert>` shows.
    #[arg(long, env = "RUNBOOKS_DIR", help_heading = "State")]
    pub runbooks_dir: Option<PathBuf>,

    /// Seconds between two runs of each check.
    #[arg(long, env = "CHECK_INTERVAL_SECS", default_value = "10", help_heading = "Checks")]
    pub check_interval_secs: Seconds,
    /// Seconds after which a check that has no result is a failed one.
    #[arg(long, env = "CHECK_TIMEOUT_SECS", default_value = "2", help_heading = "Checks")]
    pub check_timeout_secs: Seconds,
    /// Seconds between two readings of the sequencer's process and the machine.
    #[arg(long, env = "SYSTEM_INTERVAL_SECS", default_value = "15", help_heading = "Checks")]
    pub system_interval_secs: Seconds,
    /// Used share of DATA_DIR's disk from which it is filling.
    #[arg(
        long,
        env = "DISK_WARN_RATIO",
        default_value_t = 0.85,
        value_parser = ratio,
        help_heading = "Checks"
    )]
    pub disk_warn_ratio: f64,
    /// Used share from which it is almost full.
    #[arg(
        long,
        env = "DISK_HIGH_RATIO",
        default_value_t = 0.9,
        value_parser = ratio,
        help_heading = "Checks"
    )]
    pub disk_high_ratio: f64,
    /// Used share from which it is full, which is critical.
    #[arg(
        long,
        env = "DISK_FULL_RATIO",
        default_value_t = 0.95,
        value_parser = ratio,
        help_heading = "Checks"
    )]
    pub disk_full_ratio: f64,
    /// The sequencer's MIN_FREE_DISK_BYTES: while less, or less than 5 %, is free it refuses
    /// writes.
    #[arg(
        long,
        env = "MIN_FREE_DISK_BYTES",
        default_value_t = 256 << 20,
        help_heading = "Checks"
    )]
    pub min_free_disk_bytes: u64,
    /// Seconds between two readings of the sequencer's metrics for the curves; 900 are kept.
    #[arg(long, env = "HISTORY_INTERVAL_SECS", default_value = "1", help_heading = "Checks")]
    pub history_interval_secs: Seconds,

    /// Certificates to watch, separated by commas: PEM files, or servers as host:port. That of an
    /// https SEQUENCER_URL is watched by itself.
    #[arg(long, env = "TLS_CERTIFICATES", value_delimiter = ',', help_heading = "Checks")]
    pub tls_certificates: Vec<CertificatePlace>,

    /// Send events through the sequencer and check what becomes of them.
    #[arg(
        long,
        env = "CANARY",
        default_value_t = true,
        action = ArgAction::Set,
        help_heading = "Canary"
    )]
    pub canary: bool,
    /// Key for the canary, when it is not that of SEQUENCER_API_KEY.
    #[arg(long, env = "CANARY_API_KEY", hide_env_values = true, help_heading = "Canary")]
    pub canary_api_key: Option<Secret>,
    /// Seconds between the starts of two rounds.
    #[arg(long, env = "CANARY_INTERVAL_SECS", default_value = "15", help_heading = "Canary")]
    pub canary_interval_secs: Seconds,
    /// Seconds that a canary's event may wait for its commitment.
    #[arg(long, env = "CANARY_COMMIT_TIMEOUT_SECS", default_value = "60", help_heading = "Canary")]
    pub canary_commit_timeout_secs: Seconds,
    /// Which of the sixteen canary streams this sidecar writes, 0 to 15. Unset, one that follows
    /// from the name of the machine and SIDECAR_PORT.
    #[arg(
        long,
        env = "CANARY_SLOT",
        value_parser = clap::value_parser!(u8).range(0..i64::from(ves::canary::SLOTS)),
        help_heading = "Canary"
    )]
    pub canary_slot: Option<u8>,

    /// Verify the log. One witness for a sequencer is enough, however many replicas it has.
    #[arg(
        long,
        env = "WITNESS",
        default_value_t = true,
        action = ArgAction::Set,
        help_heading = "Witness"
    )]
    pub witness: bool,
    /// Streams to follow, as tenant/store with commas between; unset, all that the key may list.
    #[arg(
        long,
        env = "WITNESS_STREAMS",
        default_value_t = Streams::default(),
        help_heading = "Witness"
    )]
    pub witness_streams: Streams,
    /// Seconds between two looks at the heads of all streams.
    #[arg(long, env = "WITNESS_POLL_SECS", default_value = "1", help_heading = "Witness")]
    pub witness_poll_secs: Seconds,
    /// Events a second that the loop over the whole history reads again; 0 turns it off.
    #[arg(
        long,
        env = "WITNESS_AUDIT_EVENTS_PER_SECOND",
        default_value_t = 2_000,
        help_heading = "Witness"
    )]
    pub witness_audit_events_per_second: u32,
    /// Cores that verifying may take; beyond, the witness falls behind and says by how much.
    #[arg(
        long,
        env = "WITNESS_CPU_CORES",
        default_value = "0.5",
        value_parser = witness::cores,
        help_heading = "Witness"
    )]
    pub witness_cpu_cores: f64,
    /// Share of events whose signatures are verified; hashes, numbers and roots always are.
    #[arg(
        long,
        env = "WITNESS_SIGNATURE_SAMPLE",
        default_value = "1",
        value_parser = witness::share,
        help_heading = "Witness"
    )]
    pub witness_signature_sample: f64,

    /// Which log lines are written, for example `info` or `sidecar=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", help_heading = "Logging")]
    pub rust_log: String,
}
