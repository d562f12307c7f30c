//! One replica seals in the background, and another goes on when it ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::answer::eventually;
use crate::cluster::{Cluster, registered};
use crate::process::Process;

const FAMILY: &str = "stateset_sequencer_sealer_active ";

/// 1 on a replica that seals.
async fn sealer_active(replica: &Process) -> u32 {
    let answer = replica.operations.get("/metrics").await;
    let line = answer.text.lines().find_map(|line| line.strip_prefix(FAMILY));
    line.expect("the metric is in every scrape").parse().unwrap()
}

/// The place of the one replica that seals, as soon as there is one.
async fn holder(replicas: &[Process], limit: Duration) -> usize {
    eventually(limit, || async {
        let mut active = Vec::new();
        for (place, replica) in replicas.iter().enumerate() {
            active.extend((sealer_active(replica).await == 1).then_some(place));
        }
        assert!(active.len() < 2, "two replicas seal");
        active.pop()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_moves_when_its_holder_ends() {
    let cluster = Cluster::new().await;
    let mut replicas = cluster.start_together(3);
    let agent = registered(&replicas[0].client).await;
    let first = holder(&replicas, Duration::from_secs(10)).await;
    for (ending, limit) in [("stopped", 5), ("killed", 15)] {
        let place = holder(&replicas, Duration::from_secs(1)).await;
        let ended = replicas.remove(place);
        let began = Instant::now();
        if ending == "killed" {
            ended.kill();
        } else {
            ended.signal(Signal::TERM);
            assert_eq!(ended.wait().code(), Some(0));
        }
        // What is committed now is sealed by the next holder.
        replicas[0].client.ingest(&agent.events(4)).await;
        let limit = Duration::from_secs(limit);
        holder(&replicas, limit).await;
        println!("{ending}: another replica seals after {:?}", began.elapsed());
        assert!(began.elapsed() < limit);
        eventually(Duration::from_secs(5), || async {
            let head = replicas[0].client.head(agent.stream).await;
            (head["committed_sequence"] == head["head_sequence"]).then_some(())
        })
        .await;
    }
    assert!(first < 3);
    // A newcomer leaves the work to whoever has it.
    let holding = replicas.remove(0);
    let newcomer = cluster.start();
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!((sealer_active(&holding).await, sealer_active(&newcomer).await), (1, 0));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.verify(&newcomer.client);
}
