//! Starts that are refused, each with one clear sentence and without touching anything.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use sequencer::config::Config;
use sequencer::server::Server;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::app::{ROOT_KEY, SEED, TestApp, config};

/// The sentence with which a start is refused.
async fn refused(config: Config) -> String {
    let error = Server::start(config).await.err().expect("the start is refused");
    let sentence = format!("{error:#}");
    assert!(!sentence.contains('\n') && sentence.len() < 400, "one sentence: {sentence}");
    for secret in [ROOT_KEY, SEED] {
        assert!(!sentence.contains(secret), "{sentence}");
    }
    sentence
}

#[track_caller]
fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "`{part}` in `{sentence}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_work_are_named() {
    let folder = TempDir::new().unwrap();
    let at = folder.path().display();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let below_a_file = format!("--database-url=sqlite://{at}/file/log.db");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--port=9999", "--ops-port=9999"], &["PORT", "OPS_PORT", "9999"]),
        (&["--bootstrap-admin-api-key=secret"], &["BOOTSTRAP_ADMIN_API_KEY", "ss_"]),
        (&["--bootstrap-admin-api-key=ss_0123456789"], &["BOOTSTRAP_ADMIN_API_KEY", "32"]),
        (&["--bootstrap-admin-api-key=ss_+++++++++++++++++++++++++++++++++++++"], &["A-Z"]),
        (&["--ves-sequencer-signing-key=short"], &["VES_SEQUENCER_SIGNING_KEY", "64 hex"]),
        (&["--ves-sequencer-signing-key=00"], &["VES_SEQUENCER_SIGNING_KEY", "32 bytes"]),
        (&["--database-url=postgres://localhost/x"], &["DATABASE_URL"]),
        (&["--database-url=mysql://localhost/x"], &["DATABASE_URL"]),
        (&["--database-url=sqlite::memory:"], &["DATABASE_URL", "file"]),
        (&["--database-url=sqlite://"], &["DATABASE_URL", "file"]),
        (&[&below_a_file], &["folder"]),
        (&["--max-db-connections=0"], &["MAX_DB_CONNECTIONS", "at least 1"]),
        (&["--queue-max-events=999"], &["QUEUE_MAX_EVENTS", "at least 1000"]),
        (&["--max-inflight-bytes=1000000"], &["MAX_INFLIGHT_BYTES"]),
        (&["--max-events-per-batch=0"], &["MAX_EVENTS_PER_BATCH"]),
        (&["--request-timeout-secs=0"], &["REQUEST_TIMEOUT_SECS"]),
        (&["--committer-max-events=0"], &["COMMITTER_MAX_EVENTS"]),
        (&["--max-commitment-events=10"], &["MAX_COMMITMENT_EVENTS", "1024"]),
    ];
    for (flags, parts) in cases {
        says(&refused(config(&folder, flags)).await, parts);
    }
    assert!(!folder.path().join("log.db").exists(), "refused before anything was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_needs_its_secrets_given() {
    let folder = TempDir::new().unwrap();
    let open: IpAddr = "0.0.0.0".parse().unwrap();
    let base = Config { host: open, ..config(&folder, &[]) };
    let no_key = Config { bootstrap_admin_api_key: None, ..base.clone() };
    says(&refused(no_key).await, &["BOOTSTRAP_ADMIN_API_KEY", "not set"]);
    let no_seed = Config { ves_sequencer_signing_key: None, ..base };
    says(&refused(no_seed).await, &["VES_SEQUENCER_SIGNING_KEY", "not set"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_missing_secrets_are_created_once_and_kept_private() {
    let folder = TempDir::new().unwrap();
    let bare = || Config {
        bootstrap_admin_api_key: None,
        ves_sequencer_signing_key: None,
        ..config(&folder, &[])
    };
    let first = Server::start(bare()).await.unwrap();
    assert_eq!(first.created().len(), 2);
    let key = first.bootstrap_key().expose().to_owned();
    assert!(sequencer::auth::api_key::is_well_formed(&key));
    first.stop().await.unwrap();
    for name in ["bootstrap.key", "signing.key"] {
        let file = std::fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let second = Server::start(bare()).await.unwrap();
    assert_eq!(second.created().len(), 0);
    assert_eq!(second.bootstrap_key().expose(), key);
    second.stop().await.unwrap();
    std::fs::write(folder.path().join("bootstrap.key"), "nonsense").unwrap();
    says(&refused(bare()).await, &["bootstrap.key"]);
    std::fs::write(folder.path().join("bootstrap.key"), &key).unwrap();
    std::fs::write(folder.path().join("signing.key"), "nonsense").unwrap();
    says(&refused(bare()).await, &["signing.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (flag, name) in [("--port", "(PORT)"), ("--ops-port", "(OPS_PORT)")] {
        let folder = TempDir::new().unwrap();
        let flag = format!("{flag}={port}");
        let sentence = refused(config(&folder, &[&flag])).await;
        says(&sentence, &[name, &port.to_string(), "in use"]);
        // Nothing is left open: a start on another port works at once.
        TestApp::start_in(Arc::new(folder), &[]).await.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_one_owner() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    says(&refused(config(app.folder(), &[])).await, &["in use by another process"]);
    app.ingest(&[agent.event()]).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("log.db");
    std::fs::write(&file, "this is a shopping list, not a database\n".repeat(100)).unwrap();
    let before = std::fs::read(&file).unwrap();
    says(&refused(config(&folder, &[])).await, &["SQLite"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::remove_file(&file).unwrap();
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut foreign = options.connect().await.unwrap();
    foreign.execute("CREATE TABLE songs (title TEXT)").await.unwrap();
    drop(foreign);
    let before = std::fs::read(&file).unwrap();
    says(&refused(config(&folder, &[])).await, &["another application"]);
    assert_eq!(std::fs::read(&file).unwrap(), before, "somebody else's database was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let app = TestApp::start().await;
    let newer = "INSERT INTO _sqlx_migrations
        (version, description, success, checksum, execution_time)
        VALUES (9999, 'from the future', 1, x'00', 0)";
    app.behind().await.execute(newer).await.unwrap();
    let folder = app.stop().await;
    for flags in [&[][..], &["--db-migrate-on-startup=false"]] {
        let sentence = refused(config(&folder, flags)).await;
        says(&sentence, &["9999", "newer than this program"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_refused_where_migration_is_off() {
    let folder = Arc::new(TempDir::new().unwrap());
    let off = ["--db-migrate-on-startup=false"];
    says(&refused(config(&folder, &off)).await, &["sequencer migrate", "DB_MIGRATE_ON_STARTUP"]);
    TestApp::start_in(Arc::clone(&folder), &[]).await.finish().await;
    TestApp::start_in(folder, &off).await.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_refused_until_it_is_mended() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 6).await;
    app.client.seal(agent.stream, 1, 2).await.ok();
    app.client.seal(agent.stream, 3, 4).await.ok();
    let database = app.database();
    let folder = app.stop().await;
    let sound = std::fs::read(&database).unwrap();
    let damages = [
        "UPDATE streams SET head_sequence = head_sequence + 1",
        "UPDATE streams SET head_sequence = head_sequence - 1",
        "DELETE FROM events WHERE sequence_number = 6",
        "UPDATE streams SET committed_sequence = 2",
        "UPDATE streams SET committed_sequence = 6",
        "UPDATE streams SET committed_sequence = 0",
        "DELETE FROM tree_tiles; DELETE FROM commitments WHERE sequence_start = 3",
        "UPDATE commitments SET new_state_root = zeroblob(32) WHERE sequence_start = 3",
        "UPDATE commitments SET merkle_root = zeroblob(32) WHERE sequence_start = 3",
        "UPDATE commitments SET prev_state_root = zeroblob(32) WHERE sequence_start = 3",
        "UPDATE commitments SET new_state_root = zeroblob(32) WHERE sequence_start = 1",
    ];
    for damage in damages {
        let mut behind = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(damage)).execute(&mut behind).await.unwrap();
        sqlx::Connection::close(behind).await.unwrap();
        let sentence = refused(config(&folder, &[])).await;
        says(&sentence, &["damaged", "sequencer verify"]);
        std::fs::remove_file(&database).unwrap();
        for tail in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{tail}", database.display()));
        }
        std::fs::write(&database, &sound).unwrap();
    }
    let app = TestApp::start_in(folder, &[]).await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(7));
    app.finish().await;
}
