//! Starting together on an empty database, and what a start opens.

use std::time::Duration;

use crate::answer::eventually;
use crate::cluster::{Cluster, no_deadlock, registered};
use crate::process::Process;

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_on_an_empty_database_all_come_up() {
    for _ in 0..3 {
        let cluster = Cluster::new().await;
        let migrations: Vec<_> =
            (0..2).map(|_| cluster.program("migrate").spawn().unwrap()).collect();
        let replicas = cluster.start_together(4);
        for mut migration in migrations {
            assert_eq!(migration.wait().unwrap().code(), Some(0));
        }
        one_sequencer(&replicas).await;
    }
    no_deadlock();
}

/// All are the same logical sequencer, with one receipt key, and write one log.
async fn one_sequencer(replicas: &[Process]) {
    let agent = registered(&replicas[0].client).await;
    let mut seen = Vec::new();
    for (place, replica) in replicas.iter().enumerate() {
        assert_eq!(replica.client.get("/ready").await.status, 200);
        let info = replica.client.get("/api/v1/ves/sequencer").await.ok();
        assert_eq!(info["keys"].as_array().unwrap().len(), 1, "{info}");
        seen.push(info);
        let receipts = replica.client.ingest(&agent.events(1)).await.receipts;
        assert_eq!(receipts[0].sequence_number, place as u64 + 1);
    }
    assert!(seen.iter().all(|info| *info == seen[0]), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_before_they_are_needed() {
    let cluster = Cluster::new().await;
    let replica = cluster.start_with("MIN_DB_CONNECTIONS", "5");
    eventually(Duration::from_secs(20), || async {
        let pool = &replica.client.get("/ready").await.ok()["pool"];
        (pool["active"].as_u64()? + pool["idle"].as_u64()? >= 5).then_some(())
    })
    .await;
}
