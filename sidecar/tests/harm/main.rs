//! A sidecar does no harm: whatever becomes of it, not one request to the sequencer fails.

mod full_disk;

use std::time::Duration;

use rustix::process::Signal;
use testbed::{stack, writer};

use crate::stack::{Sidecar, Stack};
use crate::writer::{Load, Outcome, Writer};

/// Between two requests of the load.
const PAUSE: Duration = Duration::from_millis(2);
/// For which each state of the sidecar lasts.
const WHILE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_is_killed_or_frozen_costs_no_request() {
    let Stack { folder, sequencer, sidecar } = Stack::start(&[]);
    let writer = Writer::register(&sequencer).await;
    let load = Load::start(&writer, PAUSE);
    wait_until_it_verifies(&sidecar).await;

    // Frozen in the middle of what it does: with requests open, and a read of the store.
    for _ in 0..3 {
        sidecar.running.signal(Signal::STOP);
        tokio::time::sleep(WHILE / 3).await;
        sidecar.running.signal(Signal::CONT);
        tokio::time::sleep(WHILE / 10).await;
    }
    sidecar.running.kill();
    tokio::time::sleep(WHILE).await;

    let again = Sidecar::start(folder.path(), &sequencer.url, &sequencer.operations_url, &[]);
    wait_until_it_verifies(&again).await;
    assert_unharmed(&load.stop().await);
}

async fn wait_until_it_verifies(sidecar: &Sidecar) {
    let series = "stateset_sidecar_witness_verified_events_total";
    sidecar.wait_for(series, Duration::from_secs(30), |events| events > 0.0).await;
}

fn assert_unharmed(outcome: &Outcome) {
    assert_eq!(outcome.failed, 0, "{outcome:?}");
    assert!(outcome.good > 500, "{outcome:?}");
    // Far above what a request takes, far below a time-out: nobody waits for a sidecar.
    assert!(outcome.slowest < Duration::from_secs(3), "{outcome:?}");
}
