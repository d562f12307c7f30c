//! A rolling restart: two replicas behind a balancer, replaced one after the other under load. No
//! request fails, although the balancer never retries.

use std::time::Duration;

use tempfile::TempDir;

use crate::answer::eventually;
use crate::balancer::Balancer;
use crate::client::{Client, connections};
use crate::load::Load;
use crate::postgres::Postgres;
use crate::replica::{self, address};

/// Longer than the balancer takes to notice.
const DRAIN: &[&str] = &["--drain-delay-secs=3"];

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_two_replicas_fails_no_request() {
    let url = Postgres::shared().database().await;
    let folder = TempDir::new().unwrap();
    let balancer = Balancer::start().await;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let replica = replica::start(folder.path(), &url, DRAIN);
        balancer.add(address(&replica));
        replicas.push(replica);
    }
    let both_ready = || async { (balancer.ready() == 2).then_some(()) };
    eventually(Duration::from_secs(20), both_ready).await;
    let client = Client {
        base: format!("http://{}", balancer.address()),
        key: replicas[0].client.key.clone(),
        http: connections(),
    };
    let mut load = Load::new(&client).await;
    let running = load.begin(&client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        let old = replicas.remove(0);
        let gone = address(&old);
        replica::stop(old).await;
        balancer.remove(gone);
        let new = replica::start(folder.path(), &url, DRAIN);
        balancer.add(address(&new));
        replicas.push(new);
        eventually(Duration::from_secs(20), both_ready).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    load.end(running).await;
    assert_eq!(load.unanswered(), 0, "a request failed");
    println!("{} events acknowledged, none failed", load.acknowledged());
    assert!(load.acknowledged() > 100, "{}", load.acknowledged());
    load.check(&client, true).await;
    for replica in replicas {
        replica::stop(replica).await;
    }
}
