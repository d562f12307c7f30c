//! A sound log, changed in one place at a time: `verify` must see each and name it.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::program::{Ended, Folder};

/// Changes a database file that nobody has open.
pub(crate) fn execute(database: &Path, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(database)
            .foreign_keys(false)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A folder whose store holds one demo.
fn sound() -> Folder {
    let folder = Folder::new();
    let mut dev = folder.start(&["dev"]);
    dev.wait_for("Running until Ctrl-C");
    dev.stop();
    folder.run(&["verify"]).succeeded();
    folder
}

pub(crate) fn assert_names(found: &Ended, kinds: &[&str], sql: &str) {
    assert_eq!(found.code, Some(3), "{sql}\n{}{}", found.stdout, found.stderr);
    for kind in kinds {
        let named = found
            .stdout
            .lines()
            .any(|line| line.starts_with("VIOLATION") && line.contains(&format!("  {kind}: ")));
        assert!(named, "{sql}\nno {kind} in\n{}", found.stdout);
    }
    assert!(found.stdout.contains("the log is NOT SOUND"), "{}", found.stdout);
}

/// What is done to the store, and which kinds of violation it must show.
pub(crate) const CASES: &[(&str, &[&str])] = &[
    ("UPDATE events SET payload = '{}' WHERE sequence_number = 1", &["payload_hash"]),
    ("UPDATE events SET payload = '{' WHERE sequence_number = 1", &["payload_hash"]),
    ("UPDATE events SET event_type = 'x' WHERE sequence_number = 2", &["signature", "root"]),
    (
        "UPDATE events SET agent_signature = zeroblob(64) WHERE sequence_number = 4",
        &["signature", "root", "tile"],
    ),
    ("UPDATE events SET signing_hash = zeroblob(32) WHERE sequence_number = 4", &["signing_hash"]),
    ("UPDATE events SET signing_hash = x'00' WHERE sequence_number = 4", &["unreadable", "gap"]),
    ("UPDATE events SET key_version = 7 WHERE sequence_number = 4", &["receipt"]),
    ("UPDATE events SET sequenced_at = 0 WHERE sequence_number = 4", &["time"]),
    ("DELETE FROM events WHERE sequence_number = 3", &["gap", "root"]),
    ("DELETE FROM events WHERE sequence_number = 5", &["gap", "head"]),
    ("UPDATE events SET sequence_number = 6 WHERE sequence_number = 5", &["gap", "head"]),
    ("UPDATE events SET entity_version = 9 WHERE sequence_number = 5", &["version"]),
    ("UPDATE streams SET head_sequence = 4", &["head"]),
    // A walk does not try all of them one by one.
    ("UPDATE streams SET head_sequence = 9223372036854775807", &["gap", "head"]),
    ("UPDATE streams SET committed_sequence = 4", &["head"]),
    ("UPDATE commitments SET merkle_root = zeroblob(32)", &["root", "chain"]),
    ("UPDATE commitments SET prev_state_root = randomblob(32)", &["chain"]),
    ("UPDATE commitments SET new_state_root = zeroblob(32)", &["chain"]),
    ("UPDATE commitments SET sequence_end = 4", &["head"]),
    ("UPDATE commitments SET sequence_end = 9", &["gap"]),
    ("UPDATE commitments SET merkle_root = x'00'", &["unreadable"]),
    ("DELETE FROM commitments", &["head"]),
    ("UPDATE tree_tiles SET hashes = zeroblob(160)", &["tile"]),
    ("UPDATE tree_tiles SET hashes = zeroblob(5)", &["tile"]),
    ("DELETE FROM tree_tiles", &["tile"]),
    ("DELETE FROM agent_keys", &["signature"]),
    ("UPDATE agent_keys SET valid_to = 1", &["signature"]),
];

#[test]
fn every_change_of_the_store_is_seen_and_named() {
    let folder = sound();
    for (sql, kinds) in CASES {
        std::fs::copy(folder.path("data/sequencer.db"), folder.path("changed.db")).unwrap();
        execute(&folder.path("changed.db"), sql);
        let found = folder.run(&["verify", "--database-url", "sqlite://changed.db"]);
        assert_names(&found, kinds, sql);
    }
}

#[test]
fn what_a_start_does_not_see_is_seen_over_http() {
    let cases = [
        ("UPDATE events SET payload = '{}' WHERE sequence_number = 1", "payload_hash"),
        ("UPDATE events SET agent_signature = zeroblob(64)", "signature"),
        ("DELETE FROM events WHERE sequence_number = 3", "gap"),
    ];
    for (sql, kind) in cases {
        let folder = Folder::new();
        let mut dev = folder.start(&["dev"]);
        let line = dev.wait_for(" verify --url ");
        dev.stop();
        let stream = line.split_once("--tenant-id").unwrap().1;
        execute(&folder.path("data/sequencer.db"), sql);
        let (server, url) = folder.serve();
        let program = env!("CARGO_BIN_EXE_sequencer");
        let found = folder.shell(&format!("{program} verify --url {url} --tenant-id {stream}"));
        assert_names(&found, &[kind], sql);
        server.stop();
    }
}

#[test]
fn all_violations_are_counted_and_a_hundred_are_listed() {
    let folder = sound();
    let empty_streams = "INSERT INTO streams (tenant_id, store_id, head_sequence, updated_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
        SELECT randomblob(16), randomblob(16), 1, 0 FROM n";
    execute(&folder.path("data/sequencer.db"), empty_streams);
    let found = folder.run(&["verify", "--json"]);
    assert_eq!(found.code, Some(3));
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["violations"].as_array().unwrap().len(), 100);
    assert!(found["violation_count"].as_u64().unwrap() >= 150, "{found}");
}
