//! Who follows a stream on one replica sees what the others commit.

use std::time::{Duration, Instant};

use crate::cluster::{Cluster, registered};
use crate::follower::{FORMATS, Follower};

/// From the acknowledgement to the last subscriber.
const LIMIT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reaches_the_subscribers_of_all_replicas_within_a_second() {
    let cluster = Cluster::new().await;
    let mut replicas = cluster.start_together(3);
    let agent = registered(&replicas[0].client).await;
    let mut followers = Vec::new();
    for replica in &replicas {
        for format in FORMATS {
            followers.push(Follower::open(&replica.client, agent.stream, format).await);
        }
    }
    let (mut number, mut slowest) = (0, Duration::ZERO);
    for round in 0..12 {
        // In the middle one of them vanishes; those who follow elsewhere notice nothing.
        if round == 6 {
            replicas.remove(0).kill();
            followers.drain(..FORMATS.len());
        }
        let writer = &replicas[round % replicas.len()].client;
        writer.ingest(&agent.events(2)).await;
        let began = Instant::now();
        for follower in &mut followers {
            follower.expect(number + 1..=number + 2).await;
        }
        number += 2;
        slowest = slowest.max(began.elapsed());
    }
    println!("the last subscriber had each event at most {slowest:?} after its acknowledgement");
    assert!(slowest < LIMIT, "{slowest:?}");
}
