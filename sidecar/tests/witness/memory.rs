//! What the witness remembers is believed only when it is its own word, and is whole whenever it is
//! killed.

use std::time::Duration;

use crate::fixture::{Watched, execute, listed};
use crate::writer::Load;

const VERIFIED: &str = "stateset_sidecar_witness_verified_events_total";

async fn refused(spoil: impl AsyncFn(&Watched), says: &str) {
    let watched = Watched::with_events(10).await;
    let Watched { stack, writer } = watched;
    let crate::stack::Stack { folder, sequencer, sidecar } = stack;
    assert!(sidecar.running.stop().success());
    // The fixture needs one; this is started again below.
    let sidecar = crate::fixture::start_sidecar(&folder.path().join("other"), &sequencer);
    let stack = crate::stack::Stack { folder, sequencer, sidecar };
    let watched = Watched { stack, writer };
    spoil(&watched).await;
    let watched = watched.restart_sidecar(false);
    watched.wait_until_open(&["rewritten"]).await;
    let found = listed(&watched.state_dir());
    assert!(found[0]["detail"].as_str().unwrap().contains(says), "{found:#}");
    // It begins anew, from number 1, and that is no other violation.
    watched.wait_until_verified(10.0).await;
    assert_eq!(watched.sidecar().sample(VERIFIED).await, Some(10.0));
    watched.acknowledge_all().await;
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_somebody_changed_is_set_aside_loudly() {
    let change = async |watched: &Watched| {
        execute(&watched.memory_file(), "UPDATE checkpoints SET trail = zeroblob(32)").await;
    };
    refused(change, "its signature is not that of this witness").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_is_no_database_is_set_aside_loudly() {
    let change = async |watched: &Watched| {
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(watched.state_dir().join(format!("witness.db{end}")));
        }
        std::fs::write(watched.memory_file(), vec![7; 9000]).unwrap();
    };
    refused(change, "what the witness remembered cannot be read").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time_it_goes_on_from_what_it_wrote() {
    let mut watched = Watched::with_events(10).await;
    let load = Load::start(&watched.writer, Duration::from_millis(1));
    for round in 0..6_u64 {
        tokio::time::sleep(Duration::from_millis(150 + 170 * round)).await;
        watched = watched.restart_sidecar(true);
    }
    let outcome = load.stop().await;
    assert_eq!(outcome.failed, 0, "{outcome:?}");
    let head = 10 + outcome.good;
    watched.post(1).await;
    watched.wait_until_committed(head + 1).await;
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
}
