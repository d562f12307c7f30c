//! The look at a PostgreSQL server, with a role that has `pg_monitor` and nothing else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::postgres::Postgres;
use crate::proxy::{Line, Proxy};
use crate::rooms::{LIMIT, Rooms};
use crate::server::{PASSWORD, administrator, as_role, role, run, server};
use crate::stack::{Sequencer, sample_of};

const PREFIX: &str = "stateset_sidecar_store_postgres";
const MONITOR: &str = "GRANT pg_monitor TO watcher";

/// How many sessions a look has open, by its name.
async fn sessions(administrator: &mut PgConnection, database: &str) -> i64 {
    let asked = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'stateset-sidecar' AND datname = $1";
    sqlx::query_scalar(asked).bind(database).fetch_one(administrator).await.unwrap()
}

fn name_of(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_pg_monitor_only_sees_everything() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let _sequencer = Sequencer::start_over(&url, folder.path(), &[]);
    let watcher = role(&url, "watcher", MONITOR).await;
    let rooms = Rooms::store(folder.path(), &watcher).await;
    let (found, notes) = rooms.postgres().await;
    assert_eq!(notes.len(), 1, "only pg_stat_statements is missing: {notes:?}");
    assert!(notes[0].contains("CREATE EXTENSION pg_stat_statements"), "{notes:?}");
    assert_eq!((found.max_connections, found.is_standby), (300, false));
    assert_eq!((found.locks_waiting, found.standbys), (0, Some(0)));
    assert_eq!(found.replication_lag_seconds, Some(0.0));
    assert!(found.connections.unwrap().active >= 1, "its own session is one: {found:?}");

    // A transaction that is left open, and one that waits for it.
    let mut holder = administrator(&url).await;
    run(&mut holder, "CREATE TABLE held (x int); INSERT INTO held VALUES (1)").await;
    run(&mut holder, "BEGIN; UPDATE held SET x = 2").await;
    let mut waiter = administrator(&url).await;
    let waiting = tokio::spawn(async move { run(&mut waiter, "UPDATE held SET x = 3").await });
    let view = rooms
        .store_when(|view| match &view.figures {
            Some(sidecar::store::Figures::Postgres(found)) => {
                found.locks_waiting == 1
                    && found.connections.is_some_and(|each| each.idle_in_transaction >= 1)
                    && found.longest_transaction_seconds > Some(0.5)
            }
            _ => false,
        })
        .await;
    assert_eq!(view.reachable, Some(true));
    run(&mut holder, "ROLLBACK").await;
    waiting.await.unwrap();
    rooms
        .store_when(|view| match &view.figures {
            Some(sidecar::store::Figures::Postgres(found)) => {
                found.locks_waiting == 0 && found.longest_transaction_seconds < Some(0.5)
            }
            _ => false,
        })
        .await;

    // Dead rows of the sequencer's tables.
    run(&mut holder, "ALTER TABLE streams SET (autovacuum_enabled = off)").await;
    let update = "UPDATE meta SET value = value";
    for _ in 0..5 {
        run(&mut holder, update).await;
    }
    run(&mut holder, "SELECT pg_stat_force_next_flush()").await;
    let started = Instant::now();
    while rooms.postgres().await.0.dead_tuples < Some(5) {
        assert!(started.elapsed() < LIMIT, "{:?}", rooms.postgres().await);
    }

    // The same machine, so the same clock: what is left is the round trip.
    let clock = rooms.next_look().await.clock.unwrap();
    let bound = clock.uncertainty_seconds + 0.005;
    assert!(clock.skew_seconds.abs() <= bound, "{clock:?}");
    assert_eq!(sessions(&mut holder, name_of(&url)).await, 1, "one connection");
    let scrape = rooms.scrape();
    for state in ["active", "idle", "idle_in_transaction", "other"] {
        let series = format!("{PREFIX}_connections{{state=\"{state}\"}}");
        assert!(sample_of(&scrape, &series).is_some(), "{series}");
    }
    assert!(!scrape.contains("slow_statements"), "not known, not shown");
    assert!(!scrape.contains("sqlite"), "{scrape}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_statements_need_the_extension_and_its_library() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let watcher = role(&url, "watcher", MONITOR).await;
    let rooms = Rooms::store(folder.path(), &watcher).await;
    rooms.store_when(|view| view.notes.iter().any(|note| note.contains("not installed"))).await;
    let mut administrator = administrator(&url).await;
    run(&mut administrator, "CREATE SCHEMA \"Odd name\"").await;
    let make = "CREATE EXTENSION pg_stat_statements SCHEMA \"Odd name\"";
    run(&mut administrator, make).await;
    let denied = |note: &String| note.contains("permission denied for schema Odd name");
    rooms.store_when(|view| view.notes.iter().any(denied)).await;
    run(&mut administrator, "GRANT USAGE ON SCHEMA \"Odd name\" TO watcher").await;
    assert_eq!(rooms.postgres().await.0.slow_statements, Some(0));
    run(&mut administrator, "SELECT count(*) FROM pg_class, pg_sleep(0.3)").await;
    assert_eq!(rooms.postgres().await.0.slow_statements, Some(1));
    assert_eq!(sample_of(&rooms.scrape(), &format!("{PREFIX}_slow_statements")), Some(1.0));
    run(&mut administrator, "DROP EXTENSION pg_stat_statements").await;
    assert_eq!(rooms.postgres().await.0.slow_statements, None);
    assert!(!rooms.scrape().contains("slow_statements"), "what is not known is not shown");

    // The common server was started without the library.
    let url = Postgres::shared().database().await;
    let mut administrator = crate::server::administrator(&url).await;
    run(&mut administrator, "CREATE EXTENSION pg_stat_statements").await;
    let rooms = Rooms::store(folder.path(), &url).await;
    let view = rooms.next_look().await;
    let told = |note: &String| note.contains("shared_preload_libraries");
    assert!(view.notes.iter().any(told), "{view:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_and_shows_no_false_zero() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let stranger = role(&url, "stranger", "REVOKE pg_monitor FROM stranger").await;
    let rooms = Rooms::store(folder.path(), &stranger).await;
    let (found, notes) = rooms.postgres().await;
    assert_eq!((found.connections, found.longest_transaction_seconds), (None, None));
    assert_eq!(found.replication_lag_seconds, None);
    let told = |note: &String| note.contains("GRANT pg_monitor TO stranger");
    assert!(notes.iter().any(told), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("no tables of a sequencer")), "{notes:?}");
    let scrape = rooms.scrape();
    for family in ["connections{", "longest_transaction", "replication_lag", "dead_tuples"] {
        assert!(!scrape.contains(&format!("{PREFIX}_{family}")), "{family}");
    }
    run(&mut administrator(&url).await, "GRANT pg_monitor TO stranger").await;
    let (found, notes) = rooms.postgres().await;
    assert!(found.connections.is_some() && found.replication_lag_seconds.is_some(), "{notes:?}");
    run(&mut administrator(&url).await, "REVOKE pg_monitor FROM stranger").await;
    assert!(rooms.postgres().await.0.connections.is_none());
    assert!(!rooms.scrape().contains("longest_transaction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_looking_is_named_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let port = server().port().to_string();
    let watcher = role(&url, "watcher", MONITOR).await;
    let wrong = as_role(&url, "watcher", "not-the-pass-word");
    let nobody = as_role(&url, "no_such_role", "not-the-pass-word");
    let gone = watcher.replace(name_of(&url), "no_such_database");
    for (url, words) in [
        (wrong.clone(), ["refuses", "password authentication failed for user \"watcher\""]),
        (nobody, ["refuses", "role \"no_such_role\" does not exist"]),
        (gone, ["refuses", "database \"no_such_database\" does not exist"]),
        (watcher.replace(&port, "1"), ["cannot be reached", "Connection refused"]),
        (watcher.replace("127.0.0.1", "no-such-host.invalid"), ["cannot be reached", "lookup"]),
        (
            watcher.replace("127.0.0.1", "db.example.com") + "?sslmode=disable",
            ["must be encrypted", "DB_ALLOW_PLAINTEXT"],
        ),
        (watcher.replace(&port, "port"), ["DATABASE_URL", "not a PostgreSQL URL"]),
    ] {
        let rooms = Rooms::store(folder.path(), &url).await;
        let says = |reason: &str| words.iter().all(|word| reason.contains(word));
        let view = rooms.store_when(|view| says(&view.reason)).await;
        assert_ne!(view.reachable, Some(true));
        let shown = serde_json::to_string(&view).unwrap();
        assert!(!shown.contains("pass-word"), "{shown}");
        assert!(!rooms.scrape().contains("stateset_sidecar_store_"), "no figure, no age");
    }
    assert!(watcher.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_piles_nothing_up_and_is_looked_at_again_when_it_wakes() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let watcher = role(&url, "watcher", MONITOR).await;
    let address: SocketAddr = format!("127.0.0.1:{}", server().port()).parse().unwrap();
    let proxy = Proxy::to(address).await;
    let through = watcher.replace(&address.to_string(), &proxy.address().to_string());
    let rooms = Rooms::store(folder.path(), &through).await;
    let before = rooms.next_look().await;
    assert_eq!(proxy.accepted(), 1, "one connection for all looks");
    proxy.set(Line::Frozen);
    let hung = rooms.store_fails(&["no answer within 5 s"]).await;
    assert!(hung.last_look >= before.last_look && hung.figures.is_some() && hung.clock.is_none());
    let later = rooms.store_when(|view| view.last_attempt > hung.last_attempt).await;
    assert_eq!(later.last_look, hung.last_look, "old figures keep their age");
    assert!(proxy.accepted() <= 4, "one try for each look: {}", proxy.accepted());
    proxy.set(Line::Up(Duration::ZERO));
    let back = rooms.store_when(|view| view.reachable == Some(true)).await;
    assert!(back.last_look > hung.last_look && back.since > hung.since);
    let mut administrator = administrator(&url).await;
    let started = Instant::now();
    while sessions(&mut administrator, name_of(&url)).await != 1 {
        assert!(started.elapsed() < LIMIT, "sessions pile up in the server");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // A session that the server ends is made again.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'stateset-sidecar' AND datname = current_database()";
    run(&mut administrator, end).await;
    let (_, notes) = rooms.postgres().await;
    assert_eq!(notes.len(), 2, "{notes:?}");
}

/// A table that somebody holds makes no look wait for long: the server ends its statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_is_ended_by_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let url = server().database().await;
    let watcher = role(&url, "watcher", MONITOR).await;
    let mut holder = administrator(&url).await;
    run(&mut holder, "CREATE EXTENSION pg_stat_statements").await;
    let rooms = Rooms::store(folder.path(), &watcher).await;
    assert!(rooms.postgres().await.0.slow_statements.is_some());
    run(&mut holder, "BEGIN; LOCK TABLE pg_extension IN ACCESS EXCLUSIVE MODE").await;
    let view = rooms
        .store_when(|view| view.notes.iter().any(|note| note.contains("slow statements")))
        .await;
    let note = view.notes.iter().find(|note| note.contains("slow statements")).unwrap();
    assert!(note.contains("timeout"), "{note}");
    assert_eq!(view.reachable, Some(true));
    assert!(view.duration_seconds < Some(4.0), "{view:#?}");
    run(&mut holder, "ROLLBACK").await;
    rooms.store_when(|view| !view.notes.iter().any(|note| note.contains("slow"))).await;
}
