//! Logs: one JSON object a line on standard error.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// Starts logging with a filter such as `info` or `sidecar=debug`.
///
/// # Errors
/// When the filter is malformed or logging was started before.
pub fn start(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("RUST_LOG is not a log filter")?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
