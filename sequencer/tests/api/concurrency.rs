//! Many writers at once: numbers stay dense, receipts stay true, nothing is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use ves::wire::IngestResponse;
use ves::{Event, Receipt};

use crate::agent::{Agent, Numbers};
use crate::app::{Client, TestApp};
use crate::whole_log;

/// What one writer was told.
struct Told {
    receipts: Vec<Receipt>,
    accepted: u64,
}

/// Posts batches of random sizes, some with events of before and some that conflict.
async fn write(client: Client, agent: Agent, seed: u64, rounds: usize) -> Told {
    let mut numbers = Numbers::from_seed(seed);
    let mut told = Told { receipts: Vec::new(), accepted: 0 };
    let mut sent: Vec<Event> = Vec::new();
    for _ in 0..rounds {
        let mut batch = Vec::new();
        for _ in 0..=numbers.below(20) {
            batch.push(match numbers.below(10) {
                0 if !sent.is_empty() => numbers.pick(&sent).clone(),
                // All writers fight for the versions of one entity and for a few commands.
                1 => agent.event_with(|draft| {
                    draft.entity_id = "shared".to_owned();
                    draft.base_version = Some(numbers.below(40) as u64);
                }),
                2 => agent.event_with(|draft| {
                    draft.command_id = Some(Uuid::from_u128(numbers.below(50) as u128));
                }),
                _ => agent.event(),
            });
        }
        let response: IngestResponse = client.ingest(&batch).await;
        let answered = response.receipts.len() + response.rejections.len();
        assert_eq!(answered, batch.len(), "each event is answered once");
        told.accepted += response.events_accepted;
        told.receipts.extend(response.receipts);
        sent.extend(batch);
    }
    told
}

/// Lets the writers run and holds what they were told against what is in the log.
async fn check_writers(app: TestApp, agents: Vec<Agent>, rounds: usize) {
    let mut seeds = Numbers::printed();
    let mut tasks = tokio::task::JoinSet::new();
    for agent in &agents {
        let (client, agent, seed) = (app.client.clone(), agent.clone(), seeds.next());
        tasks.spawn(async move { (agent.stream, write(client, agent, seed, rounds).await) });
    }
    let told = tasks.join_all().await;
    let streams: HashSet<_> = agents.iter().map(|agent| agent.stream).collect();
    let mut stored = 0;
    for stream in streams {
        let events = whole_log::check(&app.client, stream).await;
        stored += events.len() as u64;
        for (_, told) in told.iter().filter(|(of, _)| *of == stream) {
            for receipt in &told.receipts {
                let place = usize::try_from(receipt.sequence_number).unwrap() - 1;
                assert_eq!(events[place].receipt, *receipt);
            }
        }
    }
    assert_eq!(stored, told.iter().map(|(_, told)| told.accepted).sum::<u64>());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_writers_share_one_stream() {
    let app = TestApp::start_with(&["--committer-max-wait-secs=1"]).await;
    let first = app.agent().await;
    let mut agents = vec![first.clone()];
    for _ in 1..32 {
        let agent = Agent::in_stream(first.stream);
        app.register(&agent).await;
        agents.push(agent);
    }
    check_writers(app, agents, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_writers_share_eight_streams() {
    let app = TestApp::start_with(&["--committer-max-events=20"]).await;
    let mut agents = Vec::new();
    for _ in 0..4 {
        let agent = app.agent().await;
        // Each tenant has two stores, each with four writers of one key.
        for store in [agent.stream.store_id, Uuid::new_v4()] {
            agents.extend(vec![agent.in_store(store); 4]);
        }
    }
    check_writers(app, agents, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_see_a_hole_or_a_head_that_goes_back() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (client, stream, done) = (app.client.clone(), agent.stream, Arc::clone(&done));
        readers.spawn(async move {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let events = whole_log::read_events(&client, stream, last).await;
                let numbers = events.iter().map(|event| event.sequence_number);
                assert!(numbers.eq(1..=events.len() as u64), "a hole");
                assert!(events.len() as u64 >= last, "the head went back from {last}");
                last = events.len() as u64;
            }
        });
    }
    for size in [1, 7, 100, 3, 1, 50, 1, 1, 1, 1, 20] {
        app.fill(&agent, size).await;
    }
    done.store(true, Ordering::Relaxed);
    readers.join_all().await;
    app.finish().await;
}

/// The log must audit clean: an event that is sequenced at or after the moment its key was
/// revoked, or after its window, would be held against the sequencer by every witness.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_end_under_load_leave_a_log_that_audits_clean() {
    let app = TestApp::start().await;
    let first = app.agent().await;
    for round in 0..12 {
        let agent = Agent::in_stream(first.stream);
        app.register(&agent).await;
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (client, agent) = (app.client.clone(), agent.clone());
            writers.spawn(async move {
                // Until the key has ended.
                while client.ingest(&agent.events(10)).await.rejections.is_empty() {}
            });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        if round % 2 == 0 {
            let revoke = "/api/v1/agents/keys/revoke";
            app.client.post(revoke, &agent.key_name()).await.ok();
        } else {
            let mut body = agent.with_key(2).key_body();
            body["overlapSeconds"] = json!(0);
            app.client.post("/api/v1/agents/keys/rotate", &body).await.ok();
        }
        writers.join_all().await;
    }
    app.finish().await;
}

/// Half of the clients go away in the middle of their requests.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_harm_nobody() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut numbers = Numbers::printed();
    let mut all = Vec::new();
    for _ in 0..60 {
        let batch = agent.events(1 + numbers.below(30));
        let patience = Duration::from_micros(200 + numbers.next() % 20_000);
        let _ = tokio::time::timeout(patience, app.client.try_ingest(&batch)).await;
        all.push(batch);
    }
    let mut seen = HashSet::new();
    for batch in &all {
        let response = app.ingest(batch).await;
        assert_eq!(response.receipts.len(), batch.len());
        for receipt in response.receipts {
            assert!(seen.insert(receipt.sequence_number), "a number was given twice");
        }
    }
    assert_eq!(app.client.head_sequence(agent.stream).await, seen.len() as u64);
    app.finish().await;
}
