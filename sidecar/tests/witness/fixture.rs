//! A stack whose witness is quick, ways to change the store behind the sequencer's back, and what
//! the sidecar's command says.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::program::{bare, program};
use crate::stack::{Sequencer, Sidecar, Stack, database_file};
use crate::writer::Writer;

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// Quick timers, and nobody else who writes.
pub(crate) const QUICK: &[&str] =
    &["--canary=false", "--witness-poll-secs=0.1", "--witness-audit-events-per-second=100000"];

/// A stack with one stream.
pub(crate) struct Watched {
    pub(crate) stack: Stack,
    pub(crate) writer: Writer,
}

impl Watched {
    /// With this many events, committed, and followed to the end.
    pub(crate) async fn with_events(count: usize) -> Self {
        let stack = Stack::start(QUICK);
        let writer = Writer::register(&stack.sequencer).await;
        let new = Self { stack, writer };
        new.post(count).await;
        new.wait_until_committed(count as u64).await;
        new.wait_until_audited().await;
        new.assert_open(&[]);
        new
    }

    /// Posts events and waits until they are verified.
    pub(crate) async fn post(&self, count: usize) {
        let head = self.writer.post(count).await["headSequence"].as_f64().unwrap();
        self.wait_until_verified(head).await;
    }

    pub(crate) async fn wait_until_verified(&self, head: f64) {
        let series = self.verified_series();
        self.sidecar().wait_for(&series, LIMIT, |verified| verified >= head).await;
    }

    pub(crate) fn verified_series(&self) -> String {
        let stream = self.writer.agent.stream;
        let (tenant, store) = (stream.tenant_id, stream.store_id);
        format!(
            "stateset_sidecar_witness_verified_sequence{{store=\"{store}\",tenant=\"{tenant}\"}}"
        )
    }

    /// Waits until the checkpoint holds a commitment up to this number.
    pub(crate) async fn wait_until_committed(&self, end: u64) {
        let started = Instant::now();
        let sql =
            "SELECT CAST(json_extract(commitment, '$.sequence_end') AS TEXT) FROM checkpoints";
        loop {
            let found = value(&self.memory_file(), sql).await;
            if found.as_deref() == Some(end.to_string().as_str()) {
                return;
            }
            assert!(started.elapsed() < LIMIT, "{found:?} is committed, not {end}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a pass over the whole history that began after this call has ended.
    pub(crate) async fn wait_until_audited(&self) {
        audited(self.sidecar()).await;
    }

    pub(crate) fn sidecar(&self) -> &Sidecar {
        &self.stack.sidecar
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_file(self.stack.folder.path())
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        state_dir(self.stack.folder.path())
    }

    pub(crate) fn memory_file(&self) -> PathBuf {
        self.state_dir().join("witness.db")
    }

    /// Waits until exactly these kinds are open, each at least once.
    pub(crate) async fn wait_until_open(&self, kinds: &[&str]) {
        wait_until_open(&self.state_dir(), kinds).await;
    }

    pub(crate) fn assert_open(&self, kinds: &[&str]) {
        assert_eq!(open_kinds(&self.state_dir()), kinds, "{:#}", listed(&self.state_dir()));
    }

    /// Acknowledges everything and waits until the running sidecar knows.
    pub(crate) async fn acknowledge_all(&self) {
        acknowledge_all(&self.state_dir());
        for kind in ves::ViolationKind::ALL {
            let series = open_series(kind.as_str());
            self.sidecar().wait_for(&series, LIMIT, |open| open == 0.0).await;
        }
    }

    /// Stops the sidecar and starts it again over the same memory.
    pub(crate) fn restart_sidecar(self, kill: bool) -> Self {
        let Self { stack: Stack { folder, sequencer, sidecar }, writer } = self;
        if kill {
            sidecar.running.kill();
        } else {
            assert!(sidecar.running.stop().success());
        }
        let sidecar = start_sidecar(folder.path(), &sequencer);
        Self { stack: Stack { folder, sequencer, sidecar }, writer }
    }
}

pub(crate) fn start_sidecar(folder: &Path, sequencer: &Sequencer) -> Sidecar {
    Sidecar::start(folder, &sequencer.url, &sequencer.operations_url, QUICK)
}

pub(crate) fn state_dir(folder: &Path) -> PathBuf {
    folder.join("sidecar")
}

pub(crate) fn open_series(kind: &str) -> String {
    format!("stateset_sidecar_witness_open_violations{{kind=\"{kind}\"}}")
}

pub(crate) async fn audited(sidecar: &Sidecar) {
    let completed = "stateset_sidecar_witness_audit_completed_timestamp_seconds";
    // The pass under way may have begun before.
    for _ in 0..2 {
        let before = sidecar.sample(completed).await.unwrap_or(0.0);
        sidecar.wait_for(completed, LIMIT, |now| now > before).await;
    }
}

pub(crate) async fn wait_until_open(state_dir: &Path, kinds: &[&str]) {
    let started = Instant::now();
    while open_kinds(state_dir) != kinds {
        let found = listed(state_dir);
        assert!(started.elapsed() < LIMIT, "{kinds:?} is not what is open: {found:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The kinds of open violations, each once, in alphabetical order.
pub(crate) fn open_kinds(state_dir: &Path) -> Vec<String> {
    let listed = listed(state_dir);
    let kinds = listed.as_array().unwrap().iter();
    let mut kinds: Vec<String> = kinds.map(|v| v["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

pub(crate) fn listed(state_dir: &Path) -> Value {
    let output = command(state_dir, &["list", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn acknowledge_all(state_dir: &Path) {
    for violation in listed(state_dir).as_array().unwrap() {
        let id = violation["id"].as_str().unwrap();
        let output = command(state_dir, &["acknowledge", id, "--reason", "the test mended it"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// `sidecar witness …` over a state folder.
pub(crate) fn command(state_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = bare(&program("sidecar"));
    command.arg("witness").args(arguments).arg("--sidecar-state-dir").arg(state_dir);
    command.stdout(std::process::Stdio::piped()).output().unwrap()
}

/// Changes a database that others have open.
pub(crate) async fn execute(database: &Path, sql: &str) {
    let mut connection = connect(database).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A text in a database.
pub(crate) async fn value(database: &Path, sql: &str) -> Option<String> {
    let mut connection = connect(database).await;
    let found: Option<Option<String>> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_optional(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found.flatten()
}

async fn connect(database: &Path) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new();
    let options = options.filename(database).foreign_keys(false).busy_timeout(LIMIT);
    options.connect().await.unwrap()
}
