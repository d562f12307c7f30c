//! Replicas come and go under load; the log is one log.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use ves::Stream;
use ves::wire::IngestResponse;

use crate::agent::Agent;
use crate::client::Client;
use crate::cluster::{Cluster, no_deadlock, register, registered};
use crate::writers::Writers;

/// Streams with a little traffic each, beside the one with much.
const COLD_STREAMS: usize = 50;
/// Time for the load between two changes.
const STAGE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn replicas_may_die_and_stop_under_load() {
    let cluster = Cluster::new().await;
    let mut replicas = cluster.start_together(3);
    let clients: Vec<Client> = replicas.iter().map(|replica| replica.client.clone()).collect();
    let hot = registered(&clients[0]).await;
    let mut writers = Writers::new(&clients);
    for place in 0..6 {
        let agent = register(&clients[place % 3], Agent::in_stream(hot.stream)).await;
        writers.spawn(vec![agent], 8, place);
    }
    for place in 0..5 {
        let mut cold = Vec::new();
        for _ in 0..COLD_STREAMS / 5 {
            cold.push(registered(&clients[place % 3]).await);
        }
        writers.spawn(cold, 3, place);
    }
    tokio::time::sleep(STAGE).await;
    replicas.remove(0).kill();
    tokio::time::sleep(STAGE).await;
    let replacement = cluster.start();
    writers.add(replacement.client.clone());
    let newcomer = register(&replacement.client, Agent::in_stream(hot.stream)).await;
    writers.spawn(vec![newcomer], 8, 3);
    let stopped = replicas.remove(0);
    stopped.signal(Signal::TERM);
    assert_eq!(stopped.wait().code(), Some(0));
    // A log is verified while it is written and sealed, too.
    let began = Instant::now();
    while began.elapsed() < STAGE {
        cluster.verify(&replacement.client);
    }

    let told = writers.end().await;
    println!("{} events, {} requests repeated", told.events(), told.repeated);
    println!("by replica: {:?}", told.by_replica);
    assert!(told.repeated > 0, "no request was cut: the test shows nothing");
    for client in clients.iter().chain([&replacement.client]) {
        assert!(told.by_replica.contains_key(&client.base), "{} wrote nothing", client.base);
    }
    told.check(&replicas[0].client).await;
    told.check(&replacement.client).await;
    cluster.verify(&replacement.client);
    no_deadlock();
}

/// A client that was not answered asks another replica while the first is still at it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_all_replicas_at_once_gets_one_number() {
    let cluster = Cluster::new().await;
    let replicas = cluster.start_together(3);
    let mut streams: Vec<Stream> = Vec::new();
    for round in 0..30 {
        // The first event of a stream, and later ones.
        let agent = registered(&replicas[round % 3].client).await;
        streams.push(agent.stream);
        for size in [1, 3, 2] {
            let batch = agent.events(size);
            let posts = replicas.iter().map(|replica| replica.client.ingest(&batch));
            let answers: Vec<IngestResponse> = futures_util::future::join_all(posts).await;
            let accepted: u64 = answers.iter().map(|answer| answer.events_accepted).sum();
            assert_eq!(accepted, size as u64, "each event is new once");
            for answer in &answers {
                assert_eq!(answer.receipts.len(), size, "{:?}", answer.rejections);
                assert_eq!(answer.receipts, answers[0].receipts);
            }
        }
        assert_eq!(replicas[0].client.head_sequence(agent.stream).await, 6);
    }
    cluster.verify(&replicas[1].client);
    no_deadlock();
}
