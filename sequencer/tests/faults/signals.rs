//! Orderly ends: SIGTERM and SIGINT, also as process 1 of a container.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::load::Load;
use crate::process::{Process, command, send};

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_stop_under_load_ends_with_0_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut process = Process::start(folder.path());
    let mut load = Load::new(&process.client).await;
    for signal in [Signal::TERM, Signal::INT] {
        let running = load.begin(&process.client);
        tokio::time::sleep(Duration::from_millis(300)).await;
        process.signal(signal);
        load.end(running).await;
        assert_eq!(process.wait().code(), Some(0), "{signal:?}");
        // The last checkpoint moved the log into the database.
        let wal = folder.path().join("log.db-wal");
        assert_eq!(std::fs::metadata(wal).map_or(0, |file| file.len()), 0);
        process = Process::start(folder.path());
        load.check(&process.client, false).await;
        load.retry(&process.client).await;
    }
    load.check(&process.client, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let folder = TempDir::new().unwrap();
    let patient = command(folder.path(), &["--drain-delay-secs=60"]);
    let process = Process::run(patient, folder.path());
    process.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(process.client.get("/ready").await.status, 503);
    let started = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Process 1 has no default signal handlers. Only root may make it one; an ordinary user has
/// tested the same signals above.
#[tokio::test(flavor = "multi_thread")]
async fn process_1_of_a_container_ends_by_sigterm() {
    let unshare = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let allowed = Command::new("unshare").args(unshare).arg("true").output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("not tested: process 1 needs root and unshare");
        return;
    }
    let folder = TempDir::new().unwrap();
    let serve = command(folder.path(), &[]);
    let mut contained = Command::new("unshare");
    contained.args(unshare).arg(serve.get_program()).args(serve.get_args());
    contained.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    contained.stderr(std::process::Stdio::piped());
    let process = Process::run(contained, folder.path());
    let load = Load::new(&process.client).await;
    process.client.ingest(&load.agents[0].events(2)).await;
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let first = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    send(first, Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
    let again = Process::start(folder.path());
    assert_eq!(again.client.head_sequence(load.agents[0].stream).await, 2);
}
