//! Traces: a span for each request, and one for each part of its work.
//!
//! The span of a request is in the OpenTelemetry context of the future that answers it, so log
//! lines and outgoing requests find it. Without OTEL_EXPORTER_OTLP_ENDPOINT there is no tracer:
//! no context is made, and every call here ends at that check.

use std::future::Future;

use catalog::label::HttpMethod;
use futures_util::future::Either;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    FutureExt as _, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanProcessor};
use warp::http::{HeaderMap, HeaderValue};

/// W3C header: the trace, the caller's span in it, and whether it is recorded.
const PARENT: &str = "traceparent";
/// W3C header: what vendors add to it.
const STATE: &str = "tracestate";
/// Longest text of a client that is kept in a span.
const MAX_TEXT_BYTES: usize = 256;
/// Longest `tracestate` that is handed on: what the standard asks for. Each span holds a copy.
const MAX_STATE_BYTES: usize = 512;

/// Makes spans, or nothing.
#[derive(Default)]
pub struct Tracing(Option<SdkTracer>);

/// A request as its span describes it.
pub struct Incoming<'a> {
    /// Method.
    pub method: HttpMethod,
    /// Template of the route, when there is one.
    pub route: Option<&'static str>,
    /// Path as it was sent.
    pub path: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// Address of the client.
    pub client: Option<std::net::IpAddr>,
}

impl Tracing {
    /// Spans that go to this processor. Without a caller's decision this share of the traces is
    /// recorded, from 0 to 1; with one, it is followed.
    pub fn to(processor: impl SpanProcessor + 'static, ratio: f64) -> Self {
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            // Ours, not those of the environment.
            .with_span_limits(opentelemetry_sdk::trace::SpanLimits::default())
            .with_span_processor(processor)
            .build();
        Self(Some(provider.tracer("sequencer")))
    }

    /// Begins the span of a request, as a child of the span that its `traceparent` names. `None`
    /// without tracing.
    #[must_use]
    pub fn begin(&self, request: &Incoming<'_>) -> Option<Context> {
        let tracer = self.0.as_ref()?;
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Caller(request.headers));
        let mut span = SpanBuilder::from_name("HTTP")
            .with_kind(SpanKind::Server)
            .start_with_context(tracer, &parent);
        if span.is_recording() {
            describe(&mut span, request);
        }
        Some(Context::new().with_span(span))
    }

    /// The current request's span for its own client: the value of the W3C header `traceresponse`.
    #[must_use]
    pub fn response_header(&self) -> Option<HeaderValue> {
        self.0.as_ref()?;
        HeaderValue::try_from(traceparent(&current_span()?)).ok()
    }

    /// Notes the answer on the span of the current request. `failure` is the code of an error.
    pub fn answered(&self, status: u16, request_id: &str, failure: Option<&'static str>) {
        if self.0.is_none() {
            return;
        }
        let context = Context::current();
        let span = context.span();
        if !span.span_context().is_sampled() {
            return;
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        let request_id = Array::String(vec![StringValue::from(request_id.to_owned())]);
        let name = "http.response.header.x-request-id";
        span.set_attribute(KeyValue::new(name, Value::Array(request_id)));
        if let Some(code) = failure {
            span.set_attribute(KeyValue::new("error.type", code));
            // By the conventions a refusal is the client's error, not the server's.
            if status >= 500 {
                span.set_status(Status::error(code));
            }
        }
    }

    /// Begins a part of the current request. It ends when dropped.
    pub fn part(&self, name: &'static str) -> Part {
        let Some(tracer) = &self.0 else { return Part(None) };
        let parent = Context::current();
        if !parent.span().span_context().is_sampled() {
            return Part(None);
        }
        Part::begin(tracer.clone(), parent, name)
    }
}

/// Name and attributes of a request, after the semantic conventions for HTTP servers.
fn describe(span: &mut Span, request: &Incoming<'_>) {
    let (method, verb) = match request.method {
        HttpMethod::Other => ("_OTHER", "HTTP"),
        known => (known.as_str(), known.as_str()),
    };
    span.set_attribute(KeyValue::new("http.request.method", method));
    span.set_attribute(KeyValue::new("url.scheme", "http"));
    span.set_attribute(KeyValue::new("url.path", shortened(request.path)));
    match request.route {
        Some(route) => {
            span.update_name(format!("{verb} {route}"));
            span.set_attribute(KeyValue::new("http.route", route));
        }
        None => span.update_name(verb),
    }
    if let Some(client) = request.client {
        span.set_attribute(KeyValue::new("client.address", client.to_string()));
    }
    let agent = request.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    if let Some(agent) = agent {
        span.set_attribute(KeyValue::new("user_agent.original", shortened(agent)));
    }
}

/// Serves a request within its context, if it has one.
pub fn within<F: Future>(context: Option<Context>, request: F) -> impl Future<Output = F::Output> {
    match context {
        Some(context) => Either::Left(request.with_context(context)),
        None => Either::Right(request),
    }
}

/// The span of the current request.
#[must_use]
pub fn current_span() -> Option<SpanContext> {
    Context::map_current(|context| {
        let active = context.has_active_span().then(|| context.span().span_context().clone());
        active.filter(SpanContext::is_valid)
    })
}

/// The current request's span as the W3C headers for a request that it causes; else nothing.
#[must_use]
pub fn outgoing_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(span) = current_span() else { return headers };
    for (name, value) in [(PARENT, traceparent(&span)), (STATE, span.trace_state().header())] {
        if let Ok(value) = HeaderValue::try_from(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    headers
}

fn traceparent(span: &SpanContext) -> String {
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    format!("00-{trace_id}-{span_id}-{:02x}", span.trace_flags().to_u8())
}

/// The headers of a caller's trace. A malformed or repeated one is as good as none.
struct Caller<'a>(&'a HeaderMap);

impl Extractor for Caller<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        let fits =
            if name == PARENT { is_traceparent(value) } else { value.len() <= MAX_STATE_BYTES };
        (fits && values.next().is_none()).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT, STATE]
    }
}

/// Whether the fields have their places and digits: the library takes shorter ones and signs too.
/// Later versions may add fields.
fn is_traceparent(value: &str) -> bool {
    let field = |(place, byte): (usize, u8)| match place {
        2 | 35 | 52 | 55 => byte == b'-',
        0..55 => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        _ => true,
    };
    value.len() >= 55 && value.bytes().enumerate().all(field)
}

/// A part of a request's work; its span ends when it is dropped. Empty when nothing is recorded.
#[must_use = "a part lasts as long as it is held"]
pub struct Part(Option<Box<Recording>>);

struct Recording {
    tracer: SdkTracer,
    /// The request.
    parent: Context,
    span: Span,
}

impl Part {
    fn begin(tracer: SdkTracer, parent: Context, name: &'static str) -> Self {
        let span = tracer.start_with_context(name, &parent);
        Self(Some(Box::new(Recording { tracer, parent, span })))
    }

    /// Ends it and begins the next part of the same request.
    pub fn then(self, name: &'static str) -> Self {
        let Some(recording) = self.0 else { return Self(None) };
        let Recording { tracer, parent, mut span } = *recording;
        span.end();
        Self::begin(tracer, parent, name)
    }

    /// Notes a count.
    pub fn count(&mut self, name: &'static str, value: usize) {
        if let Some(recording) = &mut self.0 {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            recording.span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Notes that it failed.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(recording) = &mut self.0 {
            recording.span.set_status(Status::error(why));
        }
    }
}

/// The beginning of a client's text.
fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn without_a_receiver_nothing_is_made() {
        let off = Tracing::default();
        let mut headers = HeaderMap::new();
        headers.insert(PARENT, GOOD.parse().unwrap());
        let (method, headers) = (HttpMethod::Get, &headers);
        let request = Incoming { method, route: None, path: "/", headers, client: None };
        assert!(off.begin(&request).is_none());
        let part = off.part("parse").then("verify");
        assert!(part.0.is_none());
        assert!(current_span().is_none() && off.response_header().is_none());
        assert!(outgoing_headers().is_empty());
    }

    #[test]
    fn a_callers_headers_count_when_they_are_well_formed() {
        let with = |parents: &[&str], state: &str| {
            let mut headers = HeaderMap::new();
            for parent in parents {
                headers.append(PARENT, parent.parse().unwrap());
            }
            headers.insert(STATE, state.parse().unwrap());
            let context = TraceContextPropagator::new()
                .extract_with_context(&Context::new(), &Caller(&headers));
            let span = context.span().span_context().clone();
            span.is_valid().then(|| span.trace_state().header())
        };
        let later = GOOD.replacen("00", "01", 1) + "-new";
        for parent in [GOOD, &GOOD.replace("-01", "-ff"), &later] {
            assert_eq!(with(&[parent], "a=1"), Some("a=1".to_owned()), "{parent}");
        }
        for parent in [
            "",
            "00-1-1-01",
            &GOOD.to_uppercase(),
            &GOOD.replace("0af", "+af"),
            &GOOD.replace("-01", "-1"),
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-new"),
            &GOOD.replace("b7ad6b7169203331", "0000000000000000"),
        ] {
            assert_eq!(with(&[parent], "a=1"), None, "{parent}");
        }
        assert_eq!(with(&[GOOD, GOOD], "a=1"), None, "a repeated parent is none");
        let long = format!("a={}", "x".repeat(511));
        assert_eq!(with(&[GOOD], &long), Some(String::new()), "a long state is left out");
    }
}
