//! The log is not what it was: a backup is restored, the end is cut off, the past is written anew.

use std::path::Path;

use tempfile::TempDir;

use crate::fixture::{LIMIT, Watched, audited, execute, listed, start_sidecar, wait_until_open};
use crate::stack::{Sequencer, Stack, database_file};

const FILES: &[&str] = &["log.db", "log.db-wal", "log.db-shm"];

/// Copies the store's files; nobody has them open.
fn copy(from: &Path, to: &Path) {
    for name in FILES {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Starts a sequencer where another one was.
fn start_again(folder: &Path, ports: (u16, u16)) -> Sequencer {
    let (api, operations) = (format!("--port={}", ports.0), format!("--ops-port={}", ports.1));
    Sequencer::start(folder, &[&api, &operations])
}

/// A stack whose store was put back to where it had 10 events of the 30 that were verified.
/// Without a sidecar that ran meanwhile, when that is wanted.
async fn restored(running: bool, more: usize) -> Watched {
    let watched = Watched::with_events(10).await;
    let Watched { stack: Stack { folder, sequencer, sidecar }, writer } = watched;
    let ports = (sequencer.port(), sequencer.operations_port());
    let backup = TempDir::new().unwrap();
    assert!(sequencer.running.stop().success());
    copy(folder.path(), backup.path());
    let sequencer = start_again(folder.path(), ports);
    let watched = Watched { stack: Stack { folder, sequencer, sidecar }, writer };
    watched.post(20).await;
    watched.wait_until_committed(30).await;

    let Watched { stack: Stack { folder, sequencer, sidecar }, writer } = watched;
    let sidecar = if running {
        Some(sidecar)
    } else {
        assert!(sidecar.running.stop().success());
        None
    };
    assert!(sequencer.running.stop().success());
    copy(backup.path(), folder.path());
    let sequencer = start_again(folder.path(), ports);
    for _ in 0..more / 10 {
        writer.post(10).await;
    }
    let sidecar = sidecar.unwrap_or_else(|| start_sidecar(folder.path(), &sequencer));
    Watched { stack: Stack { folder, sequencer, sidecar }, writer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_witness_sees_a_restored_backup() {
    let watched = restored(true, 0).await;
    watched.wait_until_open(&["rollback"]).await;
    let found = listed(&watched.state_dir());
    assert_eq!(found[0]["sequence_number"], 10, "{found:#}");
    let file = watched.state_dir().join(found[0]["evidence"].as_str().unwrap());
    let evidence: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(evidence["before"]["next_sequence"], 31, "{evidence:#}");
    assert_eq!(evidence["now"]["head"]["head_sequence"], 10, "{evidence:#}");
    // Acknowledged, the restored log is the new baseline, and what comes is verified.
    watched.acknowledge_all().await;
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
    watched.post(5).await;
    watched.wait_until_committed(15).await;
    watched.assert_open(&[]);
    let says = |text| {
        watched
            .sidecar()
            .running
            .log()
            .iter()
            .any(|line| line["message"].as_str().is_some_and(|message| message.contains(text)))
    };
    assert!(says("new baseline"), "{:?}", watched.sidecar().running.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_witness_sees_a_restored_backup() {
    let watched = restored(false, 0).await;
    watched.wait_until_open(&["rollback"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_that_grew_beyond_the_old_head_is_another_past() {
    let watched = restored(false, 40).await;
    wait_until_named(&watched, "rewritten").await;
    watched.acknowledge_all().await;
    watched.wait_until_audited().await;
    watched.wait_until_committed(50).await;
    watched.assert_open(&[]);
}

/// Agents go on after a restore: each event makes another head that is still too low.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_that_grows_is_one_violation_and_one_word_ends_it() {
    let watched = restored(true, 0).await;
    watched.wait_until_open(&["rollback"]).await;
    for _ in 0..5 {
        watched.post(1).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let open = listed(&watched.state_dir());
    let open = open.as_array().unwrap();
    assert_eq!(open.iter().filter(|one| one["kind"] == "rollback").count(), 1, "{open:#?}");
    watched.acknowledge_all().await;
    watched.post(1).await;
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
}

/// Waits until this kind is open, whatever else follows from it.
async fn wait_until_named(watched: &Watched, kind: &str) {
    let series = crate::fixture::open_series(kind);
    watched.sidecar().wait_for(&series, LIMIT, |open| open >= 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_off_is_a_rollback() {
    let watched = Watched::with_events(12).await;
    let cut = "DELETE FROM events WHERE sequence_number > 10;
        UPDATE streams SET head_sequence = 10, committed_sequence = 0;
        DELETE FROM commitments";
    execute(&watched.database(), cut).await;
    watched.wait_until_open(&["rollback"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_row_that_was_deleted_is_a_gap() {
    let watched = Watched::with_events(12).await;
    execute(&watched.database(), "DELETE FROM events WHERE sequence_number = 12").await;
    watched.wait_until_open(&["gap"]).await;
}

/// The same stream with other events of the same agent, all of them good, and good commitments.
#[tokio::test(flavor = "multi_thread")]
async fn a_forked_log_is_a_rewritten_past() {
    let watched = Watched::with_events(20).await;
    let Watched { stack: Stack { folder, sequencer, sidecar }, writer } = watched;
    let ports = (sequencer.port(), sequencer.operations_port());
    assert!(sidecar.running.stop().success());
    assert!(sequencer.running.stop().success());
    for name in FILES {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let sequencer = start_again(folder.path(), ports);
    writer.register_again().await;
    writer.post(20).await;
    wait_until_sealed(folder.path(), 20).await;
    let sidecar = start_sidecar(folder.path(), &sequencer);
    wait_until_open(&crate::fixture::state_dir(folder.path()), &["rewritten"]).await;
    audited(&sidecar).await;
    let watched = Watched { stack: Stack { folder, sequencer, sidecar }, writer };
    watched.assert_open(&["rewritten"]);
}

/// One event in the middle is another one, with all that follows from it: only who remembers can
/// see it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_exchanged_with_all_that_follows_is_found_by_who_remembers() {
    let watched = Watched::with_events(20).await;
    // Each event is good by itself, and the receipts, which are made for each answer, fit too. The
    // tree is made anew.
    let swap = "UPDATE events SET sequence_number = 1000 WHERE sequence_number = 7;
        UPDATE events SET sequence_number = 7 WHERE sequence_number = 8;
        UPDATE events SET sequence_number = 8 WHERE sequence_number = 1000;
        UPDATE events SET sequenced_at = (SELECT min(sequenced_at) FROM events);
        UPDATE streams SET updated_at = (SELECT min(sequenced_at) FROM events),
            committed_sequence = 0;
        DELETE FROM tree_tiles; DELETE FROM commitments";
    let Watched { stack: Stack { folder, sequencer, sidecar }, writer } = watched;
    let ports = (sequencer.port(), sequencer.operations_port());
    assert!(sidecar.running.stop().success());
    assert!(sequencer.running.stop().success());
    execute(&database_file(folder.path()), swap).await;
    let sequencer = start_again(folder.path(), ports);
    wait_until_sealed(folder.path(), 20).await;
    let sidecar = start_sidecar(folder.path(), &sequencer);
    let watched = Watched { stack: Stack { folder, sequencer, sidecar }, writer };
    wait_until_named(&watched, "rewritten").await;
}

async fn wait_until_sealed(folder: &Path, end: u64) {
    let started = std::time::Instant::now();
    let sql = "SELECT CAST(committed_sequence AS TEXT) FROM streams";
    let end = end.to_string();
    while crate::fixture::value(&database_file(folder), sql).await.as_ref() != Some(&end) {
        assert!(started.elapsed() < LIMIT, "it is not committed");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
