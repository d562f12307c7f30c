//! The look at the embedded store: right figures, no harm, and words for what cannot be read.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _, SqliteConnection};

use crate::rooms::{LIMIT, Rooms};
use crate::stack::{Sequencer, Sidecar, Stack, database_file, sqlite_url};

const PREFIX: &str = "stateset_sidecar_store";

/// A writer of its own, with checkpoints only when told.
pub(crate) async fn writer(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(database_file(folder))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("wal_autocheckpoint", "0");
    options.connect().await.unwrap()
}

/// Runs a passive checkpoint; gives the frames of the log and those that were moved.
async fn checkpoint(connection: &mut SqliteConnection) -> (i64, i64) {
    let row = connection.fetch_one("PRAGMA wal_checkpoint(PASSIVE)").await.unwrap();
    (row.get(1), row.get(2))
}

#[tokio::test]
async fn the_figures_are_what_sqlite_itself_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path()).await;
    writer.execute("PRAGMA application_id = 1447383857; CREATE TABLE t (x)").await.unwrap();
    let rooms = Rooms::store(folder.path(), &sqlite_url(folder.path())).await;
    let insert = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 100) SELECT zeroblob(3000) FROM n";
    writer.execute(insert).await.unwrap();
    let found = rooms.sqlite().await;
    assert_eq!(found.page_bytes, 4096);
    assert!(found.checkpoint_backlog_bytes > Some(100 * 3000), "{found:?}");
    assert_eq!(found.checkpoints_seen, 0);

    // A reader of the old state lets a checkpoint move only what it does not need.
    let mut reader = SqliteConnectOptions::new().filename(database_file(folder.path()));
    reader = reader.read_only(true);
    let mut reader = reader.connect().await.unwrap();
    reader.execute("BEGIN; SELECT count(*) FROM t").await.unwrap();
    writer.execute("DELETE FROM t WHERE rowid % 2 = 0").await.unwrap();
    let (frames, moved) = checkpoint(&mut writer).await;
    assert!(0 < moved && moved < frames, "{moved} of {frames}");
    let found = rooms.sqlite().await;
    assert_eq!(found.checkpoint_backlog_bytes, Some((frames - moved).cast_unsigned() * 4096));
    assert_eq!(found.checkpoints_seen, 1);

    reader.close().await.unwrap();
    let (frames, moved) = checkpoint(&mut writer).await;
    assert_eq!(frames, moved);
    let found = rooms.sqlite().await;
    assert_eq!((found.checkpoint_backlog_bytes, found.checkpoints_seen), (Some(0), 2));
    let size = |ending: &str| {
        let name = format!("{}{ending}", database_file(folder.path()).display());
        fs::metadata(name).unwrap().len()
    };
    assert_eq!((found.database_bytes, found.wal_bytes), (size(""), size("-wal")));
    let free: i64 =
        sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut writer).await.unwrap();
    assert!(free > 10, "{free}");
    assert_eq!(found.freelist_bytes, free.cast_unsigned() * 4096);

    // The log begins again, and all of it is moved between two looks or not.
    for _ in 0..3 {
        // Other bytes than before: what does not change is not written.
        writer.execute("UPDATE t SET x = randomblob(2000)").await.unwrap();
        checkpoint(&mut writer).await;
        rooms.next_look().await;
    }
    assert_eq!(rooms.sqlite().await.checkpoints_seen, 5);
    let scrape = rooms.scrape();
    let shown = |name: &str| crate::stack::sample_of(&scrape, &format!("{PREFIX}_{name}")).unwrap();
    assert_eq!(shown("sqlite_checkpoints_total"), 5.0);
    assert_eq!(shown("sqlite_checkpoint_backlog_bytes"), 0.0);
    assert_eq!(shown("sqlite_page_bytes"), 4096.0);
}

#[tokio::test]
async fn the_writer_commits_and_checkpoints_while_it_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(folder.path()).await;
    writer.execute("PRAGMA wal_autocheckpoint = 64; CREATE TABLE t (x)").await.unwrap();
    let url = format!("--database-url={}", sqlite_url(folder.path()));
    let nobody = "http://127.0.0.1:9";
    // A look every millisecond, in a process of its own: locks of one process do not conflict.
    let quick = ["--canary=false", "--witness=false", "--system-interval-secs=0.001", &url];
    let sidecar = Sidecar::start(folder.path(), nobody, nobody, &quick);
    let looks = format!("{PREFIX}_last_look_timestamp_seconds");
    let mut last = sidecar.sample(&looks).await;
    for _ in 0..20 {
        for _ in 0..100 {
            // Without a busy timeout of note: a lock of the sidecar's would be an error here.
            writer.execute("INSERT INTO t VALUES (zeroblob(2000))").await.unwrap();
        }
        sidecar.wait_for(&looks, LIMIT, |now| Some(now) > last).await;
        last = sidecar.sample(&looks).await;
    }
    let (frames, moved) = checkpoint(&mut writer).await;
    assert_eq!(frames, moved, "no reader held the log");
    let wal = fs::metadata(format!("{}-wal", database_file(folder.path()).display())).unwrap();
    assert!(wal.len() < 1 << 20, "the log began again and again: {} bytes", wal.len());
    let seen = format!("{PREFIX}_sqlite_checkpoints_total");
    let seen = sidecar.sample(&seen).await.unwrap();
    assert!(seen > 10.0, "{seen} checkpoints seen");

    // The last connection that closes removes log and index; nobody else has them open.
    writer.close().await.unwrap();
    assert_eq!(files(folder.path()), ["log.db"]);
    let began = sidecar.sample(&looks).await;
    sidecar.wait_for(&looks, LIMIT, |now| Some(now) > began.map(|began| began + 0.2)).await;
    assert_eq!(files(folder.path()), ["log.db"], "a look makes no file");
}

/// The files of a database, by name.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("log.db")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_stopped_sequencer_leaves_a_store_that_can_be_looked_at() {
    let Stack { folder, sequencer, sidecar } = Stack::start(&["--canary-interval-secs=0.2"]);
    let backlog = format!("{PREFIX}_sqlite_checkpoint_backlog_bytes");
    sidecar.wait_for(&backlog, LIMIT, |bytes| bytes > 0.0).await;
    assert!(sequencer.running.stop().success());
    let wal = format!("{PREFIX}_sqlite_wal_bytes");
    sidecar.wait_for(&wal, LIMIT, |bytes| bytes == 0.0).await;
    assert_eq!(sidecar.sample(&backlog).await, Some(0.0));
    assert_eq!(files(folder.path()), ["log.db", "log.db.lock"]);
    let again = Sequencer::start(folder.path(), &[]);
    sidecar.wait_for(&wal, LIMIT, |bytes| bytes > 0.0).await;
    // Killed, it leaves its log and its index: they say what is only in the log.
    again.running.kill();
    let began = Instant::now();
    sidecar.wait_for(&wal, LIMIT, |bytes| bytes > 0.0).await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_named_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = database_file(folder.path());
    let rooms = Rooms::store(folder.path(), &sqlite_url(folder.path())).await;
    let name = file.display().to_string();
    rooms.store_fails(&[&name, "does not exist"]).await;
    fs::write(&file, "").unwrap();
    rooms.store_fails(&[&name, "is empty"]).await;
    fs::write(&file, "x".repeat(5000)).unwrap();
    rooms.store_fails(&[&name, "not a SQLite database"]).await;
    fs::write(&file, "SQLite format 3\0, but cut off").unwrap();
    rooms.store_fails(&[&name, "not a SQLite database"]).await;
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    rooms.store_fails(&[&name, "is not a file"]).await;
    fs::remove_dir(&file).unwrap();
    let mut foreign = writer(folder.path()).await;
    foreign.execute("PRAGMA application_id = 7; CREATE TABLE t (x)").await.unwrap();
    checkpoint(&mut foreign).await;
    let view = rooms.store_fails(&[&name, "another application"]).await;
    assert_eq!((view.last_look, view.figures), (None, None), "nothing was ever complete");
    assert!(!rooms.scrape().contains("store_last_look"), "no figure, no age");

    foreign.execute("PRAGMA application_id = 1447383857").await.unwrap();
    checkpoint(&mut foreign).await;
    let good = rooms.store_when(|view| view.reachable == Some(true)).await;
    assert!(good.last_look.is_some() && good.notes.is_empty(), "{good:#?}");

    // An index that is no index: the other figures stay, that one goes.
    let index = format!("{name}-shm");
    let whole = fs::read(&index).unwrap();
    fs::write(&index, "z".repeat(200)).unwrap();
    let view = rooms.store_when(|view| !view.notes.is_empty()).await;
    assert!(view.notes[0].contains("checkpoint backlog") && view.notes[0].contains(&index));
    assert!(!rooms.scrape().contains("sqlite_checkpoint_backlog_bytes"), "not known, not shown");
    fs::write(&index, whole).unwrap();
    rooms.store_when(|view| view.notes.is_empty()).await;
    assert!(rooms.scrape().contains("sqlite_checkpoint_backlog_bytes"));

    fs::rename(&file, folder.path().join("away")).unwrap();
    let lost = rooms.store_fails(&["does not exist"]).await;
    let later = rooms.store_when(|view| view.last_attempt > lost.last_attempt).await;
    assert_eq!((later.last_look, &later.figures), (lost.last_look, &lost.figures));
    assert!(later.figures.is_some(), "the last figures stay, with their age");
}

/// Root may read everything, so the sidecar runs as somebody who may not.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let stack = Stack::start(&["--canary=false", "--witness=false"]);
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(database_file(stack.folder.path()), database_file(closed.path())).unwrap();
    let mode = fs::Permissions::from_mode(0o000);
    fs::set_permissions(database_file(closed.path()), mode).unwrap();
    let program = closed.path().join("sidecar");
    fs::copy(crate::program::program("sidecar"), &program).unwrap();
    let url = format!("--database-url={}", sqlite_url(closed.path()));
    let state = format!("--sidecar-state-dir={}", closed.path().join("state").display());
    let flags =
        ["--sidecar-port=0", "--canary=false", "--witness=false", "--system-interval-secs=0.1"];
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = crate::program::bare(Path::new("/usr/sbin/runuser"));
        command.args(["-u", "nobody", "--"]).arg(&program);
        command
    } else {
        crate::program::bare(&program)
    };
    command.args(flags).args([url, state]);
    let sidecar = Sidecar::run(command);
    let began = Instant::now();
    let told = |entry: &serde_json::Value| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        reason.contains("log.db") && reason.contains("Permission denied")
    };
    while !sidecar.running.log().iter().any(told) {
        assert!(began.elapsed() < LIMIT, "{:?}", sidecar.running.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sidecar.get("/health").await.status, 200);
}
