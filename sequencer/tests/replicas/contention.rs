//! What it costs when replicas write to one stream.

use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::client::Client;
use crate::cluster::{Cluster, no_deadlock, register, registered};
use crate::process::Process;
use crate::writers::Writers;

/// Writers at once, one event a request.
const WRITERS: usize = 24;
const TIME: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_is_shared_without_deadlock() {
    let cluster = Cluster::new().await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(cluster.start());
        measure(&replicas).await;
    }
    cluster.verify(&replicas[2].client);
    no_deadlock();
}

/// Prints what the replicas did together.
async fn measure(replicas: &[Process]) {
    let clients: Vec<Client> = replicas.iter().map(|replica| replica.client.clone()).collect();
    let hot = registered(&clients[0]).await;
    let mut writers = Writers::new(&clients);
    for place in 0..WRITERS {
        let agent = register(&clients[0], Agent::in_stream(hot.stream)).await;
        writers.spawn(vec![agent], 1, place);
    }
    let (began, before) = (Instant::now(), commits(replicas).await);
    tokio::time::sleep(TIME).await;
    let told = writers.end().await;
    let (seconds, after) = (began.elapsed().as_secs_f64(), commits(replicas).await);
    println!(
        "{} replicas: {:.0} events/s, {:.0} commits/s, {} requests repeated",
        replicas.len(),
        told.events() as f64 / seconds,
        (after - before) as f64 / seconds,
        told.repeated,
    );
    assert_eq!(told.repeated, 0, "a request was refused");
    told.check(&clients[0]).await;
}

/// Group commits of all replicas.
async fn commits(replicas: &[Process]) -> u64 {
    let mut commits = 0;
    for replica in replicas {
        let scrape = replica.operations.get("/metrics").await.text;
        let line = scrape.lines().find_map(|line| {
            line.strip_prefix("stateset_sequencer_commit_duration_seconds_count ")
        });
        commits += line.unwrap().parse::<u64>().unwrap();
    }
    commits
}
