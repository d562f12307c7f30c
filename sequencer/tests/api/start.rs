//! Starts that are refused, each with one clear sentence and without touching anything.

use std::net::IpAddr;
use std::sync::Arc;

use sequencer::config::Config;
use sequencer::server::Server;

use crate::app::{ROOT_KEY, SEED, SIDECAR_KEY, TestApp, config};
use crate::place::Place;

/// The sentence with which a start is refused.
pub(crate) async fn refused(config: Config) -> String {
    let error = Server::start(config).await.err().expect("the start is refused");
    let sentence = format!("{error:#}");
    assert!(!sentence.contains('\n') && sentence.len() < 400, "one sentence: {sentence}");
    for secret in [ROOT_KEY, SIDECAR_KEY, SEED] {
        assert!(!sentence.contains(secret), "{sentence}");
    }
    sentence
}

#[track_caller]
pub(crate) fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "`{part}` in `{sentence}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_work_are_named() {
    let place = Place::new().await;
    let at = place.path().display();
    std::fs::write(place.path().join("file"), "x").unwrap();
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
        (&["--min-db-connections=11"], &["MAX_DB_CONNECTIONS is 10", "at least 11"]),
        (&["--queue-max-events=999"], &["QUEUE_MAX_EVENTS", "at least 1000"]),
        (&["--max-inflight-bytes=1000000"], &["MAX_INFLIGHT_BYTES"]),
        (&["--max-events-per-batch=0"], &["MAX_EVENTS_PER_BATCH"]),
        (&["--request-timeout-secs=0"], &["REQUEST_TIMEOUT_SECS"]),
        (&["--committer-max-events=0"], &["COMMITTER_MAX_EVENTS"]),
        (&["--max-commitment-events=10"], &["MAX_COMMITMENT_EVENTS", "1024"]),
    ];
    for (flags, parts) in cases {
        says(&refused(config(&place, flags)).await, parts);
    }
    assert!(!place.path().join("log.db").exists(), "refused before anything was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_needs_its_secrets_given() {
    let place = Place::new().await;
    let open: IpAddr = "0.0.0.0".parse().unwrap();
    let base = Config { host: open, ..config(&place, &[]) };
    let no_key = Config { bootstrap_admin_api_key: None, ..base.clone() };
    says(&refused(no_key).await, &["BOOTSTRAP_ADMIN_API_KEY", "not set"]);
    let no_seed = Config { ves_sequencer_signing_key: None, ..base };
    says(&refused(no_seed).await, &["VES_SEQUENCER_SIGNING_KEY", "not set"]);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (flag, name) in [("--port", "(PORT)"), ("--ops-port", "(OPS_PORT)")] {
        let place = Place::new().await;
        let flag = format!("{flag}={port}");
        let sentence = refused(config(&place, &[&flag])).await;
        says(&sentence, &[name, &port.to_string(), "in use"]);
        // Nothing is left open: a start on another port works at once.
        TestApp::start_in(Arc::new(place), &[]).await.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let app = TestApp::start().await;
    let newer = "INSERT INTO _sqlx_migrations
        (version, description, success, checksum, execution_time)
        VALUES (9999, 'from the future', true, x'00', 0)";
    app.behind().await.execute(newer).await;
    let place = app.stop().await;
    for flags in [&[][..], &["--db-migrate-on-startup=false"]] {
        let sentence = refused(config(&place, flags)).await;
        says(&sentence, &["9999", "newer", "program"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_refused_where_migration_is_off() {
    let place = Arc::new(Place::new().await);
    let off = ["--db-migrate-on-startup=false"];
    says(&refused(config(&place, &off)).await, &["sequencer migrate", "DB_MIGRATE_ON_STARTUP"]);
    TestApp::start_in(Arc::clone(&place), &[]).await.finish().await;
    TestApp::start_in(place, &off).await.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_refused_until_it_is_mended() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 6).await;
    app.client.seal(agent.stream, 1, 2).await.ok();
    app.client.seal(agent.stream, 3, 4).await.ok();
    let place = app.stop().await;
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
        let changed = place.copy().await;
        let mut behind = changed.behind().await;
        behind.execute(damage).await;
        behind.close().await;
        says(&refused(config(&changed, &[])).await, &["damaged", "sequencer verify"]);
    }
    let app = TestApp::start_in(place, &[]).await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(7));
    app.finish().await;
}
