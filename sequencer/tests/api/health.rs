//! Health, readiness, and the way out.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::answer::eventually;
use crate::app::TestApp;
use crate::ingest::is_time;
use crate::raw::{Connection, post_head, status};

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_have_exactly_the_members_of_the_contract() {
    let app = TestApp::start().await;
    let health = app.client.with_key("").get("/health").await.ok();
    let expect = json!({
        "status": "healthy",
        "service": "stateset-sequencer",
        "version": env!("CARGO_PKG_VERSION"),
        "timestamp": health["timestamp"],
    });
    assert_eq!(health, expect);
    is_time(&health["timestamp"]);
    let ready = app.client.with_key("").get("/ready").await.ok();
    let pool = &ready["pool"];
    let expect = json!({
        "status": "ready",
        "database": {
            "connected": true,
            "response_time_ms": ready["database"]["response_time_ms"],
        },
        "pool": {
            "status": pool["status"],
            "utilization": pool["utilization"],
            "active": pool["active"],
            "idle": pool["idle"],
        },
    });
    assert_eq!(ready, expect);
    assert!(ready["database"]["response_time_ms"].as_u64().is_some());
    let known = ["healthy", "moderate", "stressed", "critical"];
    assert!(known.contains(&pool["status"].as_str().unwrap()));
    let percent = pool["utilization"].as_str().unwrap().strip_suffix('%').unwrap();
    assert_eq!(percent.split_once('.').unwrap().1.len(), 1, "{percent}");
    assert!(pool["active"].as_u64().is_some() && pool["idle"].as_u64().is_some());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_detailed_report_names_its_components() {
    let app = TestApp::start().await;
    let report = app.operations.get("/health/detailed").await.ok();
    assert_eq!(report["status"], "healthy");
    let components = report["components"].as_array().unwrap();
    let names: Vec<&str> = components.iter().map(|part| part["name"].as_str().unwrap()).collect();
    for needed in ["store", "disk", "queue", "sealing"] {
        assert!(names.contains(&needed), "{names:?}");
    }
    for part in components {
        assert_eq!(part.as_object().unwrap().len(), 4, "{part}");
        assert_eq!((&part["status"], &part["reason"]), (&json!("healthy"), &json!(null)));
        is_time(&part["since"]);
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    let later = app.operations.get("/health/detailed").await.ok();
    assert_eq!(later["components"][0]["since"], components[0]["since"], "since it is so");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_says_not_ready_and_serves_until_the_delay_is_over() {
    let mut app = TestApp::start_with(&["--drain-delay-secs=2"]).await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let server = app.take_server();
    let started = Instant::now();
    let stopping = tokio::spawn(server.stop());
    eventually(Duration::from_secs(1), || async {
        (app.client.get("/ready").await.status == 503).then_some(())
    })
    .await;
    let answer = app.client.get("/ready").await;
    let ready = answer.json();
    assert_eq!(ready["status"], "not_ready");
    assert!(ready["reasons"][0].as_str().unwrap().contains("draining"), "{ready}");
    let served = app.client.try_ingest(&[agent.event()]).await;
    assert_eq!(served.ok()["sequenceStart"], 2);
    assert_eq!(served.header("connection"), Some("close"));
    app.client.get("/health").await.ok();
    let scrape = app.scrape().await;
    assert!(scrape.contains("stateset_sequencer_ready 0\n"), "{scrape}");
    assert!(scrape.contains("stateset_sequencer_draining 1\n"));
    stopping.await.unwrap().unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(8)).contains(&took), "{took:?}");
    assert!(app.client.request("GET", "/health").send().await.is_err(), "the port is closed");
    assert!(app.operations.request("GET", "/metrics").send().await.is_err());
    let again = TestApp::start_in(app.place().clone(), &[]).await;
    assert_eq!(again.client.head_sequence(agent.stream).await, 2);
    again.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_before_the_end() {
    let mut app = TestApp::start().await;
    let agent = app.agent().await;
    let text = crate::agent::body(agent.id, &[agent.event().to_json()]);
    let (first, rest) = text.split_at(100);
    let mut connection = Connection::open(&app.client).await;
    connection.send(post_head(&format!("content-length: {}\r\n", text.len())) + first).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopping = tokio::spawn(app.take_server().stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    connection.send(rest).await;
    let answer = connection.read_to_end().await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    stopping.await.unwrap().unwrap();
    let again = TestApp::start_in(app.place().clone(), &[]).await;
    assert_eq!(again.client.head_sequence(agent.stream).await, 1);
    again.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_cannot_keep_it_alive() {
    let mut app = TestApp::start_with(&["--shutdown-timeout-secs=1"]).await;
    let mut stuck = Connection::open(&app.client).await;
    stuck.send(post_head("content-length: 100\r\n")).await;
    let mut idle = Connection::open(&app.client).await;
    idle.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n").await;
    idle.read_until("}").await;
    let started = Instant::now();
    app.take_server().stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    drop((stuck, idle));
}
