//! Draining by request: the way of SIGTERM, with the end left to whoever asks for it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::answer::eventually;
use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_by_request_goes_the_way_of_a_signal_and_may_be_repeated() {
    let mut app = TestApp::start_with(&["--drain-delay-secs=60"]).await;
    let agent = app.agent().await;
    let started = Instant::now();
    let told = app.operations.post("/drain?delay_seconds=2", &json!({})).await.ok();
    assert_eq!((&told["status"], &told["exit"]), (&json!("draining"), &json!(false)));
    let ready = app.client.get("/ready").await;
    assert_eq!(ready.status, 503, "at once, although a moment ago it was well");
    assert!(ready.text.contains("draining"), "{}", ready.text);
    // The first call decides: neither a longer nor the configured delay moves the end.
    let again = app.operations.post("/drain?delay_seconds=3600", &json!({})).await.ok();
    assert!(again["closes_in_seconds"].as_f64().unwrap() <= 2.0, "{again}");
    let served = app.client.try_ingest(&[agent.event()]).await;
    served.ok();
    assert_eq!(served.header("connection"), Some("close"));
    eventually(Duration::from_secs(10), || async {
        app.client.request("GET", "/health").send().await.is_err().then_some(())
    })
    .await;
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // Without `exit` it waits for its end, and can still be asked how it is.
    app.operations.get("/health/detailed").await.ok();
    assert!(app.scrape().await.contains("stateset_sequencer_draining 1\n"));
    let stopping = Instant::now();
    app.take_server().stop().await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(10), "no second delay");
    let again = TestApp::start_in(app.place().clone(), &[]).await;
    assert_eq!(again.client.head_sequence(agent.stream).await, 1);
    again.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_during_a_drain_goes_on_with_it() {
    let mut app = TestApp::start_with(&["--drain-delay-secs=60"]).await;
    app.operations.post("/drain?delay_seconds=1", &json!({})).await.ok();
    let started = Instant::now();
    app.take_server().stop().await.unwrap();
    let took = started.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_asked_for_once_and_not_taken_back() {
    let mut app = TestApp::start().await;
    let server = app.take_server();
    app.operations.post("/drain", &json!({})).await.ok();
    let waiting = tokio::time::timeout(Duration::from_millis(200), server.exit_requested());
    assert!(waiting.await.is_err(), "a drain alone does not end it");
    for path in ["/drain?exit=true", "/drain?exit=false", "/drain"] {
        let told = app.operations.post(path, &json!({})).await.ok();
        assert_eq!(told["exit"], true, "{path}");
    }
    tokio::time::timeout(Duration::from_secs(5), server.exit_requested()).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_platform_may_drain_and_only_on_the_operations_port() {
    let app = TestApp::start().await;
    let tenant = uuid::Uuid::new_v4();
    let own = app.credential(json!({ "admin": true, "tenant_id": tenant })).await;
    let own = app.operations.with_key(&own.key);
    own.post("/drain", &json!({})).await.refused("INSUFFICIENT_PERMISSIONS");
    let anonymous = app.operations.with_key("");
    anonymous.post("/drain", &json!({})).await.refused("AUTH_REQUIRED");
    app.client.post("/drain", &json!({})).await.refused("RESOURCE_NOT_FOUND");
    app.operations.get("/drain").await.refused("METHOD_NOT_ALLOWED");
    for wrong in ["delay_seconds=3601", "delay_seconds=-1", "delay_seconds=soon", "exit=1"] {
        let answer = app.operations.post(&format!("/drain?{wrong}"), &json!({})).await;
        answer.refused("INVALID_FIELD_VALUE");
    }
    app.client.get("/ready").await.ok();
    app.finish().await;
}
