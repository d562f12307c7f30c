//! Stores that `verify` cannot judge: one clear sentence each, exit code 1.

use crate::program::Folder;
use crate::tampered::execute;

/// A folder with an empty store, changed by SQL.
fn changed(sql: &str) -> Folder {
    let folder = Folder::new();
    folder.run(&["migrate"]).succeeded();
    execute(&folder.path("data/sequencer.db"), sql);
    folder
}

#[test]
fn a_store_of_another_version_is_not_judged() {
    let newer = changed(
        "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, success, checksum,
            execution_time FROM _sqlx_migrations LIMIT 1",
    );
    newer.run(&["verify"]).refused(1, "is at version 9999, this program verifies version");
    newer.run(&["serve"]).refused(1, "newer than this program");
    let older = changed("DELETE FROM _sqlx_migrations");
    older.run(&["verify"]).refused(1, "run `sequencer migrate` first");
}

#[test]
fn something_else_than_a_store_is_not_judged() {
    let foreign = changed("PRAGMA application_id = 7");
    foreign
        .run(&["verify"])
        .refused(1, "data/sequencer.db is no store: it is empty or a database of another");

    let text = Folder::new();
    std::fs::write(text.path("notes.txt"), "no database at all. ".repeat(100)).unwrap();
    let refused = text.run(&["verify", "--database-url", "sqlite://notes.txt"]);
    refused.refused(1, "notes.txt as a SQLite database");

    let missing = Folder::new();
    missing.run(&["verify"]).refused(1, "there is no store at data/sequencer.db");
    assert!(!missing.path("data").exists(), "verify creates nothing");
    let elsewhere = missing.run(&["verify", "--database-url", "mysql://db/ves"]);
    elsewhere.refused(1, "DATABASE_URL must begin with `sqlite://`");
}

#[test]
fn a_server_that_cannot_be_asked_is_not_judged() {
    let folder = Folder::new();
    folder.run(&["verify", "--url", "http://127.0.0.1:1"]).refused(1, "no API key");
    folder.run(&["verify", "--api-key", "k", "--url", "http://127.0.0.1:1"]).refused(
        1,
        "the streams cannot be listed; name one with --tenant-id and --store-id: cannot",
    );
    let stream = ["--tenant-id", "f9f0efa3-f9da-4262-89aa-f021ee41af38"];
    let stream = [&stream[..], &["--store-id", "589f7a52-1c71-4a7b-a6e9-f78a4e8b03f5"]].concat();
    let ask =
        |url| folder.run(&[&["verify", "--api-key", "k", "--url", url], &stream[..]].concat());
    ask("http://127.0.0.1:1").refused(1, "cannot reach http://127.0.0.1:1/api/v1/ves/head");
    ask("127.0.0.1:1").refused(1, "127.0.0.1:1 is not a URL that begins with http://");
}
