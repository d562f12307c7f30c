//! Traces as an OTLP receiver sees them.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use sequencer::client::Client as SequencerClient;
use sequencer::telemetry::trace::within;
use ves::Event;

use crate::agent::{Agent, body};
use crate::answer::Answer;
use crate::app::TestApp;
use crate::otlp::{Manner, Receiver, attributes};

const INGEST: &str = "/api/v1/ves/events/ingest";
const INGEST_SPAN: &str = "POST /api/v1/ves/events/ingest";
/// A trace that a caller began, and the caller's span in it.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A server that sends its spans here.
async fn traced(receiver: &Receiver, flags: &[&str]) -> TestApp {
    let endpoint = format!("--otel-exporter-otlp-endpoint={}/", receiver.url());
    TestApp::start_with(&[&[endpoint.as_str()], flags].concat()).await
}

/// Posts events as a part of a caller's trace.
async fn post(app: &TestApp, events: &[Event], traceparent: &str) -> Answer {
    let envelopes: Vec<String> = events.iter().map(Event::to_json).collect();
    let request = app.client.request("POST", INGEST).header("content-type", "application/json");
    let request = request.header("traceparent", traceparent).header("tracestate", "vendor=7");
    let body = body(events[0].source_agent_id, &envelopes);
    Answer::of(request.body(body).send().await.unwrap()).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no span {name}: {spans:?}"));
    assert!(found.next().is_none(), "{name} is there twice");
    first
}

/// Those of one trace, once there are so many.
fn of_trace(receiver: &Receiver, trace_id: &str, count: usize) -> Vec<Span> {
    let of = |spans: &[Span]| -> Vec<Span> {
        spans.iter().filter(|span| hex(&span.trace_id) == trace_id).cloned().collect()
    };
    let arrived = receiver.wait(|arrived| of(&arrived.spans).len() >= count);
    of(&arrived.spans)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_of_its_callers_trace_and_its_parts_are_spans_below() {
    let receiver = Receiver::start(Manner::Takes);
    let app = traced(&receiver, &["--otel-exporter-otlp-headers=x-tenant=a%20b"]).await;
    let agent = app.agent().await;
    let answer = post(&app, &agent.events(3), &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(answer.ok()["eventsAccepted"], 3);
    let spans = of_trace(&receiver, TRACE, 6);
    assert_eq!(spans.len(), 6, "{spans:?}");

    let request = named(&spans, INGEST_SPAN);
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(request.trace_state, "vendor=7");
    assert_eq!(request.kind(), SpanKind::Server);
    assert_eq!(request.status.clone().unwrap_or_default().code(), StatusCode::Unset);
    let span_id = hex(&request.span_id);
    let own = format!("00-{TRACE}-{span_id}-01");
    assert_eq!(answer.header("traceresponse"), Some(own.as_str()));
    let facts = attributes(&request.attributes);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", INGEST),
        ("url.path", INGEST),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("http.response.header.x-request-id", "1 values"),
        ("client.address", "127.0.0.1"),
    ] {
        assert_eq!(facts.get(name).map(String::as_str), Some(value), "{name}: {facts:?}");
    }

    // The parts follow one another within the request.
    let mut end = request.start_time_unix_nano;
    for name in ["parse", "verify", "queue", "commit", "sign"] {
        let part = named(&spans, name);
        assert_eq!(hex(&part.parent_span_id), span_id, "{name}");
        assert_eq!(part.kind(), SpanKind::Internal, "{name}");
        assert!(part.start_time_unix_nano >= end, "{name} begins after the part before it");
        end = part.end_time_unix_nano;
    }
    assert!(request.end_time_unix_nano >= end);
    let facts = |name| attributes(&named(&spans, name).attributes);
    assert_eq!(facts("parse")["sequencer.events"], "3");
    assert_eq!(facts("commit")["sequencer.commit.events"], "3");
    assert_eq!(facts("sign")["sequencer.receipts"], "3");

    let arrived = receiver.arrived();
    let text = format!("{:?}", arrived.spans);
    for secret in [app.client.key.as_str(), "scanner-3"] {
        assert!(!text.contains(secret), "no credential and no payload is in a span: {text}");
    }
    assert_eq!(arrived.resource["service.name"], "stateset-sequencer");
    assert_eq!(arrived.resource["service.version"], sequencer::VERSION);
    for line in ["post /v1/traces http/1.1", "content-type: application/x-protobuf"] {
        assert!(arrived.heads[0].contains(line), "{line}: {}", arrived.heads[0]);
    }
    assert!(arrived.heads[0].contains("x-tenant: a b"), "{}", arrived.heads[0]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_group_commit_has_its_own_span_with_the_size_of_the_whole() {
    let receiver = Receiver::start(Manner::Takes);
    let app = traced(&receiver, &[]).await;
    let agent = app.agent().await;
    let mut requests = 0;
    // Commits share their work as soon as requests come together; a few rounds make it sure.
    for _ in 0..20 {
        let events = agent.events(16);
        let posts = events.chunks(1).map(|event| app.client.ingest(event));
        for answer in futures_util::future::join_all(posts).await {
            assert_eq!(answer.events_accepted, 1);
        }
        requests += 16;
        let commits = |spans: &[Span]| -> Vec<usize> {
            let commits = spans.iter().filter(|span| span.name == "commit");
            let size =
                |span: &Span| attributes(&span.attributes)["sequencer.commit.events"].clone();
            commits.map(|span| size(span).parse().unwrap()).collect()
        };
        let arrived = receiver.wait(|arrived| commits(&arrived.spans).len() == requests);
        let sizes = commits(&arrived.spans);
        // A commit of n events, one a request, is n spans that say n.
        for size in &sizes {
            let spans = sizes.iter().filter(|other| *other == size).count();
            assert_eq!(spans % size, 0, "{sizes:?}");
        }
        if sizes.iter().any(|size| *size > 1) {
            return app.finish().await;
        }
    }
    panic!("no two requests shared a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_decision_to_record_is_followed_and_else_the_ratio_decides() {
    for (ratio, own_is_recorded) in [("0", false), ("1", true)] {
        let receiver = Receiver::start(Manner::Takes);
        let ratio = format!("--otel-traces-sampler-arg={ratio}");
        let mut app = traced(&receiver, &[&ratio]).await;
        let agent = Agent::new();
        let event = [agent.event()];
        let recorded = post(&app, &event, &format!("00-{TRACE}-{CALLER}-01")).await;
        let other = "11111111111111111111111111111111";
        let not_recorded = post(&app, &event, &format!("00-{other}-{CALLER}-00")).await;
        let own = app.client.try_ingest(&event).await;
        // A malformed parent is no parent.
        let malformed = post(&app, &event, "00-zz-zz-01").await;
        // Stopping sends what waits.
        app.take_server().stop().await.unwrap();
        let found: BTreeSet<String> =
            receiver.arrived().spans.iter().map(|span| hex(&span.trace_id)).collect();

        let parts = |answer: &Answer| -> (String, String) {
            let value = answer.header("traceresponse").unwrap();
            let parts: Vec<&str> = value.split('-').collect();
            (parts[1].to_owned(), parts[3].to_owned())
        };
        let flag = if own_is_recorded { "01" } else { "00" };
        assert_eq!(parts(&recorded), (TRACE.to_owned(), "01".to_owned()));
        assert_eq!(parts(&not_recorded), (other.to_owned(), "00".to_owned()));
        assert_eq!((parts(&own).1.as_str(), parts(&malformed).1.as_str()), (flag, flag));
        let mut expect = BTreeSet::from([TRACE.to_owned()]);
        if own_is_recorded {
            expect.extend([parts(&own).0, parts(&malformed).0]);
        }
        assert_eq!(found, expect, "{ratio}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_why_and_only_our_failures_are_errors() {
    let receiver = Receiver::start(Manner::Takes);
    let mut app = traced(&receiver, &[]).await;
    let long = format!("/nowhere/{}", "x".repeat(400));
    app.client.get(&long).await.refused("RESOURCE_NOT_FOUND");
    app.client.request("BREW", "/health").send().await.unwrap();
    let agent = app.agent().await;
    app.client.post_events(body(agent.id, &[])).await.refused("INVALID_FIELD_VALUE");
    for polled in ["/health", "/ready", "/health/live", "/health/ready"] {
        app.client.get(polled).await.ok();
    }
    app.scrape().await;
    let mut behind = app.behind().await;
    behind.execute("DROP TABLE events").await;
    let failed = app.client.try_ingest(&[agent.event()]).await;
    assert!(failed.status >= 500, "{failed:?}");
    app.take_server().stop().await.unwrap();
    let spans = receiver.arrived().spans;

    let unmatched = attributes(&named(&spans, "GET").attributes);
    assert_eq!(unmatched["error.type"], "RESOURCE_NOT_FOUND");
    assert_eq!(unmatched["url.path"].len(), 256, "a client's text is bounded");
    assert_eq!(unmatched.get("http.route"), None);
    let posts: Vec<&Span> = spans.iter().filter(|span| span.name == INGEST_SPAN).collect();
    let [refused, broken] = posts[..] else { panic!("{spans:?}") };
    let status = |span: &Span| span.status.clone().unwrap_or_default().code();
    assert_eq!(attributes(&refused.attributes)["error.type"], "INVALID_FIELD_VALUE");
    assert_eq!(status(refused), StatusCode::Unset, "a refusal is the client's error");
    assert_eq!(status(broken), StatusCode::Error);
    assert_eq!(status(named(&spans, "commit")), StatusCode::Error);
    let polled =
        |span: &&Span| ["GET /health", "GET /ready", "GET /metrics"].contains(&&*span.name);
    assert_eq!(spans.iter().filter(polled).count(), 0, "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_hands_the_current_trace_on() {
    let receiver = Receiver::start(Manner::Takes);
    let mut app = traced(&receiver, &["--otel-traces-sampler-arg=0"]).await;
    let trace_id = TraceId::from_hex(TRACE).unwrap();
    let caller = SpanId::from_hex(CALLER).unwrap();
    let state = TraceState::from_key_value([("vendor", "7")]).unwrap();
    let span = SpanContext::new(trace_id, caller, TraceFlags::SAMPLED, false, state);
    let context = Context::new().with_remote_span_context(span);
    let client = SequencerClient::new(&app.client.base, None).unwrap();
    within(Some(context), client.sequencer()).await.unwrap();
    // Outside of a trace nothing is handed on.
    within(None, client.sequencer()).await.unwrap();
    app.take_server().stop().await.unwrap();
    let spans = receiver.arrived().spans;
    let span = named(&spans, "GET /api/v1/ves/sequencer");
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (TRACE.into(), CALLER.into()));
    assert_eq!(span.trace_state, "vendor=7");
}

/// Spans that were dropped, by the scrape.
async fn dropped(app: &TestApp) -> u64 {
    let scrape = app.scrape().await;
    let line = scrape
        .lines()
        .find_map(|line| line.strip_prefix("stateset_sequencer_trace_spans_dropped_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_take_spans_costs_requests_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("--otel-exporter-otlp-endpoint=http://{closed}");
    let hanging = Receiver::start(Manner::Hangs);
    let failing = Receiver::start(Manner::Fails);
    let mut apps = [
        TestApp::start_with(&[&closed]).await,
        traced(&failing, &[]).await,
        traced(&hanging, &[]).await,
    ];
    for (place, app) in apps.iter().enumerate() {
        let agent = app.agent().await;
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let started = Instant::now();
            assert_eq!(app.ingest(&[agent.event()]).await.events_accepted, 1);
            slowest = slowest.max(started.elapsed());
        }
        // Far below the time limit of an export, 5 s; builds run beside the tests.
        assert!(slowest < Duration::from_secs(3), "{place}: {slowest:?}");
    }
    // All that was recorded is counted: the agent's key is one span, each of 50 requests six.
    for app in &apps[..2] {
        let deadline = Instant::now() + Duration::from_secs(20);
        while dropped(app).await != 301 {
            assert!(Instant::now() < deadline, "{} dropped", dropped(app).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for app in &mut apps {
        let started = Instant::now();
        app.take_server().stop().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(8), "the flush has a limit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_spans_are_counted_and_a_receiver_that_comes_back_gets_spans_again() {
    let receiver = Receiver::start(Manner::Fails);
    let mut app = traced(&receiver, &[]).await;
    app.client.get("/nowhere").await.refused("RESOURCE_NOT_FOUND");
    receiver.wait(|arrived| arrived.spans.len() == 1);
    receiver.turn(Manner::Rejects(1));
    app.client.get("/nowhere").await.refused("RESOURCE_NOT_FOUND");
    receiver.wait(|arrived| arrived.spans.len() == 2);
    receiver.turn(Manner::Takes);
    app.client.get("/nowhere").await.refused("RESOURCE_NOT_FOUND");
    receiver.wait(|arrived| arrived.spans.len() == 3);
    assert_eq!(dropped(&app).await, 2);
    app.take_server().stop().await.unwrap();
}
