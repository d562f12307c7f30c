//! A process of a container: it ends by itself, by `SIGTERM`, or with whoever started it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Lines of its log that a failing test shows.
const SHOWN_LINES: usize = 40;

/// A running process and its log.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts this command; what it says goes to the end of this file.
    pub(super) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end, as the kubelet does.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn terminate(&mut self) {
        assert!(self.is_running(), "it has ended already");
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that takes longer than this.
    pub async fn end(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < limit, "no end after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[expect(clippy::print_stderr, reason = "the test harness shows it when the test fails")]
    fn show(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        eprintln!("end of {}:\n{}", self.log.display(), last.join("\n"));
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.show();
        }
    }
}
