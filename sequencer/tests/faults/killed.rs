//! kill -9 at any moment.

use std::time::Duration;

use tempfile::TempDir;

use crate::load::Load;
use crate::postgres::Postgres;
use crate::process::{Process, command};
use crate::replica;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    kill_on_sqlite(10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make faults"]
async fn nothing_acknowledged_is_lost_by_kill_9_100_times() {
    kill_on_sqlite(100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_9_on_postgres() {
    kill_on_postgres(10).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make faults"]
async fn nothing_acknowledged_is_lost_by_kill_9_on_postgres_100_times() {
    kill_on_postgres(100).await;
}

async fn kill_on_sqlite(rounds: usize) {
    let folder = TempDir::new().unwrap();
    kill(rounds, || Process::start(folder.path())).await;
}

async fn kill_on_postgres(rounds: usize) {
    let (folder, url) = (TempDir::new().unwrap(), Postgres::shared().database().await);
    kill(rounds, || replica::start(folder.path(), &url, &[])).await;
}

/// Kills the process this often, on one store.
async fn kill(rounds: usize, start: impl Fn() -> Process) {
    let mut process = start();
    let mut load = Load::new(&process.client).await;
    let (mut unanswered, mut idle) = (0, 0);
    for _ in 0..rounds {
        let before = load.acknowledged();
        let running = load.begin(&process.client);
        let moment = Duration::from_millis(50 + load.below(200) as u64);
        tokio::time::sleep(moment).await;
        process.kill();
        load.end(running).await;
        idle += usize::from(load.acknowledged() == before);
        unanswered += load.unanswered();
        process = start();
        load.check(&process.client, false).await;
        load.retry(&process.client).await;
    }
    println!("{} events, {unanswered} requests cut, {idle} idle lives", load.acknowledged());
    assert!(unanswered > 0, "no request was cut: the test shows nothing");
    assert!(idle < rounds / 2, "{idle} of {rounds} lives did nothing");
    load.check(&process.client, true).await;
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
    let again = start();
    load.check(&again.client, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_killed_is_no_obstacle_to_the_next() {
    let folder = TempDir::new().unwrap();
    for millis in [1, 2, 4, 7, 10, 15, 20, 30, 50, 80, 120, 200] {
        let mut child = command(folder.path(), &[]).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let process = Process::start(folder.path());
    let load = Load::new(&process.client).await;
    process.client.ingest(&load.agents[0].events(3)).await;
    process.kill();
    let process = Process::start(folder.path());
    assert_eq!(process.client.head_sequence(load.agents[0].stream).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_store_is_refused() {
    let folder = TempDir::new().unwrap();
    let first = Process::start(folder.path());
    let second = command(folder.path(), &[]).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("in use by another process"), "{said}");
    first.client.get("/ready").await.ok();
}
