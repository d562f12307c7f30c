//! A PostgreSQL that crashes and recovers under load, and one that answers late.

use std::time::Duration;

use tempfile::TempDir;

use crate::answer::eventually;
use crate::client::Client;
use crate::load::Load;
use crate::postgres::Postgres;
use crate::proxy::{Line, Proxy};
use crate::replica;

/// From the end of a fault to the first ready answer, and to the first write.
const READY_AGAIN: Duration = Duration::from_secs(10);
/// Longest wait for any answer, as in the test of outages.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
/// Before a writer repeats what was not answered.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_loses_nothing_that_was_acknowledged() {
    crash(3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make faults"]
async fn a_database_that_crashes_20_times_loses_nothing_that_was_acknowledged() {
    crash(20).await;
}

/// Stops the database as a crash does, this often, and starts it again: it recovers from its log.
async fn crash(rounds: usize) {
    let (postgres, folder) = (Postgres::start(), TempDir::new().unwrap());
    let url = postgres.database().await;
    let process = replica::start(folder.path(), &url, &[]);
    let mut load = Load::new(&process.client).await;
    for _ in 0..rounds {
        let before = load.acknowledged();
        let running = load.begin_stubborn(&process.client, PAUSE);
        tokio::time::sleep(Duration::from_millis(500 + load.below(500) as u64)).await;
        postgres.stop("QUIT");
        process.client.get("/health").await.ok();
        postgres.start_again();
        writes_again(&process.client, &load).await;
        load.end(running).await;
        assert!(load.acknowledged() > before, "nobody wrote");
        load.check(&process.client, false).await;
    }
    println!("slowest answer {:?}, {} events", load.slowest(), load.acknowledged());
    assert!(load.slowest() <= LONGEST_ANSWER, "{:?}", load.slowest());
    load.retry(&process.client).await;
    load.check(&process.client, true).await;
    replica::stop(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_answers_late_is_waited_for_or_refused_but_never_for_ever() {
    let (postgres, folder) = (Postgres::shared(), TempDir::new().unwrap());
    let direct = postgres.database().await;
    let proxy = Proxy::to(([127, 0, 0, 1], postgres.port()).into()).await;
    let (old, new) = (format!(":{}/", postgres.port()), format!(":{}/", proxy.address().port()));
    let process = replica::start(folder.path(), &direct.replace(&old, &new), &[]);
    let mut load = Load::new(&process.client).await;
    // Each way: a busy network, another continent, and slower than the breaker and the driver bear.
    for delay_millis in [5, 100, 2_000] {
        let running = load.begin_stubborn(&process.client, PAUSE);
        proxy.set(Line::Up(Duration::from_millis(delay_millis)));
        tokio::time::sleep(Duration::from_secs(4)).await;
        process.client.get("/health").await.ok();
        proxy.set(Line::Up(Duration::ZERO));
        writes_again(&process.client, &load).await;
        load.end(running).await;
        println!("{delay_millis} ms: slowest answer {:?}", load.slowest());
        assert!(load.slowest() <= LONGEST_ANSWER, "{:?}", load.slowest());
        load.check(&process.client, false).await;
    }
    load.retry(&process.client).await;
    load.check(&process.client, true).await;
    replica::stop(process).await;
}

/// Ready by itself, and not only said: a write goes through.
async fn writes_again(client: &Client, load: &Load) {
    let probe = load.agents[0].event();
    eventually(READY_AGAIN, || async { (client.get("/ready").await.status == 200).then_some(()) })
        .await;
    eventually(READY_AGAIN, || async {
        (client.try_ingest(std::slice::from_ref(&probe)).await.status == 200).then_some(())
    })
    .await;
}
