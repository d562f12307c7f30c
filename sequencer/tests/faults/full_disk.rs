//! Disks of a few megabytes that are really full or read-only, and a folder without permission.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;
use testbed::disk::SmallDisk;

use crate::answer::eventually;
use crate::load::Load;
use crate::process::{Process, command};

const MIB: u64 = 1 << 20;
/// Longest time from a disk with room to a write that is accepted.
const RESUMED: Duration = Duration::from_secs(10);
/// The user that owns nothing, to whom permissions mean something.
const NOBODY: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn a_full_disk_refuses_writes_answers_reads_and_all_resumes_by_itself() {
    // Without a floor SQLite itself meets the end of the disk; with one nothing gets so far.
    for floor in [0, 4 * MIB] {
        let disk = SmallDisk::mount(40);
        disk.fill(28);
        let flag = format!("--min-free-disk-bytes={floor}");
        let process = Process::run(command(disk.path(), &[&flag]), disk.path());
        let mut load = Load::new(&process.client).await;
        for left in [20, 12, 4] {
            let running = load.begin(&process.client);
            load.end_by_itself(running).await;
            refused_as_full(&process, &load).await;
            disk.fill(left);
            resumes(&process, &mut load).await;
        }
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0));
        let process = Process::start(disk.path());
        load.check(&process.client, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn the_last_five_percent_are_refused_whatever_the_floor_in_bytes() {
    let disk = SmallDisk::mount(100);
    let process = Process::run(command(disk.path(), &["--min-free-disk-bytes=1"]), disk.path());
    let load = Load::new(&process.client).await;
    let agent = load.agents[0].clone();
    assert_eq!(process.client.ingest(&agent.events(1)).await.events_accepted, 1);
    disk.fill(96);
    let refused = process.client.try_ingest(&agent.events(1)).await;
    let error = refused.refused("SERVICE_UNAVAILABLE");
    assert_eq!(error["details"]["reason"], "disk_full", "{error}");
    let ready = process.client.get("/ready").await.ok();
    assert_eq!(ready["status"], "degraded", "reads go on");
    // 5 % of 100 MiB.
    assert!(ready["reasons"][0].as_str().unwrap().contains("less than 5242880 bytes"), "{ready}");
    disk.fill(90);
    assert_eq!(process.client.ingest(&agent.events(1)).await.events_accepted, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn a_process_stops_and_is_killed_on_a_full_disk_and_loses_nothing() {
    let disk = SmallDisk::mount(40);
    disk.fill(28);
    let mut process = Process::start(disk.path());
    let mut load = Load::new(&process.client).await;
    for left in [20, 12] {
        let running = load.begin(&process.client);
        load.end_by_itself(running).await;
        if left == 12 {
            process.kill();
        } else {
            process.signal(Signal::TERM);
            assert_eq!(process.wait().code(), Some(0));
        }
        disk.fill(left);
        process = Process::start(disk.path());
        resumes(&process, &mut load).await;
    }
    load.check(&process.client, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root: make faults"]
async fn a_start_on_a_read_only_disk_is_refused_and_changes_nothing() {
    let disk = SmallDisk::mount(40);
    let mut load = one_life(disk.path(), false).await;
    disk.remount("ro");
    refused_start(command(disk.path(), &[])).await;
    disk.remount("rw");
    let process = Process::start(disk.path());
    resumes(&process, &mut load).await;
    load.check(&process.client, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_permission_to_write_is_refused_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    give_away(folder.path());
    let mut load = one_life(folder.path(), true).await;
    let modes = |of_folder: u32, of_files: u32| {
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let mode = Permissions::from_mode(of_files);
            std::fs::set_permissions(entry.unwrap().path(), mode).unwrap();
        }
        std::fs::set_permissions(folder.path(), Permissions::from_mode(of_folder)).unwrap();
    };
    for of_folder in [0o500, 0o700] {
        modes(of_folder, 0o400);
        refused_start(unprivileged(folder.path())).await;
    }
    modes(0o700, 0o600);
    let process = Process::run(unprivileged(folder.path()), folder.path());
    resumes(&process, &mut load).await;
    load.check(&process.client, true).await;
}

/// Writes are refused for one reason, again and again, and every read is answered meanwhile.
async fn refused_as_full(process: &Process, load: &Load) {
    let agent = &load.agents[0];
    let mut refusals = 0;
    // What is small may still fit where something larger did not.
    for _ in 0..1_000 {
        let answer = process.client.try_ingest(&agent.events(8)).await;
        if answer.status != 200 {
            let error = answer.refused("SERVICE_UNAVAILABLE");
            assert_eq!(error["details"]["reason"], "disk_full", "{error}");
            refusals += 1;
        }
        if refusals == 40 {
            process.client.get("/health").await.ok();
            process.client.get("/ready").await.ok();
            return load.check(&process.client, false).await;
        }
    }
    panic!("the disk was full {refusals} times");
}

async fn resumes(process: &Process, load: &mut Load) {
    let agent = load.agents[0].clone();
    eventually(RESUMED, || async {
        let answer = process.client.try_ingest(&agent.events(1)).await;
        (answer.status == 200).then_some(())
    })
    .await;
    load.retry(&process.client).await;
    load.check(&process.client, false).await;
}

/// A short life of a new store, ended by a kill: its log is not in the database yet.
async fn one_life(folder: &Path, unprivileged_user: bool) -> Load {
    let serve = if unprivileged_user { unprivileged(folder) } else { command(folder, &[]) };
    let process = Process::run(serve, folder);
    let mut load = Load::new(&process.client).await;
    let running = load.begin(&process.client);
    tokio::time::sleep(Duration::from_millis(200)).await;
    process.kill();
    load.end(running).await;
    assert!(load.acknowledged() > 0);
    load
}

/// One line says why, and the process has ended by itself.
async fn refused_start(mut serve: Command) {
    let mut child = serve.spawn().unwrap();
    let ended = eventually(Duration::from_secs(20), || {
        let ended = child.try_wait().unwrap();
        async move { ended }
    })
    .await;
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
}

/// The server as a user to whom permissions mean something.
fn unprivileged(folder: &Path) -> Command {
    let mut serve = command(folder, &[]);
    if geteuid().is_root() {
        // Where coverage is measured, the counts of another user's process have no place to go.
        serve.uid(NOBODY).gid(NOBODY).env("LLVM_PROFILE_FILE", "/dev/null");
    }
    serve
}

fn give_away(folder: &Path) {
    if geteuid().is_root() {
        std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}
