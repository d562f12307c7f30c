//! A disk that fills up, and a data folder that takes no writes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use rustix::process::geteuid;
use testbed::disk::SmallDisk;

use crate::stack::{Sequencer, Sidecar};
use crate::watch::{FAIL, OK, QUICK, WARN, until};

/// The user that owns nothing, to whom permissions mean something.
const NOBODY: u32 = 65_534;

#[tokio::test]
#[ignore = "needs root: make faults"]
async fn a_disk_that_fills_up_is_said_in_four_steps_and_good_again_when_emptied() {
    let (disk, state) = (SmallDisk::mount(100), tempfile::tempdir().unwrap());
    let floor = ["--min-free-disk-bytes=4194304"];
    let sequencer = Sequencer::start(disk.path(), &floor);
    let sidecar = watching(&sequencer, disk.path(), state.path(), &floor);
    until(&sidecar, "disk", OK, "free").await;
    for (filled, status, words) in [
        (86, WARN, "filling: 8"),
        (91, WARN, "almost full: 9"),
        (98, FAIL, "the sequencer refuses writes below 5 % or 4.0 MiB free"),
        (86, WARN, "filling: 8"),
        (0, OK, "free"),
    ] {
        disk.fill(filled);
        until(&sidecar, "disk", status, words).await;
    }
    disk.fill(98);
    until(&sidecar, "sequencer_ready", WARN, "disk_full").await;
    disk.fill(0);
    until(&sidecar, "sequencer_ready", OK, "traffic").await;
}

#[tokio::test]
#[ignore = "needs root: make faults"]
async fn a_read_only_data_folder_is_said_until_it_can_be_written() {
    let disk = SmallDisk::mount(40);
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let sidecar = watching(&sequencer, disk.path(), folder.path(), &[]);
    until(&sidecar, "data_directory", OK, "took a write").await;
    disk.remount("ro");
    until(&sidecar, "data_directory", FAIL, "read-only").await;
    disk.remount("rw");
    until(&sidecar, "data_directory", OK, "took a write").await;
    disk.fill(64);
    until(&sidecar, "data_directory", FAIL, "no space").await;
    disk.fill(0);
    until(&sidecar, "data_directory", OK, "took a write").await;
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1, "only the filler is left");
}

#[tokio::test]
async fn a_data_folder_that_is_gone_is_said_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let sidecar = watching(&sequencer, &data, folder.path(), &[]);
    until(&sidecar, "data_directory", OK, "took a write").await;
    std::fs::remove_dir(&data).unwrap();
    until(&sidecar, "data_directory", FAIL, "missing").await;
    until(&sidecar, "disk", FAIL, "missing").await;
    std::fs::create_dir(&data).unwrap();
    until(&sidecar, "data_directory", OK, "took a write").await;
    until(&sidecar, "disk", OK, "free").await;
    std::fs::remove_dir(&data).unwrap();
    std::fs::write(&data, "").unwrap();
    until(&sidecar, "data_directory", FAIL, "not a folder").await;
    std::fs::remove_file(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    until(&sidecar, "data_directory", OK, "took a write").await;
}

#[tokio::test]
async fn a_data_folder_without_permission_is_said_until_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (data, own) = (folder.path().join("data"), folder.path().join("sidecar"));
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    for made in [&data, &own] {
        std::fs::create_dir(made).unwrap();
    }
    let sequencer = Sequencer::start(folder.path(), &[]);
    let data_dir = format!("--data-dir={}", data.display());
    let flags = [&QUICK[..], &[&data_dir]].concat();
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    let mut command = Sidecar::command(folder.path(), url, operations, &flags);
    if geteuid().is_root() {
        for given in [&data, &own] {
            std::os::unix::fs::chown(given, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        // Where coverage is measured, the counts of another user's process have no place to go.
        command.uid(NOBODY).gid(NOBODY).env("LLVM_PROFILE_FILE", "/dev/null");
    }
    let sidecar = Sidecar::run(command);
    until(&sidecar, "data_directory", OK, "took a write").await;
    std::fs::set_permissions(&data, Permissions::from_mode(0o500)).unwrap();
    until(&sidecar, "data_directory", FAIL, "no permission").await;
    std::fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    until(&sidecar, "data_directory", OK, "took a write").await;
}

/// A sidecar that watches a folder as the sequencer's and keeps its state elsewhere.
fn watching(sequencer: &Sequencer, data: &Path, state: &Path, flags: &[&str]) -> Sidecar {
    let data = format!("--data-dir={}", data.display());
    let flags = [&QUICK[..], &[&data], flags].concat();
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    Sidecar::start(state, url, operations, &flags)
}
