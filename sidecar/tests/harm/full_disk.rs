//! The disk of the sidecar's own state is full.

use std::time::Duration;

use testbed::disk::SmallDisk;

use crate::stack::{Sequencer, Sidecar};
use crate::writer::{Load, Writer};
use crate::{PAUSE, WHILE, assert_unharmed, wait_until_it_verifies};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn a_sidecar_whose_disk_is_full_costs_no_request_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(16);
    let sequencer = Sequencer::start(folder.path(), &[]);
    let state = format!("--sidecar-state-dir={}", disk.path().join("state").display());
    let (url, operations_url) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations_url, &[&state]);
    let writer = Writer::register(&sequencer).await;
    let load = Load::start(&writer, PAUSE);
    wait_until_it_verifies(&sidecar).await;

    disk.fill(64);
    tokio::time::sleep(WHILE).await;
    let health = sidecar.get("/health").await;
    assert_eq!(health.status, 200, "it goes on: {}", health.text);
    disk.fill(0);

    let series = "stateset_sidecar_witness_verified_events_total";
    let before = sidecar.sample(series).await.unwrap();
    sidecar.wait_for(series, Duration::from_secs(30), |events| events > before).await;
    assert_unharmed(&load.stop().await);
    assert!(sidecar.running.stop().success());
}
