//! Events that another process committed, a store that fails for a while, a log with a hole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sequencer::clock;
use sequencer::opening::open_store;
use sequencer::secrets::Secrets;
use sequencer::server::{Server, metrics};
use sequencer::store::{PreparedBatch, PreparedEvent, Store};
use ves::Event;

use crate::app::{Client, ROOT_KEY, TestApp, config};
use crate::client::connections;
use crate::follower::{FORMATS, Follower};
use crate::place::Place;
use crate::whole_log;

/// Commits through the store itself, as another process does: nobody here is told.
async fn commit_behind(store: &dyn Store, event: Event) {
    let (stream, signing_hash) = (event.stream, event.signing_hash());
    let batch = PreparedBatch { stream, events: vec![PreparedEvent { event, signing_hash }] };
    store.commit_events(&[batch], clock::now(), 1).await.unwrap();
}

/// A store of SQLite has one process, so another one is played by a writer beside the committer;
/// the replicas' own test is with PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_process_arrives_within_a_second() {
    let place = Place::new().await;
    let config = config(&place, &[]);
    let metrics = metrics(config.database().unwrap().driver());
    let store: Arc<dyn Store> = open_store(&config, &metrics).await.unwrap();
    let secrets = Secrets::load(&config).unwrap();
    let server = Server::start_with(config, secrets, Arc::clone(&store), metrics).await.unwrap();
    let base = format!("http://{}", server.api_address());
    let client = Client { base, key: ROOT_KEY.to_owned(), http: connections() };
    let agent = crate::agent::Agent::new();
    client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    let mut follower = Follower::open(&client, agent.stream, FORMATS[0]).await;
    let mut slowest = Duration::ZERO;
    for number in 1..=20 {
        commit_behind(store.as_ref(), agent.event()).await;
        let since = Instant::now();
        assert_eq!(follower.next().await.number(), number);
        slowest = slowest.max(since.elapsed());
    }
    println!("slowest arrival after another process's commit: {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    drop(follower);
    whole_log::check(&client, agent.stream).await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_keeps_the_stream_and_loses_nothing() {
    let app = TestApp::start_with(&["--stream-heartbeat-secs=1"]).await;
    let agent = app.agent().await;
    app.fill(&agent, 40).await;
    let mut follower = Follower::from(&app.client, agent.stream, 33).await;
    follower.expect(33..=40).await;
    let mut behind = app.behind().await;
    behind.execute("ALTER TABLE events RENAME TO events_away").await;
    // In memory still is what was read before; the rest waits.
    let mut other = Follower::from(&app.client, agent.stream, 17).await;
    for _ in 0..2 {
        let message = other.message().await.unwrap();
        assert_eq!(message.name, "heartbeat", "{message:?}");
    }
    behind.execute("ALTER TABLE events_away RENAME TO events").await;
    other.expect(17..=40).await;
    app.fill(&agent, 5).await;
    other.expect(41..=45).await;
    follower.expect(41..=45).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_log_ends_the_stream_and_is_never_passed() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 90).await;
    let remove = "DELETE FROM events WHERE sequence_number = 70";
    app.behind().await.execute(remove).await;
    for accept in FORMATS {
        let mut follower = Follower::open(&app.client, agent.stream, accept).await;
        follower.expect(1..=64).await;
        let last = follower.next().await;
        assert_eq!(last.data["code"], "SEQUENCE_GAP", "{last:?}");
        assert_eq!(last.data["details"]["missing_sequence"], 70);
        assert_eq!(last.resume_from("failed"), 65);
        assert!(follower.message().await.is_none());
    }
    app.stop().await;
}
