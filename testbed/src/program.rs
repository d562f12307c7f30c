//! Our programs and the tools as child processes; killed when dropped, by pid.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest wait for a start or an end.
const LIMIT: Duration = Duration::from_secs(30);
/// Lines of a program's log that are kept for a failing test.
const KEPT_LINES: usize = 2_000;

/// The program of ours that was built beside the running one.
///
/// # Panics
/// When it is not there: `cargo test -p sidecar` alone does not build the sequencer.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap();
    // A test is in `deps/`, a program one folder higher.
    let mut found = running.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    found
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not beside this program: `cargo build -p {name}`"))
}

/// A tool by the first of these names that is there: installed by `make tools`, or on PATH.
///
/// # Panics
/// When none is there.
#[must_use]
pub fn tool(names: &[&str]) -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        [installed].into_iter().chain(std::env::split_paths(&path)).collect();
    let files = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut found = files.filter(|file| file.is_file());
    found.next().unwrap_or_else(|| panic!("{} is missing: install it with `make tools`", names[0]))
}

/// A port of loopback that is free now.
#[must_use]
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command with nothing of this environment but where a coverage run collects.
pub fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A running program whose log is JSON lines.
pub struct Running {
    child: Child,
    /// What it has logged, newest last.
    log: Arc<Mutex<Vec<Value>>>,
}

impl Running {
    /// Starts a command and waits until it logs `serving`; gives that line too.
    pub fn start(mut command: Command) -> (Self, Value) {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        // Reads to the end, or the child would block on a full pipe.
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let entry = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < KEPT_LINES {
                    kept.push(entry.clone());
                }
                let _ = sender.send(entry);
            }
        });
        match wait_until_serving(&lines) {
            Ok(serving) => (Self { child, log }, serving),
            Err(seen) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("it does not serve: {seen:?}");
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits.
    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
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

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until_serving(lines: &Receiver<Value>) -> Result<Value, Vec<Value>> {
    let deadline = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(entry) = lines.recv_timeout(left) else { return Err(seen) };
        if entry["message"] == "serving" {
            return Ok(entry);
        }
        seen.push(entry);
    }
}
