//! Background load: the load generator, started again whenever it gives a dead target up.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use testbed::program::{bare, program};
use testbed::stack::ADMIN_KEY;

const PROFILE: &str = include_str!("load.toml");
/// Between two looks whether it still runs, and is still wanted.
const PAUSE: Duration = Duration::from_millis(100);

/// A running load; it ends when dropped.
pub struct Load {
    folder: PathBuf,
    port: u16,
    rate: u32,
    /// Whether it is to end, and who sees to it.
    supervisor: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Load {
    /// Sends so many requests a second to the API on this port.
    ///
    /// # Errors
    /// When the profile cannot be written.
    pub fn start(folder: &Path, port: u16, rate: u32) -> std::io::Result<Self> {
        std::fs::write(folder.join("load.toml"), PROFILE)?;
        let mut load = Self { folder: folder.into(), port, rate, supervisor: None };
        load.resume();
        Ok(load)
    }

    /// Goes on after [`Self::stop`].
    pub fn resume(&mut self) {
        let mut command = self.command();
        let told = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&told);
        let supervisor = std::thread::spawn(move || {
            let mut running: Option<Child> = None;
            while !stop.load(Ordering::Relaxed) {
                let runs = running.as_mut().is_some_and(|run| matches!(run.try_wait(), Ok(None)));
                if !runs {
                    running = command.spawn().ok();
                }
                std::thread::sleep(PAUSE);
            }
            if let Some(mut run) = running {
                let _ = run.kill();
                let _ = run.wait();
            }
        });
        self.supervisor = Some((told, supervisor));
    }

    fn command(&self) -> Command {
        let mut command = bare(&program("loadgen"));
        command
            .arg("run")
            .arg(self.folder.join("load.toml"))
            .arg(format!("--url=http://127.0.0.1:{}", self.port))
            .arg(format!("--rate={}", self.rate))
            .args(["--metrics-port=0", "--quiet"])
            .arg("--out")
            .arg(self.folder.join("load"))
            .env("SEQUENCER_API_KEY", ADMIN_KEY)
            .stderr(Stdio::null());
        command
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some((told, supervisor)) = self.supervisor.take() {
            told.store(true, Ordering::Relaxed);
            let _ = supervisor.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}
