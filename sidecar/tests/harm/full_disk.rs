//! The disk of the sidecar's own state is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::stack::{Sequencer, Sidecar};
use crate::writer::{Load, Writer};
use crate::{PAUSE, WHILE, assert_unharmed, wait_until_it_verifies};

/// A small file system of its own, unmounted when dropped.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount(kibibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kibibytes}k");
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        assert!(done.unwrap().success(), "a tmpfs cannot be mounted: this test needs root");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes until there is no room.
    fn fill(&self) -> PathBuf {
        let file = self.path().join("filler");
        let filled = std::fs::write(&file, vec![0; 64 << 20]);
        assert!(filled.is_err(), "the disk is not small");
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn a_sidecar_whose_disk_is_full_costs_no_request_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(16 << 10);
    let sequencer = Sequencer::start(folder.path(), &[]);
    let state = format!("--sidecar-state-dir={}", disk.path().join("state").display());
    let (url, operations_url) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations_url, &[&state]);
    let writer = Writer::register(&sequencer).await;
    let load = Load::start(&writer, PAUSE);
    wait_until_it_verifies(&sidecar).await;

    let filler = disk.fill();
    tokio::time::sleep(WHILE).await;
    let health = sidecar.get("/health").await;
    assert_eq!(health.status, 200, "it goes on: {}", health.text);
    std::fs::remove_file(filler).unwrap();

    let series = "stateset_sidecar_witness_verified_events_total";
    let before = sidecar.sample(series).await.unwrap();
    sidecar.wait_for(series, Duration::from_secs(30), |events| events > before).await;
    assert_unharmed(&load.stop().await);
    assert!(sidecar.running.stop().success());
}
