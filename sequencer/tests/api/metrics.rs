//! The scrape is the catalogue, exactly, and its figures are true.

use std::collections::{BTreeMap, BTreeSet};

use catalog::sequencer::ALL;
use serde_json::json;
use uuid::Uuid;

use crate::agent::{Agent, Numbers, body, query};
use crate::app::TestApp;
use crate::scrape::{check_family, parse, promtool_has_no_complaint};

/// Uses every feature once, with good and bad outcomes.
async fn exercise(app: &TestApp) -> Agent {
    let agent = app.agent().await;
    let bad = agent.envelope_with(|event| event["entity_type"] = json!(""));
    app.ingest(&agent.events(20)).await;
    app.client.post_events(body(agent.id, &[bad.to_string()])).await.ok();
    let stranger = Agent::in_stream(agent.stream);
    app.ingest(&[stranger.event()]).await;
    app.client.with_key("").get("/api/v1/ves/head").await.refused("AUTH_REQUIRED");
    app.client.seal(agent.stream, 1, 20).await.ok();
    let q = query(agent.stream);
    for path in [
        format!("/api/v1/ves/events?{q}"),
        format!("/api/v1/ves/entities/shelf/SH-1?{q}"),
        format!("/api/v1/ves/commitments?{q}"),
        format!("/api/v1/ves/proofs/7?{q}"),
        "/ready".to_owned(),
        "/health".to_owned(),
        "/health/live".to_owned(),
        "/health/ready".to_owned(),
    ] {
        app.client.get(&path).await.ok();
    }
    let new = agent.with_key(2);
    app.client.post("/api/v1/agents/keys/rotate", &new.key_body()).await.ok();
    app.client.post("/api/v1/agents/keys/revoke", &new.key_name()).await.ok();
    let limited = json!({ "tenant_id": agent.stream.tenant_id, "rate_limit": 1 });
    let limited = app.credential(limited).await;
    limited.get(&format!("/api/v1/ves/head?{q}")).await.ok();
    limited.get(&format!("/api/v1/ves/head?{q}")).await.refused("RATE_LIMIT_EXCEEDED");
    app.client.get("/nowhere").await.refused("RESOURCE_NOT_FOUND");
    app.client.delete("/health").await.refused("METHOD_NOT_ALLOWED");
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scrape_is_the_catalogue_in_both_directions() {
    let app = TestApp::start().await;
    exercise(&app).await;
    let answer = app.operations.with_key("").get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let (families, _) = parse(&answer.text);
    let found: BTreeSet<&str> = families.keys().map(String::as_str).collect();
    let declared: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(found, declared);
    for metric in ALL {
        check_family(metric, &families[metric.name]);
    }
    promtool_has_no_complaint(&answer.text);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_server_shows_its_counters_at_zero() {
    let app = TestApp::start().await;
    let (_, samples) = parse(&app.scrape().await);
    let zero = [
        "events_ingested_total",
        "events_rejected_total{reason=\"invalid_signature\"}",
        "events_rejected_total{reason=\"version_conflict\"}",
        "errors_total{category=\"database\"}",
        "errors_total{category=\"internal\"}",
        "requests_shed_total{reason=\"queue_full\"}",
        "commitments_total",
        "receipts_signed_total",
        "auth_failures_total{reason=\"unknown\"}",
        "signature_verifications_total{outcome=\"invalid\"}",
        "ingest_success_duration_seconds_count",
        "commit_duration_seconds_count",
        "draining",
        "requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"}",
    ];
    for name in zero {
        let name = format!("stateset_sequencer_{name}");
        assert_eq!(samples.get(&name), Some(&0.0), "{name}");
    }
    // Every route with every status that it may answer.
    for route in sequencer::http::routes::ROUTES {
        let (method, template) = (route.spec.method.as_str(), route.spec.template);
        for status in route.spec.statuses {
            let name = format!(
                "stateset_sequencer_requests_total\
                 {{method=\"{method}\",route=\"{template}\",status=\"{status}\"}}"
            );
            assert_eq!(samples.get(&name), Some(&0.0), "{name}");
        }
    }
    assert_eq!(samples["stateset_sequencer_ready"], 1.0);
    assert_eq!(samples["stateset_sequencer_api_keys_active"], 2.0);
    assert_eq!(samples["stateset_sequencer_queue_capacity_events"], 10_000.0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_move_as_the_requests_say() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (_, before) = parse(&app.scrape().await);
    let mut envelopes: Vec<_> = agent.events(5).iter().map(crate::agent::envelope).collect();
    envelopes[0]["payload_plain_hash"] = json!(format!("0x{}", "1".repeat(64)));
    envelopes[1]["agent_signature"] = json!(format!("0x{}", "1".repeat(128)));
    let texts: Vec<String> = envelopes.iter().map(ToString::to_string).collect();
    for _ in 0..2 {
        // The second time, the three good ones are re-submissions.
        app.client.post_events(body(agent.id, &texts)).await.ok();
    }
    app.client.post_events("{").await.refused("INVALID_REQUEST_BODY");
    app.client.seal(agent.stream, 1, 3).await.ok();
    app.client.seal(agent.stream, 9, 9).await.refused("SEQUENCE_GAP");
    let unknown = app.client.with_key("ss_0123456789012345678901234567890123456789");
    unknown.get("/api/v1/ves/head").await.refused("INVALID_API_KEY");
    let (_, after) = parse(&app.scrape().await);
    let ingest = "method=\"POST\",route=\"/api/v1/ves/events/ingest\"";
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    let stream = format!("tenant=\"{tenant}\",store=\"{store}\"");
    let moved: [(String, f64); 19] = [
        ("events_ingested_total".into(), 3.0),
        ("events_rejected_total{reason=\"invalid_payload_hash\"}".into(), 2.0),
        ("events_rejected_total{reason=\"invalid_signature\"}".into(), 2.0),
        ("events_rejected_total{reason=\"duplicate_event_id\"}".into(), 0.0),
        (format!("requests_total{{{ingest},status=\"200\"}}"), 2.0),
        (format!("requests_total{{{ingest},status=\"400\"}}"), 1.0),
        (format!("request_duration_seconds_count{{{ingest}}}"), 3.0),
        (format!("request_size_bytes_count{{{ingest}}}"), 3.0),
        ("ingest_success_duration_seconds_count".into(), 2.0),
        ("batch_size_events_sum".into(), 10.0),
        ("receipts_signed_total".into(), 6.0),
        ("signature_verifications_total{outcome=\"valid\"}".into(), 6.0),
        ("signature_verifications_total{outcome=\"invalid\"}".into(), 2.0),
        ("commitments_total".into(), 1.0),
        ("commitment_delay_seconds_count".into(), 3.0),
        ("errors_total{category=\"validation\"}".into(), 1.0),
        ("errors_total{category=\"conflict\"}".into(), 1.0),
        ("errors_total{category=\"auth\"}".into(), 1.0),
        ("auth_failures_total{reason=\"unknown\"}".into(), 1.0),
    ];
    for (name, expect) in moved {
        let name = format!("stateset_sequencer_{name}");
        let value = |samples: &BTreeMap<String, f64>| *samples.get(&name).unwrap_or(&f64::NAN);
        assert_eq!(value(&after) - value(&before), expect, "{name}");
    }
    let set = |name: &str| {
        let reversed = format!("store=\"{store}\",tenant=\"{tenant}\"");
        let of = |labels: &str| after.get(&format!("stateset_sequencer_{name}{{{labels}}}"));
        *of(&stream).or_else(|| of(&reversed)).unwrap()
    };
    assert_eq!(set("head_sequence"), 3.0);
    assert_eq!(set("stream_events_ingested_total"), 3.0);
    let shelf = "stateset_sequencer_entity_events_ingested_total{entity_type=\"shelf\"}";
    assert_eq!(after[shelf], 3.0);
    assert_eq!(after["stateset_sequencer_commitment_lag_events"], 0.0);
    assert_eq!(after["stateset_sequencer_queue_depth_events"], 0.0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_client_makes_no_series() {
    let app = TestApp::start().await;
    exercise(&app).await;
    let names =
        |samples: &BTreeMap<String, f64>| -> BTreeSet<String> { samples.keys().cloned().collect() };
    let (_, before) = parse(&app.scrape().await);
    let anonymous = app.client.with_key("");
    let mut numbers = Numbers::printed();
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW", "X-1"];
    let starts = ["", "/api/v1/ves/events", "/api/v1/ves/proofs", "/api/v1/agents", "/health"];
    for _ in 0..1000 {
        let path = format!("{}/{:x}", numbers.pick(&starts), numbers.next() % 1_000_000);
        let request = anonymous.request(methods[numbers.below(methods.len())], &path);
        let request = request.header("x-api-key", format!("ss_{:040x}", numbers.next()));
        assert!(matches!(request.send().await.unwrap().status().as_u16(), 401 | 404 | 405 | 429));
    }
    let (_, after) = parse(&app.scrape().await);
    assert_eq!(names(&after), names(&before));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_entity_types_and_keys_beyond_the_cap_share_one_series() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let tenant = agent.stream.tenant_id;
    for round in 0..210 {
        let agent = agent.in_store(Uuid::new_v4());
        let event = agent.event_with(|draft| draft.entity_type = format!("type-{round}"));
        let client = app.credential(json!({ "tenant_id": tenant })).await;
        client.ingest(&[event]).await;
    }
    let (families, samples) = parse(&app.scrape().await);
    for (name, label) in [
        ("stream_events_ingested_total", "store"),
        ("head_sequence", "store"),
        ("entity_events_ingested_total", "entity_type"),
        ("api_key_requests_total", "key"),
    ] {
        let family = &families[&format!("stateset_sequencer_{name}")];
        assert_eq!(family.labels.len(), 201, "{name}");
        assert!(family.labels.iter().any(|labels| labels[label] == "other"), "{name}");
    }
    let total: f64 = samples
        .iter()
        .filter(|(name, _)| name.starts_with("stateset_sequencer_stream_events_ingested_total"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(total, 210.0);
    app.finish().await;
}
