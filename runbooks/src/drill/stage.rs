//! The real components of one drill, and the load on them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use testbed::alertmanager::Alertmanager;
use testbed::clock::Clock;
use testbed::disk::SmallDisk;
use testbed::postgres::Postgres;
use testbed::program::{free_port, program};
use testbed::prometheus::Prometheus;
use testbed::receiver::Receiver;
use testbed::stack::{ADMIN_KEY, SIDECAR_KEY, Sequencer, Sidecar, sqlite_url};
use testbed::tls::certificate;

use super::configuration::{scrape_config, start_alertmanager, write_rules};
use super::load::Load;
use super::setting::{Setting, Store};
use crate::shell::Variables;

/// The sidecar in fast motion: its timers scale as scrapes do. Batches are verified as they come.
const SIDECAR: [&str; 8] = [
    "--check-interval-secs=0.6",
    "--check-timeout-secs=0.5",
    "--system-interval-secs=1",
    "--canary-interval-secs=1",
    "--canary-commit-timeout-secs=4",
    "--witness-poll-secs=0.3",
    "--witness-audit-events-per-second=100000",
    "--sidecar-port=0",
];
/// The timers of a drill at real speed: the defaults.
const REAL_TIME_TIMERS: [&str; 3] =
    ["--check-interval-secs=10", "--canary-interval-secs=15", "--witness-poll-secs=1"];

/// All of it; everything ends when it is dropped.
pub struct Stage {
    /// What it was started with.
    pub setting: Setting,
    /// Background load.
    pub load: Load,
    /// Sequencers, none where one is dead.
    pub sequencers: Vec<Option<Sequencer>>,
    /// The sidecar, unless it is dead.
    pub sidecar: Option<Sidecar>,
    /// Ports of the API and of operations, of each sequencer; they outlive the process.
    pub ports: Vec<(u16, u16)>,
    /// The sidecar's port.
    pub sidecar_port: u16,
    /// Scrapes and evaluates.
    pub prometheus: Prometheus,
    /// Tells, unless it is dead.
    pub alertmanager: Option<Alertmanager>,
    /// Is told.
    pub receiver: Receiver,
    /// The database, and its standby.
    pub postgres: Option<(Postgres, Option<Postgres>)>,
    /// The small disk, if events are on one.
    pub disk: Option<SmallDisk>,
    /// The sequencer's clock, if it can be set.
    pub clock: Option<Clock>,
    /// Where the events are.
    pub database_url: String,
    /// The key that the sidecar shows.
    pub sidecar_key: String,
    /// Asks anything.
    pub http: reqwest::Client,
    folder: TempDir,
}

impl Stage {
    /// Starts all of it.
    ///
    /// # Errors
    /// When the rules cannot be written. What does not start panics.
    pub async fn start(setting: Setting) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        let folder = tempfile::Builder::new().prefix("drill-").tempdir()?;
        for name in ["store", "data", "alertmanager", "rules"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        let (disk, postgres, database_url) = store(setting, folder.path()).await?;
        let clock = setting.clock.then(|| Clock::in_folder(folder.path()));
        let mut sequencers = Vec::new();
        for _ in 0..setting.sequencers {
            let command = serve(&setting, folder.path(), &database_url, &[], None);
            sequencers.push(Some(run(command, clock.as_ref())));
        }
        let ports: Vec<(u16, u16)> =
            sequencers.iter().flatten().map(|s| (s.port(), s.operations_port())).collect();
        let receiver = Receiver::start().await;
        write_rules(&setting, &folder.path().join("rules"))?;
        let alertmanager = start_alertmanager(&setting, folder.path(), receiver.port())?;
        let sidecar_port = free_port();
        let config =
            scrape_config(&setting, folder.path(), &alertmanager, &ports, sidecar_port, None)?;
        let prometheus = Prometheus::start(&config);
        let load =
            Load::start(folder.path(), ports.last().map_or(0, |ports| ports.0), setting.rate)?;
        let mut stage = Self {
            setting,
            load,
            sequencers,
            sidecar: None,
            ports,
            sidecar_port,
            prometheus,
            alertmanager: Some(alertmanager),
            receiver,
            postgres,
            disk,
            clock,
            database_url,
            sidecar_key: SIDECAR_KEY.to_owned(),
            http,
            folder,
        };
        stage.start_sidecar(&[]);
        Ok(stage)
    }

    /// Folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder, for somebody to look at.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let Self { folder, sidecar, sequencers, prometheus, .. } = self;
        let path = folder.keep();
        let log = |name: &str, lines: Vec<Value>| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            // The drill has failed already; a log less is no reason to say so again.
            let _ = std::fs::write(path.join(name), text);
        };
        for (place, sequencer) in sequencers.iter().enumerate() {
            let lines = sequencer.as_ref().map(|s| s.running.log()).unwrap_or_default();
            log(&format!("sequencer-{place}.log"), lines);
        }
        log("sidecar.log", sidecar.map(|s| s.running.log()).unwrap_or_default());
        let _ = std::fs::copy(prometheus.log(), path.join("prometheus.log"));
        path
    }

    /// What a page's commands see.
    #[must_use]
    pub fn variables(&self) -> Variables {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let (api, operations) = self.ports.first().copied().unwrap_or_default();
        let programs = program("sidecar").parent().map(Path::to_path_buf).unwrap_or_default();
        let path = std::env::var("PATH").unwrap_or_default();
        [
            ("SEQUENCER_URL", at(api)),
            ("OPS_URL", at(operations)),
            ("SIDECAR_URL", at(self.sidecar_port)),
            ("PROMETHEUS_URL", self.prometheus.url()),
            ("DATABASE_URL", self.database_url.clone()),
            ("SIDECAR_STATE_DIR", self.state_dir().display().to_string()),
            ("PATH", format!("{}:{path}", programs.display())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("sidecar")
    }

    /// Folder that the sidecar watches as the sequencer's.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        match &self.disk {
            Some(disk) => disk.path().to_path_buf(),
            None => self.folder.path().join("data"),
        }
    }

    /// A running sequencer.
    ///
    /// # Errors
    /// When it is dead.
    pub fn sequencer(&self, place: usize) -> anyhow::Result<&Sequencer> {
        let found = self.sequencers.get(place).and_then(Option::as_ref);
        found.context("the sequencer does not run")
    }

    /// Starts a sequencer where it was, with more flags.
    pub fn start_sequencer(&mut self, place: usize, flags: &[&str]) {
        let ports = Some(self.ports[place]);
        let (setting, folder) = (self.setting, self.folder.path());
        let command = serve(&setting, folder, &self.database_url, flags, ports);
        self.sequencers[place] = Some(run(command, self.clock.as_ref()));
    }

    /// Stops a sequencer in order and starts it with more flags.
    ///
    /// # Errors
    /// When it does not end.
    pub fn restart_sequencer(&mut self, flags: &[&str]) -> anyhow::Result<()> {
        let old = self.sequencers[0].take().context("the sequencer does not run")?;
        let status = old.running.stop();
        anyhow::ensure!(status.success(), "the sequencer ended with {status}");
        self.start_sequencer(0, flags);
        Ok(())
    }

    /// Starts the sidecar on its port, with more flags.
    pub fn start_sidecar(&mut self, flags: &[&str]) {
        self.sidecar = None;
        let canary_key =
            if self.setting.own_canary_key { ADMIN_KEY } else { self.sidecar_key.as_str() };
        let own = [
            format!("--sidecar-port={}", self.sidecar_port),
            format!("--data-dir={}", self.data_dir().display()),
            format!("--database-url={}", self.database_url),
            format!("--sequencer-api-key={}", self.sidecar_key),
            format!("--canary-api-key={canary_key}"),
            format!("--tls-certificates={}", self.certificate().unwrap_or_default()),
        ];
        let keeps =
            |flag: &&String| self.setting.certificate_days.is_some() || !flag.contains("tls-");
        let own: Vec<&str> = own.iter().filter(keeps).map(String::as_str).collect();
        let timers: &[&str] =
            if self.setting.scale == 1 { &REAL_TIME_TIMERS } else { &SIDECAR[..] };
        let all = joined(&[timers, self.setting.sidecar, &own, flags]);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (api, operations) = self.ports[0];
        let folder = self.folder.path();
        self.sidecar = Some(Sidecar::start(folder, &url(api), &url(operations), &all));
    }

    /// The certificate that the sidecar watches, if there is one.
    fn certificate(&self) -> Option<String> {
        let days = self.setting.certificate_days?;
        let there = self.folder.path().join("tls.crt");
        if there.exists() {
            return Some(there.display().to_string());
        }
        Some(certificate(self.folder.path(), days))
    }

    /// Lets a job be scraped where something else answers, or where it should.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn scrape_elsewhere(&self, job: Option<usize>) -> anyhow::Result<()> {
        let alertmanager = self.alertmanager.as_ref().context("no Alertmanager runs")?;
        let (folder, ports) = (self.folder.path(), &self.ports);
        let setting = &self.setting;
        let config = scrape_config(setting, folder, alertmanager, ports, self.sidecar_port, job)?;
        self.prometheus.reload(&config);
        Ok(())
    }

    /// Starts the dead Alertmanager again.
    pub fn start_alertmanager_again(&mut self, port: u16) {
        let folder = self.folder.path().join("alertmanager");
        self.alertmanager = Some(Alertmanager::start_at(port, &folder));
    }

    /// A connection to the database, under a name that others see.
    ///
    /// # Errors
    /// When it is not PostgreSQL, or does not answer.
    pub async fn database(&self, application: &str) -> anyhow::Result<PgConnection> {
        let separator = if self.database_url.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}application_name={application}", self.database_url);
        PgConnection::connect(&url).await.context("the database does not answer")
    }

    /// Asks the first sequencer's API as its platform.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[0].0);
        let mut request = self.http.request(method.parse()?, url);
        request = request.header("authorization", format!("ApiKey {ADMIN_KEY}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.json().await.unwrap_or_default())
    }
}

/// Flags in order; a later one of the same name replaces an earlier one.
fn joined(lists: &[&[&str]]) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for flag in lists.iter().copied().flatten() {
        let name = flag.split('=').next().unwrap_or(flag);
        flags.retain(|other| other.split('=').next() != Some(name));
        flags.push((*flag).to_owned());
    }
    flags
}

type Databases = Option<(Postgres, Option<Postgres>)>;

/// Where events go.
async fn store(
    setting: Setting,
    folder: &Path,
) -> anyhow::Result<(Option<SmallDisk>, Databases, String)> {
    match setting.store {
        Store::Embedded => Ok((None, None, sqlite_url(&folder.join("store")))),
        Store::SmallDisk(mib) => {
            let disk = SmallDisk::mount_on(&folder.join("store"), mib);
            let url = sqlite_url(disk.path());
            Ok((Some(disk), None, url))
        }
        Store::Postgres | Store::PostgresWithStandby => {
            let settings = |_: &Path| vec!["wal_level=replica".to_owned()];
            let server = Postgres::start_with(&[], settings);
            let url = server.database().await;
            let standby = (setting.store == Store::PostgresWithStandby).then(|| server.standby());
            Ok((None, Some((server, standby)), url))
        }
    }
}

fn serve(
    setting: &Setting,
    folder: &Path,
    database_url: &str,
    flags: &[&str],
    ports: Option<(u16, u16)>,
) -> Command {
    let ports = ports.map(|(api, ops)| [format!("--port={api}"), format!("--ops-port={ops}")]);
    let ports: Vec<&str> = ports.iter().flatten().map(String::as_str).collect();
    let all = joined(&[setting.sequencer, &ports, flags]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Sequencer::command(database_url, &folder.join("data"), &all)
}

fn run(mut command: Command, clock: Option<&Clock>) -> Sequencer {
    if let Some(clock) = clock {
        clock.show(&mut command);
    }
    Sequencer::run(command)
}

/// Whether this user may mount disks and make control groups.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
