//! The sequencer as a child process; killed when dropped.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use testbed::program::Running;

use crate::client::{Client, connections};

/// A running sequencer.
pub(crate) struct Process {
    running: Running,
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
    pub(crate) fn run(command: Command, folder: &Path) -> Self {
        let (running, serving) = Running::start(command);
        let at = |port: &str| format!("http://{}", serving[port].as_str().unwrap());
        let key = std::fs::read_to_string(folder.join("bootstrap.key")).unwrap();
        let client = Client { base: at("api"), key, http: connections() };
        let operations = Client { base: at("operations"), ..client.clone() };
        Self { running, client, operations }
    }

    /// kill -9.
    pub(crate) fn kill(self) {
        self.running.kill();
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Waits for the end.
    pub(crate) fn wait(self) -> ExitStatus {
        self.running.wait()
    }
}

/// Sends a signal to one process.
pub(crate) fn send(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
}
