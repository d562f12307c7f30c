//! Sends spans to an OTLP receiver over HTTP, beside the requests and never in their way.
//!
//! Ended spans wait in a bounded queue. A span that finds it full, or that the receiver does not
//! take, is dropped and counted; nothing is sent twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use catalog::SequencerMetrics;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use percent_encoding::percent_decode_str;
use prost::Message as _;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Tracing;
use crate::client::{parse_url, prepare_tls};
use crate::config::Config;

/// Spans that may wait: below 20 MiB, because texts of clients are cut.
const QUEUE_SPANS: usize = 8_192;
/// Spans of one export request, and how many make the sender hurry.
const BATCH_SPANS: usize = 512;
/// Longest wait of a span for company.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// Time for one export request.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the last spans when the process stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of a receiver's answer that are read.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Where spans go, as configured.
pub struct Receiver {
    url: Url,
    headers: HeaderMap,
}

impl Receiver {
    /// The receiver of `OTEL_EXPORTER_OTLP_ENDPOINT`; `None` when it is not set.
    ///
    /// # Errors
    /// When the endpoint, its headers or the sampling ratio cannot be used.
    pub fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        let ratio = config.otel_traces_sampler_arg;
        ensure!((0.0..=1.0).contains(&ratio), "OTEL_TRACES_SAMPLER_ARG must be from 0 to 1");
        let endpoint = config.otel_exporter_otlp_endpoint.as_deref().unwrap_or_default();
        if endpoint.is_empty() {
            return Ok(None);
        }
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let mut url = parse_url(endpoint).context(name)?;
        let open = url.username().is_empty() && url.password().is_none();
        ensure!(open, "{name}: credentials belong into OTEL_EXPORTER_OTLP_HEADERS");
        ensure!(url.query().is_none() && url.fragment().is_none(), "{name} must end with its path");
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
        let headers = config.otel_exporter_otlp_headers.as_ref();
        let headers = parse_headers(headers.map_or("", |headers| headers.expose()));
        let headers = headers.context("OTEL_EXPORTER_OTLP_HEADERS must be `name=value,...`")?;
        Ok(Some(Self { url, headers }))
    }
}

/// `name=value,...` with percent-encoded values.
fn parse_headers(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let name = HeaderName::try_from(name.trim()).ok()?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::try_from(&*value).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

/// The sending task.
pub struct Export(Option<(JoinHandle<()>, CancellationToken)>);

/// Starts to trace if the configuration asks for it.
///
/// # Errors
/// When the configuration cannot be used.
pub fn start(
    config: &Config,
    metrics: &Arc<SequencerMetrics>,
) -> anyhow::Result<(Tracing, Export)> {
    let Some(receiver) = Receiver::of(config)? else {
        return Ok((Tracing::default(), Export(None)));
    };
    let (spans, waiting) = mpsc::channel(QUEUE_SPANS);
    let many = Arc::new(Notify::new());
    let outbox = Outbox { spans, many: Arc::clone(&many), metrics: Arc::clone(metrics) };
    let sender = Sender::new(receiver, &config.otel_service_name, Arc::clone(metrics))?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(sender.run(waiting, many, stop.clone()));
    let tracing = Tracing::to(outbox, config.otel_traces_sampler_arg);
    Ok((tracing, Export(Some((task, stop)))))
}

impl Export {
    /// Sends what waits, within a few seconds.
    pub async fn stop(self) {
        let Some((task, stop)) = self.0 else { return };
        stop.cancel();
        let abort = task.abort_handle();
        if tokio::time::timeout(FLUSH_TIMEOUT, task).await.is_err() {
            abort.abort();
            tracing::warn!("the last spans are lost: the OTLP receiver does not take them");
        }
    }
}

/// The requests' end of the queue.
struct Outbox {
    spans: mpsc::Sender<SpanData>,
    many: Arc<Notify>,
    metrics: Arc<SequencerMetrics>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("room", &self.spans.capacity()).finish_non_exhaustive()
    }
}

impl SpanProcessor for Outbox {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.trace_spans_dropped.inc();
        } else if self.spans.capacity() + BATCH_SPANS <= QUEUE_SPANS {
            self.many.notify_one();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The other end.
struct Sender {
    http: reqwest::Client,
    receiver: Receiver,
    resource: ResourceAttributesWithSchema,
    metrics: Arc<SequencerMetrics>,
    /// The last export failed: the next failure is not news.
    failing: bool,
}

impl Sender {
    fn new(
        receiver: Receiver,
        service_name: &str,
        metrics: Arc<SequencerMetrics>,
    ) -> anyhow::Result<Self> {
        prepare_tls();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(EXPORT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the OTLP client cannot start")?;
        let attributes = [
            KeyValue::new("service.name", service_name.to_owned()),
            KeyValue::new("service.version", crate::VERSION),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        ];
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        Ok(Self { http, receiver, resource: (&resource).into(), metrics, failing: false })
    }

    /// Sends until told to stop, then what is left.
    async fn run(
        mut self,
        mut waiting: mpsc::Receiver<SpanData>,
        many: Arc<Notify>,
        stop: CancellationToken,
    ) {
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = many.notified() => false,
                () = tokio::time::sleep(BATCH_DELAY) => false,
            };
            loop {
                let ready = std::iter::from_fn(|| waiting.try_recv().ok());
                let batch: Vec<SpanData> = ready.take(BATCH_SPANS).collect();
                if batch.is_empty() {
                    break;
                }
                self.send(batch).await;
            }
            if stopping {
                return;
            }
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        match self.post(body).await {
            Ok(rejected) => {
                self.metrics.trace_spans_dropped.inc_by(rejected);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the OTLP receiver takes spans again");
                }
            }
            Err(error) => {
                self.metrics.trace_spans_dropped.inc_by(spans);
                if !std::mem::replace(&mut self.failing, true) {
                    let cause = format!("{error:#}");
                    tracing::warn!(
                        cause,
                        "spans are dropped: the OTLP receiver does not take them"
                    );
                }
            }
        }
    }

    /// Gives the number of spans that the receiver rejected.
    async fn post(&self, body: Vec<u8>) -> anyhow::Result<u64> {
        let request = self.http.post(self.receiver.url.clone());
        let request = request
            .headers(self.receiver.headers.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        let mut response = request.send().await?.error_for_status()?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            ensure!(answer.len() + chunk.len() <= MAX_ANSWER_BYTES, "its answer is too long");
            answer.extend_from_slice(&chunk);
        }
        let answer = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use catalog::label::HttpMethod;

    use super::*;
    use crate::server;
    use crate::telemetry::trace::Incoming;

    #[test]
    fn a_full_queue_drops_and_counts_what_comes_after() {
        let metrics = server::metrics("none");
        let (spans, mut waiting) = mpsc::channel(2);
        let many = Arc::new(Notify::new());
        let tracing = Tracing::to(Outbox { spans, many, metrics: Arc::clone(&metrics) }, 1.0);
        let headers = HeaderMap::new();
        for _ in 0..5 {
            let method = HttpMethod::Get;
            let request =
                Incoming { method, route: None, path: "/", headers: &headers, client: None };
            drop(tracing.begin(&request));
        }
        assert_eq!(metrics.trace_spans_dropped.get(), 3);
        assert!(waiting.try_recv().is_ok() && waiting.try_recv().is_ok());
        assert!(waiting.try_recv().is_err());
    }
}
