//! The sequencer's process from outside: found, followed over a restart, and gone when it is gone.

use std::time::Duration;

use crate::stack::{Sequencer, Sidecar, Stack, sample_of};
use crate::watch::QUICK;

const SECONDS: Duration = Duration::from_secs(10);
const RESIDENT: &str = "stateset_sidecar_sequencer_resident_memory_bytes";
const START: &str = "stateset_sidecar_sequencer_start_timestamp_seconds";
const RESTARTS: &str = "stateset_sidecar_sequencer_restarts_total";
const CPU: &str = "stateset_sidecar_sequencer_cpu_seconds_total";

/// The figures that come and go with the process.
const OF_THE_PROCESS: [&str; 5] = [
    RESIDENT,
    START,
    "stateset_sidecar_sequencer_open_file_descriptors",
    "stateset_sidecar_sequencer_file_descriptor_limit",
    "stateset_sidecar_sequencer_threads",
];

#[tokio::test]
async fn a_process_is_found_by_its_port_and_followed_over_a_restart() {
    let stack = Stack::start(&QUICK);
    stack.sidecar.wait_for(RESIDENT, SECONDS, |bytes| bytes > 1e6).await;
    let scrape = stack.sidecar.get("/metrics").await.text;
    let value = |name: &str| sample_of(&scrape, name).unwrap_or_else(|| panic!("no {name}"));
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!((unix.as_secs_f64() - value(START)).abs() < 60.0, "it was started just now");
    assert!(OF_THE_PROCESS.iter().all(|name| value(name) > 0.0), "{scrape}");
    assert_eq!(value(RESTARTS), 0.0, "the first process is no restart");
    let cpu = value(CPU);

    let ports = (stack.sequencer.port(), stack.sequencer.operations_port());
    stack.sequencer.running.kill();
    stack.sidecar.wait_until_absent(RESIDENT).await;
    let scrape = stack.sidecar.get("/metrics").await.text;
    for name in OF_THE_PROCESS {
        assert_eq!(sample_of(&scrape, name), None, "a dead process has no {name}");
    }
    let ports = [format!("--port={}", ports.0), format!("--ops-port={}", ports.1)];
    let _again = Sequencer::start(stack.folder.path(), &ports.each_ref().map(String::as_str));
    stack.sidecar.wait_for(RESTARTS, SECONDS, |restarts| restarts >= 1.0).await;
    assert_eq!(stack.sidecar.sample(RESTARTS).await, Some(1.0));
    assert!(stack.sidecar.sample(CPU).await.unwrap() >= cpu, "CPU time never goes back");
}

#[tokio::test]
async fn a_process_is_found_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let file = folder.path().join("sequencer.pid");
    std::fs::write(&file, format!("{}\n", sequencer.running.id())).unwrap();
    let flag = format!("--sequencer-pid-file={}", file.display());
    let flags = [&QUICK[..], &[&flag]].concat();
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations, &flags);
    sidecar.wait_for(RESIDENT, SECONDS, |bytes| bytes > 1e6).await;
    std::fs::write(&file, "1999999999").unwrap();
    sequencer.running.kill();
    sidecar.wait_until_absent(RESIDENT).await;
}

#[tokio::test]
async fn the_machine_and_the_disk_are_shown() {
    let stack = Stack::start(&QUICK);
    stack.sidecar.wait_for(RESIDENT, SECONDS, |bytes| bytes > 1e6).await;
    let scrape = stack.sidecar.get("/metrics").await.text;
    let value = |name: &str| {
        let name = format!("stateset_sidecar_{name}");
        sample_of(&scrape, &name).unwrap_or_else(|| panic!("no {name}"))
    };
    let disk = rustix::fs::statvfs(stack.folder.path()).unwrap();
    assert_eq!(value("disk_total_bytes"), (disk.f_blocks * disk.f_frsize) as f64);
    let (used, available) = (value("disk_used_bytes"), value("disk_available_bytes"));
    assert!((value("disk_used_ratio") - used / (used + available)).abs() < 1e-9);
    let total = value("system_memory_total_bytes");
    assert!((1.0..=total).contains(&value("system_memory_available_bytes")));
    assert!((1.0..=total).contains(&value("cgroup_memory_bytes")));
    assert!((1.0..=total).contains(&value("cgroup_memory_limit_bytes")));
}
