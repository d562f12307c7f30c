//! Logs: one JSON object a line on standard error, with the trace it belongs to.

use std::fmt;

use anyhow::Context as _;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

use super::trace;

/// Starts logging with a filter such as `info` or `sequencer=debug`.
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
        .map_event_format(WithTrace)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// Adds `trace_id` and `span_id` to the JSON object that another format writes, while a request
/// with a trace is served.
struct WithTrace<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(span) = trace::current_span() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let Some(members) = line.strip_suffix("}\n") else {
            return writer.write_str(&line);
        };
        let (trace_id, span_id) = (span.trace_id(), span.span_id());
        writeln!(writer, r#"{members},"trace_id":"{trace_id}","span_id":"{span_id}"}}"#)
    }
}
