//! A database that is cut off, silent or slow, through a proxy in front of a real PostgreSQL.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::proxy::{Line, Proxy};
use crate::stack::{Sequencer, Sidecar};
use crate::watch::{FAIL, OK, WARN, until};

/// A sequencer that reaches its database through a proxy, and a sidecar that knows only the
/// sequencer.
struct Behind {
    proxy: Proxy,
    _sequencer: Sequencer,
    sidecar: Sidecar,
    _folder: TempDir,
}

impl Behind {
    async fn start() -> Self {
        let postgres = Postgres::shared();
        let url = postgres.database().await;
        let server = SocketAddr::from(([127, 0, 0, 1], postgres.port()));
        let proxy = Proxy::to(server).await;
        let through = url.replace(&server.to_string(), &proxy.address().to_string());
        let folder = tempfile::tempdir().unwrap();
        let sequencer = Sequencer::start_over(&through, folder.path(), &[]);
        let (url, operations) = (&sequencer.url, &sequencer.operations_url);
        // The sequencer itself gives a silent database up after 2 s.
        let timers = ["--check-interval-secs=0.25", "--check-timeout-secs=2.5", "--canary=false"];
        let sidecar = Sidecar::start(folder.path(), url, operations, &timers);
        until(&sidecar, "store", OK, "answered the sequencer").await;
        Self { proxy, _sequencer: sequencer, sidecar, _folder: folder }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_is_said_until_it_is_back() {
    let Behind { proxy, sidecar, .. } = &Behind::start().await;
    proxy.set(Line::Cut);
    until(sidecar, "store", FAIL, "store").await;
    until(sidecar, "sequencer_ready", FAIL, "store").await;
    until(sidecar, "sequencer_live", OK, "answers").await;
    proxy.set(Line::Up(Duration::ZERO));
    until(sidecar, "store", OK, "answered the sequencer").await;
    until(sidecar, "sequencer_ready", OK, "traffic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_nothing_is_said_until_it_speaks() {
    let Behind { proxy, sidecar, .. } = &Behind::start().await;
    proxy.set(Line::Frozen);
    until(sidecar, "store", FAIL, "store").await;
    proxy.set(Line::Up(Duration::ZERO));
    until(sidecar, "store", OK, "answered the sequencer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_slow_is_a_warning() {
    let Behind { proxy, sidecar, .. } = &Behind::start().await;
    // Both directions, and more than one question; all of them within the two seconds of a look, on
    // a busy machine too.
    proxy.set(Line::Up(Duration::from_millis(200)));
    until(sidecar, "store", WARN, "more than 500 ms").await;
    proxy.set(Line::Up(Duration::ZERO));
    until(sidecar, "store", OK, "answered the sequencer").await;
}
