//! Sequencer processes on one PostgreSQL.

use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;

use crate::process::{Process, sequencer};

/// What every replica of one sequencer is told.
const KEY: &str = "ss_00000000rootrootrootrootrootrootroot";
const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// Starts one on free ports, with these further flags.
pub(crate) fn start(folder: &Path, database_url: &str, flags: &[&str]) -> Process {
    // Where a process of tests finds its key.
    std::fs::write(folder.join("bootstrap.key"), KEY).unwrap();
    let mut command = sequencer(&["serve"]);
    command
        .args(["--host=127.0.0.1", "--port=0", "--ops-host=127.0.0.1", "--ops-port=0"])
        .args(["--bootstrap-admin-api-key", KEY, "--ves-sequencer-signing-key", SEED])
        .args(["--database-url", database_url])
        .args([format!("--data-dir={}", folder.display())])
        .args(["--committer-max-events=50", "--committer-max-wait-secs=1"])
        .args(flags)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    Process::run(command, folder)
}

/// Address of its API.
pub(crate) fn address(process: &Process) -> SocketAddr {
    process.client.base.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Ends it in order; it must end with 0.
pub(crate) async fn stop(process: Process) {
    process.signal(Signal::TERM);
    let ended = tokio::task::spawn_blocking(move || process.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
}
