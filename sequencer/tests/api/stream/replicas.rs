//! Two processes on one PostgreSQL: events, revocations and an outage, seen from open streams.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::TestApp;
use crate::follower::{FORMATS, Follower};
use crate::postgres::Postgres;
use crate::whole_log;

/// A replica on this database.
async fn replica(url: &str) -> TestApp {
    TestApp::start_with(&[&format!("--database-url={url}"), "--stream-heartbeat-secs=1"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_commits_reaches_the_subscribers_of_another_within_a_second() {
    let url = Postgres::shared().database().await;
    let (one, two) = (replica(&url).await, replica(&url).await);
    let agent = one.agent().await;
    let mut follower = Follower::open(&two.client, agent.stream, FORMATS[0]).await;
    let mut slowest = Duration::ZERO;
    for number in 1..=30 {
        let acknowledged = one.ingest(&[agent.event()]).await;
        let since = Instant::now();
        let event = follower.next().await;
        slowest = slowest.max(since.elapsed());
        assert_eq!(event.number(), number);
        assert_eq!(event.data["receipt"], json!(acknowledged.receipts[0]));
    }
    println!("slowest arrival from another replica: {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    whole_log::check(&two.client, agent.stream).await;
    one.stop().await;
    let last = tokio::join!(two.stop(), follower.next()).1;
    assert_eq!(last.resume_from("draining"), 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_revoked_at_one_replica_ends_its_streams_at_another() {
    let url = Postgres::shared().database().await;
    let (one, two) = (replica(&url).await, replica(&url).await);
    let agent = one.agent().await;
    let client = two.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
    let mut follower = Follower::open(&client, agent.stream, FORMATS[1]).await;
    one.ingest(&[agent.event()]).await;
    follower.expect(1..=1).await;
    let hash = sequencer::auth::api_key::hash(&client.key);
    let prefix = sequencer::auth::api_key::public_prefix(&hash);
    let since = Instant::now();
    one.client.delete(&format!("/api/v1/admin/api-keys/{prefix}")).await.ok();
    let last = follower.next().await;
    println!("ended {:?} after the revocation", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!((last.resume_from("failed"), &last.data["code"]), (2, &json!("INVALID_API_KEY")));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_database_keeps_the_stream_and_loses_nothing() {
    let postgres = Postgres::start();
    let app = replica(&postgres.database().await).await;
    let agent = app.agent().await;
    app.fill(&agent, 30).await;
    let mut follower = Follower::open(&app.client, agent.stream, FORMATS[0]).await;
    follower.expect(1..=30).await;
    postgres.stop("QUIT");
    for _ in 0..4 {
        assert_eq!(follower.message().await.unwrap().name, "heartbeat");
    }
    postgres.start_again();
    let begun = Instant::now();
    let event = agent.event();
    while app.client.try_ingest(std::slice::from_ref(&event)).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no event is taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    follower.expect(31..=31).await;
    app.fill(&agent, 10).await;
    follower.expect(32..=41).await;
    println!("goes on {:?} after the database came back", begun.elapsed());
    drop(follower);
    whole_log::check(&app.client, agent.stream).await;
    app.stop().await;
}
