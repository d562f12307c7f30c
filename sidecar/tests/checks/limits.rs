//! Descriptors and memory near their limits, by the kernel's figures and by the sequencer's own.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::control_group::ControlGroup;

use crate::stack::{Sequencer, Sidecar};
use crate::watch::{FAIL, OK, QUICK, WARN, until};

const DESCRIPTORS: u64 = 100;
const MIB: u64 = 1 << 20;

#[tokio::test]
async fn few_free_descriptors_are_said_until_connections_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    limit_descriptors(&sequencer, DESCRIPTORS);
    let sidecar = start(&sequencer, folder.path(), &[]);
    until(&sidecar, "file_descriptors", OK, "of 100 are open").await;
    let few = fill_up(&sequencer, 85);
    until(&sidecar, "file_descriptors", WARN, "of its process").await;
    let many = fill_up(&sequencer, 92);
    until(&sidecar, "file_descriptors", FAIL, "limit of this check is 90.0 %").await;
    drop((few, many));
    until(&sidecar, "file_descriptors", OK, "of its process").await;
}

#[tokio::test]
async fn descriptors_of_a_process_that_cannot_be_seen_are_those_it_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    limit_descriptors(&sequencer, DESCRIPTORS);
    // No process has this id, as in another container.
    let file = folder.path().join("sequencer.pid");
    std::fs::write(&file, "1999999999").unwrap();
    let flag = format!("--sequencer-pid-file={}", file.display());
    let sidecar = start(&sequencer, folder.path(), &[&flag]);
    until(&sidecar, "file_descriptors", OK, "by its own metrics").await;
    until(&sidecar, "memory", OK, "by its own metrics").await;
    let many = fill_up(&sequencer, 92);
    until(&sidecar, "file_descriptors", FAIL, "by its own metrics").await;
    drop(many);
    until(&sidecar, "file_descriptors", OK, "by its own metrics").await;
}

#[tokio::test]
#[ignore = "needs root: make faults"]
async fn memory_near_the_limit_of_the_control_group_is_said_until_it_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let group = ControlGroup::around(sequencer.running.id());
    use_some(&sequencer, &group);
    let sidecar = start(&sequencer, folder.path(), &[]);
    until(&sidecar, "memory", OK, "in its control group").await;
    press(&sidecar, &group, 85, WARN).await;
    until(&sidecar, "memory", WARN, "limit of this check is 80.0 %").await;
    press(&sidecar, &group, 95, FAIL).await;
    until(&sidecar, "memory", FAIL, "limit of this check is 90.0 %").await;
    group.release();
    until(&sidecar, "memory", OK, "in its control group").await;
}

/// Lets the process use some of what its new group counts.
fn use_some(sequencer: &Sequencer, group: &ControlGroup) {
    let url = format!("{}/metrics", sequencer.operations_url);
    for _ in 0..400 {
        let mut curl = Command::new("curl");
        assert!(curl.args(["-sf", "-o", "/dev/null", &url]).status().unwrap().success());
        if group.used() > 2 * MIB {
            return;
        }
    }
    panic!("{} bytes are used", group.used());
}

/// Keeps the limit so that this share of it is used, whatever is used, until that is shown.
async fn press(sidecar: &Sidecar, group: &ControlGroup, percent: u64, status: f64) {
    for _ in 0..200 {
        group.press(percent);
        if sidecar.sample("stateset_sidecar_check_status{check=\"memory\"}").await == Some(status) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the memory check is not {status}");
}

fn start(sequencer: &Sequencer, folder: &Path, flags: &[&str]) -> Sidecar {
    let flags = [&QUICK[..], flags].concat();
    Sidecar::start(folder, &sequencer.url, &sequencer.operations_url, &flags)
}

/// Lowers the limit of the running process.
fn limit_descriptors(sequencer: &Sequencer, limit: u64) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let pid = Pid::from_raw(sequencer.running.id().cast_signed());
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

/// Opens connections until the process has so many descriptors.
fn fill_up(sequencer: &Sequencer, wanted: usize) -> Vec<TcpStream> {
    let at: SocketAddr = sequencer.url.trim_start_matches("http://").parse().unwrap();
    let folder = format!("/proc/{}/fd", sequencer.running.id());
    let open = || std::fs::read_dir(&folder).unwrap().count();
    let mut connections = Vec::new();
    for _ in 0..200 {
        if open() >= wanted {
            return connections;
        }
        connections.push(TcpStream::connect(at).unwrap());
        // It is accepted a moment later.
        let before = open();
        for _ in 0..20 {
            if open() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    panic!("{} descriptors are open, not {wanted}", open());
}
