//! The database goes away under load and comes back: nobody hangs, nobody is told anything wrong,
//! nothing acknowledged is lost, and the process is ready again by itself.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::answer::eventually;
use crate::client::Client;
use crate::load::Load;
use crate::postgres::Postgres;
use crate::proxy::{Line, Proxy};
use crate::replica;

/// From the end of the outage to the first ready answer.
const READY_AGAIN: Duration = Duration::from_secs(10);
/// Longest wait for any answer: the limits of the store's driver and one second, see
/// docs/operations.md; and what this machine is late.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
/// Before a writer repeats what was not answered.
const PAUSE: Duration = Duration::from_millis(100);

/// What happens to the line.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// Connections are refused.
    Cut,
    /// Nothing is answered, then everything goes on.
    Frozen,
    /// Nothing is answered, and the old connections stay dead.
    Lost,
}

/// Polls until told to stop; gives the longest time an answer took.
async fn stays_alive(client: Client, until: tokio_util::sync::CancellationToken) -> Duration {
    let mut longest = Duration::ZERO;
    while !until.is_cancelled() {
        let asked = Instant::now();
        assert_eq!(client.get("/health").await.status, 200, "it is alive all the time");
        longest = longest.max(asked.elapsed());
        let ready = client.get("/ready").await.status;
        assert!(matches!(ready, 200 | 503), "{ready}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    longest
}

async fn goes_away_and_comes_back(outage: Outage, lasts: Duration) {
    let postgres = Postgres::shared();
    let direct = postgres.database().await;
    let proxy = Proxy::to(([127, 0, 0, 1], postgres.port()).into()).await;
    let through =
        direct.replace(&format!(":{}/", postgres.port()), &format!(":{}/", proxy.address().port()));
    assert_ne!(direct, through);
    let folder = TempDir::new().unwrap();
    let process = replica::start(folder.path(), &through, &[]);
    let client = process.client.clone();
    let mut load = Load::new(&client).await;
    let running = load.begin_stubborn(&client, PAUSE);
    let finished = tokio_util::sync::CancellationToken::new();
    let alive = tokio::spawn(stays_alive(client.clone(), finished.clone()));
    tokio::time::sleep(Duration::from_secs(2)).await;

    let gone = Instant::now();
    match outage {
        Outage::Cut => proxy.set(Line::Cut),
        Outage::Frozen | Outage::Lost => proxy.set(Line::Frozen),
    }
    eventually(READY_AGAIN, || async { (client.get("/ready").await.status == 503).then_some(()) })
        .await;
    let noticed = gone.elapsed();
    let connections = proxy.accepted();
    tokio::time::sleep(lasts.saturating_sub(gone.elapsed())).await;
    assert_eq!(client.get("/ready").await.status, 503);
    // A probe every two seconds, a few processes' worth of slack: not one for each request.
    let tried = proxy.accepted() - connections;
    assert!(tried <= 10 + 4 * lasts.as_secs(), "{tried} connections in {lasts:?}");

    if let Outage::Lost = outage {
        proxy.lose_connections();
    }
    proxy.set(Line::Up(Duration::ZERO));
    let back = Instant::now();
    eventually(READY_AGAIN, || async { (client.get("/ready").await.status == 200).then_some(()) })
        .await;
    let ready = back.elapsed();
    // Ready is not only said: a write goes through.
    let agent = &load.agents[0];
    let probe = agent.event();
    eventually(READY_AGAIN, || async {
        (client.try_ingest(std::slice::from_ref(&probe)).await.status == 200).then_some(())
    })
    .await;
    let wrote = back.elapsed();
    assert!(wrote <= READY_AGAIN, "the first write came {wrote:?} after the line");
    tokio::time::sleep(Duration::from_secs(2)).await;
    load.end(running).await;
    finished.cancel();
    let health = alive.await.unwrap();
    println!(
        "{outage:?} for {lasts:?}: noticed after {noticed:?}, ready {ready:?} and written \
         {wrote:?} after its end; slowest answer {:?}, slowest /health {health:?}, {} acknowledged",
        load.slowest(),
        load.acknowledged(),
    );
    assert!(load.slowest() <= LONGEST_ANSWER, "{:?}", load.slowest());
    assert!(health <= Duration::from_secs(2), "{health:?}");
    load.retry(&client).await;
    load.check(&client, true).await;
    replica::stop(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_cut_off_for_a_moment() {
    goes_away_and_comes_back(Outage::Cut, Duration::from_secs(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_hangs_and_its_connections_are_lost() {
    goes_away_and_comes_back(Outage::Lost, Duration::from_secs(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; make faults"]
async fn the_database_is_away_for_a_minute_in_every_way() {
    for outage in [Outage::Cut, Outage::Frozen, Outage::Lost] {
        goes_away_and_comes_back(outage, Duration::from_secs(60)).await;
    }
}
