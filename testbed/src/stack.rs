//! A real sequencer and a real sidecar beside it, on free ports, in a folder of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Running, bare, program};

/// The platform's key.
pub const ADMIN_KEY: &str = "ss_00000000rootrootrootrootrootrootroot";
/// The sidecar's key.
pub const SIDECAR_KEY: &str = "ss_00000000sidesidesidesidesidesideside";
/// Seed of the receipt key.
const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// A running sequencer and where it is.
pub struct Sequencer {
    /// The process.
    pub running: Running,
    /// Base URL of the API.
    pub url: String,
    /// Base URL of the operations port.
    pub operations_url: String,
}

impl Sequencer {
    /// Starts one over the store `log.db` in a folder, with these further flags.
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::start_over(&sqlite_url(folder), folder, flags)
    }

    /// The same over this database.
    pub fn start_over(database_url: &str, folder: &Path, flags: &[&str]) -> Self {
        Self::run(Self::command(database_url, folder, flags))
    }

    /// The command that starts one.
    pub fn command(database_url: &str, folder: &Path, flags: &[&str]) -> Command {
        let defaults = [
            "--port=0".to_owned(),
            "--ops-port=0".to_owned(),
            "--min-free-disk-bytes=0".to_owned(),
            "--committer-max-wait-secs=1".to_owned(),
            format!("--database-url={database_url}"),
            format!("--data-dir={}", folder.display()),
            format!("--bootstrap-admin-api-key={ADMIN_KEY}"),
            format!("--bootstrap-sidecar-api-key={SIDECAR_KEY}"),
            format!("--ves-sequencer-signing-key={SEED}"),
        ];
        let mut command = bare(&program("sequencer"));
        command.arg("serve").args(with_flags(&defaults, flags));
        command
    }

    /// Starts this command.
    pub fn run(command: Command) -> Self {
        let (running, serving) = Running::start(command);
        let at = |port: &str| format!("http://{}", serving[port].as_str().unwrap());
        Self { running, url: at("api"), operations_url: at("operations") }
    }

    /// Its API's port, to start the next one in its place.
    pub fn port(&self) -> u16 {
        port_of(&self.url)
    }

    /// Its operations port.
    pub fn operations_port(&self) -> u16 {
        port_of(&self.operations_url)
    }
}

/// A running sidecar and where it is.
pub struct Sidecar {
    /// The process.
    pub running: Running,
    /// Its base URL.
    pub url: String,
    http: reqwest::Client,
}

/// An answer of the sidecar.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Sidecar {
    /// Starts one that watches these URLs and keeps its state in `sidecar` below a folder; quick
    /// timers, so that tests need not wait; further flags replace these.
    pub fn start(folder: &Path, url: &str, operations_url: &str, flags: &[&str]) -> Self {
        Self::run(Self::command(folder, url, operations_url, flags))
    }

    /// The command that starts one.
    pub fn command(folder: &Path, url: &str, operations_url: &str, flags: &[&str]) -> Command {
        let defaults = [
            "--sidecar-port=0".to_owned(),
            format!("--sequencer-url={url}"),
            format!("--sequencer-ops-url={operations_url}"),
            format!("--sequencer-api-key={SIDECAR_KEY}"),
            format!("--sidecar-state-dir={}", folder.join("sidecar").display()),
            "--check-interval-secs=0.5".to_owned(),
            "--system-interval-secs=0.5".to_owned(),
            "--canary-interval-secs=2".to_owned(),
        ];
        let mut command = bare(&program("sidecar"));
        command.args(with_flags(&defaults, flags));
        command
    }

    /// Starts this command.
    pub fn run(command: Command) -> Self {
        let (running, serving) = Running::start(command);
        let url = format!("http://{}", serving["address"].as_str().unwrap());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { running, url, http }
    }

    /// Asks for a path.
    pub async fn get(&self, path: &str) -> Answer {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        Answer { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
    }

    /// The bytes of a good answer.
    pub async fn get_bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    /// A sample of the scrape by its text before the value, if it is there.
    pub async fn sample(&self, series: &str) -> Option<f64> {
        let scrape = self.get("/metrics").await.text;
        sample_of(&scrape, series)
    }

    /// Waits until a series has left the scrape.
    pub async fn wait_until_absent(&self, series: &str) {
        let started = Instant::now();
        while self.sample(series).await.is_some() {
            assert!(started.elapsed() < Duration::from_secs(10), "{series} is still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a sample is as wanted; gives how long that took.
    pub async fn wait_for(
        &self,
        series: &str,
        limit: Duration,
        wanted: impl Fn(f64) -> bool,
    ) -> Duration {
        let started = Instant::now();
        loop {
            let now = self.sample(series).await;
            if now.is_some_and(&wanted) {
                return started.elapsed();
            }
            let log = || self.running.log();
            assert!(started.elapsed() < limit, "{series} is {now:?} after {limit:?}: {:?}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Both, and their folder.
pub struct Stack {
    /// Its store, and what belongs to it.
    pub folder: TempDir,
    /// The sequencer.
    pub sequencer: Sequencer,
    /// The sidecar.
    pub sidecar: Sidecar,
}

impl Stack {
    /// Starts both; the sidecar knows the data folder and the store, and gets these further flags.
    pub fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sequencer = Sequencer::start(folder.path(), &[]);
        let own = [
            format!("--data-dir={}", folder.path().display()),
            format!("--database-url={}", sqlite_url(folder.path())),
        ];
        let flags: Vec<&str> =
            own.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        let sidecar =
            Sidecar::start(folder.path(), &sequencer.url, &sequencer.operations_url, &flags);
        Self { folder, sequencer, sidecar }
    }
}

/// The embedded store in a folder.
pub fn sqlite_url(folder: &Path) -> String {
    format!("sqlite://{}", database_file(folder).display())
}

/// Its file.
pub fn database_file(folder: &Path) -> PathBuf {
    folder.join("log.db")
}

/// A sample of a scrape by its text before the value.
pub fn sample_of(scrape: &str, series: &str) -> Option<f64> {
    let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    scrape.lines().find_map(value)
}

/// The defaults that no flag replaces, then the flags.
fn with_flags(defaults: &[String], flags: &[&str]) -> Vec<String> {
    let name = |flag: &str| flag.split('=').next().map(str::to_owned);
    let given = |default: &&String| flags.iter().any(|flag| name(flag) == name(default));
    let kept = defaults.iter().filter(|default| !given(default)).cloned();
    kept.chain(flags.iter().map(|flag| (*flag).to_owned())).collect()
}

/// The port of a URL that ends with it.
pub fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap()
}
