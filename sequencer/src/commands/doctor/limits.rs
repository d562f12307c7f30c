//! Limits: everything that callers can make grow or wait has a bound.

use super::super::drain::own_url;
use super::Facts;
use super::check::{Check, Finding};
use crate::config::Config;
use crate::process::{memory_limit_bytes, open_files_limit};

/// A time limit above this is none to whoever waits.
const LONG_SECONDS: u64 = 600;
/// Files beside connections: the log, listeners, libraries, the store's own.
const OTHER_FILES: u64 = 64;
/// The limit as the running server knows it.
const LIMIT_METRIC: &str = "stateset_sequencer_file_descriptor_limit ";

pub(super) async fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let config = facts.config;
    vec![
        rate(
            Check::RateLimit,
            ("RATE_LIMIT_PER_MINUTE", config.rate_limit_per_minute),
            "one tenant can take the whole service",
        ),
        rate(
            Check::UnknownCredentials,
            ("UNKNOWN_CREDENTIALS_PER_MINUTE", config.unknown_credentials_per_minute),
            "strangers can make the store look up keys without end",
        ),
        time_limits(config),
        memory(config),
        open_files(facts).await,
        drain_delay(config),
    ]
}

fn rate(check: Check, (name, value): (&str, u32), risk: &str) -> Finding {
    match value {
        0 => check.warn(
            format!("{name} is 0, no limit: {risk}"),
            format!("set {name}, or limit at the proxy in front"),
        ),
        value => check.pass(format!("{name} is {value}")),
    }
}

fn time_limits(config: &Config) -> Finding {
    let check = Check::TimeLimits;
    let limits = [
        ("REQUEST_TIMEOUT_SECS", config.request_timeout_secs),
        ("HEADER_READ_TIMEOUT_SECS", config.header_read_timeout_secs),
        ("BODY_READ_TIMEOUT_SECS", config.body_read_timeout_secs),
        ("WRITE_TIMEOUT_SECS", config.write_timeout_secs),
        ("STREAM_STALL_SECS", config.stream_stall_secs),
        ("SHUTDOWN_TIMEOUT_SECS", config.shutdown_timeout_secs),
        ("DB_ACQUIRE_TIMEOUT_MS", config.db_acquire_timeout_ms / 1000),
        ("DB_STATEMENT_TIMEOUT_MS", config.db_statement_timeout_ms / 1000),
    ];
    let long: Vec<_> = limits.iter().filter(|(_, seconds)| *seconds > LONG_SECONDS).collect();
    match long.first() {
        None => check.pass(format!("no time limit is above {LONG_SECONDS} s")),
        Some((name, seconds)) => check.warn(
            format!("{name} is {seconds} s, so what hangs is held that long"),
            format!("set {name} to what a client waits, below {LONG_SECONDS} s"),
        ),
    }
}

fn memory(config: &Config) -> Finding {
    let check = Check::MemoryBounds;
    let Some(limit) = memory_limit_bytes() else {
        return check.skipped("the kernel does not say how much memory there is");
    };
    let bounds = [config.max_inflight_bytes, config.stream_buffer_bytes, config.max_page_bytes];
    let wanted: u64 = bounds.map(u64::from).iter().sum();
    let found = format!("buffers may take {} MiB of {} MiB", wanted >> 20, limit >> 20);
    if wanted <= limit / 2 {
        return check.pass(found);
    }
    let fix = "lower MAX_INFLIGHT_BYTES or STREAM_BUFFER_BYTES, or give the process more memory";
    check.warn(format!("{found}: the kernel may kill the process"), fix)
}

async fn open_files(facts: &Facts<'_>) -> Finding {
    let check = Check::OpenFiles;
    let config = facts.config;
    let of_server = match &facts.server {
        Ok(_) => limit_of_server(facts).await,
        Err(_) => None,
    };
    let (whose, limit) = match (of_server, open_files_limit()) {
        (Some(limit), _) => ("the server", limit),
        (None, Some(limit)) => ("a process here", limit),
        (None, None) => return check.pass("a process here may open any number of files"),
    };
    let connections = u64::from(config.max_connections);
    let others = u64::from(config.max_db_connections) + OTHER_FILES;
    let found = format!("{whose} may open {limit} files, MAX_CONNECTIONS is {connections} a port");
    let fix = "raise the limit of open files (ulimit -n, LimitNOFILE), or lower MAX_CONNECTIONS";
    match limit {
        limit if limit < connections + others => check.fail(found, fix),
        limit if limit < 2 * connections + others => check.warn(found, fix),
        _ => check.pass(found),
    }
}

/// A server may run under another limit than the shell that asks.
async fn limit_of_server(facts: &Facts<'_>) -> Option<u64> {
    let base = own_url(facts.config.ops_host, facts.config.ops_port);
    let metrics = facts.asker.get(&base, "/metrics").await.ok()?.text;
    metrics.lines().find_map(|line| line.strip_prefix(LIMIT_METRIC)?.parse().ok())
}

fn drain_delay(config: &Config) -> Finding {
    let check = Check::DrainDelay;
    let seconds = config.drain_delay().as_secs();
    if seconds == 0 && !config.host.is_loopback() {
        return check.warn(
            "DRAIN_DELAY_SECS is 0: a balancer still sends requests when the port closes",
            "unset DRAIN_DELAY_SECS (5), or set it above the interval of the balancer's probe",
        );
    }
    check.pass(format!("the port closes {seconds} s after \"not ready\""))
}
