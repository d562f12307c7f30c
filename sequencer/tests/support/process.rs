//! The sequencer as a child process; killed when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{Client, connections};

/// Longest wait for a start or an end.
const LIMIT: Duration = Duration::from_secs(20);

/// A running sequencer.
pub(crate) struct Process {
    child: Child,
    pub(crate) client: Client,
    /// The same client of the operations port.
    #[allow(dead_code, reason = "not every test binary asks it")]
    pub(crate) operations: Client,
}

/// `sequencer serve` over the store in a folder, on free ports, with these further flags.
pub(crate) fn command(folder: &Path, flags: &[&str]) -> Command {
    command_over(&format!("sqlite://{}/log.db", folder.display()), folder, flags)
}

/// The same over this database, with its keys in the folder.
pub(crate) fn command_over(database_url: &str, folder: &Path, flags: &[&str]) -> Command {
    let mut command = sequencer(&["serve"]);
    let defaults = ["--min-free-disk-bytes=0", "--committer-max-events=50"];
    let name = |flag: &str| flag.split('=').next().map(str::to_owned);
    let given = |default: &&str| flags.iter().any(|flag| name(flag) == name(default));
    command
        .args(["--host=127.0.0.1", "--port=0", "--ops-host=127.0.0.1", "--ops-port=0"])
        .arg(format!("--database-url={database_url}"))
        .arg(format!("--data-dir={}", folder.display()))
        .args(defaults.iter().filter(|default| !given(default)))
        .args(["--committer-max-wait-secs=1"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The program with these arguments and nothing of this environment.
pub(crate) fn sequencer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sequencer"));
    command
        .args(arguments)
        .env_clear()
        // Where a coverage run collects what its children reach.
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
    command
}

impl Process {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::run(command(folder, &[]), folder)
    }

    /// Starts a command and waits until it serves.
    pub(crate) fn run(mut command: Command, folder: &Path) -> Self {
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        // Reads to the end, or the child would block on a full pipe.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let deadline = Instant::now() + LIMIT;
        let mut seen = Vec::new();
        let (api, operations) = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                let _ = child.kill();
                panic!("it does not serve: {seen:?}");
            };
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "serving" {
                let at = |port: &str| format!("http://{}", entry[port].as_str().unwrap());
                break (at("api"), at("operations"));
            }
            seen.push(line);
        };
        let key = std::fs::read_to_string(folder.join("bootstrap.key")).unwrap();
        let client = Client { base: api, key, http: connections() };
        let operations = Client { base: operations, ..client.clone() };
        Self { child, client, operations }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(crate) fn send(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
}
