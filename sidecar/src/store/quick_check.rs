//! The integrity check of the embedded store, run only when somebody asks for it:
//! `sidecar store quick-check`. It reads the whole file, so it runs in a process of its own, and
//! leaves its result in the state folder, where a running sidecar finds it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use ves::Timestamp;

use super::sqlite::beside;
use crate::clock;

/// What ends a check without a result.
#[derive(Clone, Copy)]
struct Limits {
    time: Duration,
    /// A check is a reader, and while it reads the write-ahead log cannot begin again.
    wal_bytes: u64,
}

/// Ten times what 25 million events take, and where the alert on a growing log begins.
const LIMITS: Limits = Limits { time: Duration::from_secs(600), wal_bytes: 256 << 20 };
/// Steps of the check between two looks at the limits: a few milliseconds.
const STEPS: i32 = 1_000;
/// Findings that are kept, and characters of each.
const MAX_FINDINGS: u32 = 10;
const MAX_FINDING_CHARACTERS: usize = 300;
const MAX_RESULT_BYTES: u64 = 64 << 10;
const RESULT: &str = "quick-check.json";
const LOCK: &str = "quick-check.lock";

/// How far a check has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuickCheckState {
    /// Nobody has asked for one.
    Never,
    /// It reads.
    Running,
    /// It found nothing.
    Sound,
    /// It found damage.
    Damaged,
    /// It has no result.
    Failed,
}

/// The last check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct QuickCheck {
    /// How far it has come.
    pub state: QuickCheckState,
    /// The same in words.
    pub reason: String,
    /// The database file.
    pub file: PathBuf,
    /// The first damages, in SQLite's words.
    pub findings: Vec<String>,
    /// When it began; none if there was none.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl QuickCheck {
    fn new(file: &Path, state: QuickCheckState, reason: &str) -> Self {
        let (findings, started_at, finished_at) = (Vec::new(), None, None);
        Self { state, reason: reason.into(), file: file.into(), findings, started_at, finished_at }
    }
}

/// The last check of a file, from the state folder.
pub(super) fn last(state_dir: &Path, file: &Path) -> QuickCheck {
    let never = || {
        let how = "nobody has asked for one: `sidecar store quick-check`";
        QuickCheck::new(file, QuickCheckState::Never, how)
    };
    let result = state_dir.join(RESULT);
    let failed = |reason: String| QuickCheck::new(file, QuickCheckState::Failed, &reason);
    let text = match fs::metadata(&result).map(|found| found.len()) {
        Ok(0..=MAX_RESULT_BYTES) => fs::read(&result).unwrap_or_default(),
        Ok(_) => return failed(format!("{} is too large", result.display())),
        Err(_) => return never(),
    };
    match serde_json::from_slice::<QuickCheck>(&text) {
        Ok(check) if check.file != file => never(),
        Ok(check) if check.state == QuickCheckState::Running && !is_held(state_dir) => QuickCheck {
            state: QuickCheckState::Failed,
            reason: "it was ended before it had a result".into(),
            ..check
        },
        Ok(check) => check,
        Err(error) => failed(format!("{} cannot be read: {error}", result.display())),
    }
}

/// Runs a check now and keeps its result.
///
/// # Errors
/// When it cannot run, another one runs, or the result cannot be kept.
pub(super) async fn run(state_dir: &Path, file: &Path) -> anyhow::Result<QuickCheck> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .with_context(|| format!("cannot create {} (SIDECAR_STATE_DIR)", state_dir.display()))?;
    let _lock = acquire(state_dir).await?;
    let mut check = QuickCheck::new(file, QuickCheckState::Running, "it reads the file");
    check.started_at = Some(clock::now());
    keep(state_dir, &check)?;
    match findings(file, LIMITS).await {
        Ok(findings) if findings.is_empty() => {
            (check.state, check.reason) = (QuickCheckState::Sound, "it found nothing wrong".into());
        }
        Ok(findings) => {
            let advice = "stop the sequencer and restore a backup";
            check.reason = format!("the file is damaged: {}; {advice}", findings.join("; "));
            (check.state, check.findings) = (QuickCheckState::Damaged, findings);
        }
        Err(error) => {
            (check.state, check.reason) = (QuickCheckState::Failed, format!("{error:#}"));
        }
    }
    check.finished_at = Some(clock::now());
    keep(state_dir, &check)?;
    Ok(check)
}

/// What `PRAGMA quick_check` finds within limits; nothing is good.
async fn findings(file: &Path, limits: Limits) -> anyhow::Result<Vec<String>> {
    for beside_it in ["-wal", "-shm"] {
        // SQLite would make them, and a reader cannot remove them again.
        ensure!(
            beside(file, beside_it).exists(),
            "no sequencer has {} open; start it, or run `sequencer verify`",
            file.display()
        );
    }
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(Duration::from_secs(1))
        .disable_statement_logging()
        .connect()
        .await
        .with_context(|| format!("cannot open {}", file.display()))?;
    let found = within(&mut connection, file, limits).await;
    let _ = connection.close().await;
    found
}

async fn within(
    connection: &mut SqliteConnection,
    file: &Path,
    limits: Limits,
) -> anyhow::Result<Vec<String>> {
    let (deadline, wal) = (Instant::now() + limits.time, beside(file, "-wal"));
    let wal_bytes = move || fs::metadata(&wal).map_or(0, |found| found.len());
    // One that is large already is not the check's doing.
    let most = wal_bytes().max(limits.wal_bytes);
    let meanwhile = wal_bytes.clone();
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || Instant::now() < deadline && meanwhile() <= most);
    let asked = sqlx::AssertSqlSafe(format!("PRAGMA quick_check({MAX_FINDINGS})"));
    let rows: Result<Vec<String>, _> = sqlx::query_scalar(asked).fetch_all(connection).await;
    let rows = match rows {
        Err(_) if wal_bytes() > most => bail!(
            "it was ended, because the write-ahead log grew to {} MiB meanwhile; \
             ask for it when less is written",
            wal_bytes() >> 20
        ),
        Err(_) if Instant::now() >= deadline => {
            bail!("it had no result after {:.0} s and was ended", limits.time.as_secs_f64())
        }
        rows => rows.context("SQLite cannot read the file")?,
    };
    let shown = |row: String| row.chars().take(MAX_FINDING_CHARACTERS).collect();
    Ok(rows.into_iter().filter(|row| row != "ok").map(shown).collect())
}

/// One check at a time; the kernel releases it however the process ends.
async fn acquire(state_dir: &Path) -> anyhow::Result<File> {
    let file = open_lock(state_dir)?;
    // A running sidecar holds it for an instant to see whether it is held.
    for _ in 0..10 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock"),
        }
    }
    bail!("another quick check is running")
}

fn is_held(state_dir: &Path) -> bool {
    open_lock(state_dir)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn open_lock(state_dir: &Path) -> anyhow::Result<File> {
    let path = state_dir.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.open(&path).with_context(|| format!("cannot open {}", path.display()))
}

/// Replaces the result in one step, so that nobody reads half of one.
fn keep(state_dir: &Path, check: &QuickCheck) -> anyhow::Result<()> {
    let (new, result) = (state_dir.join(format!("{RESULT}.new")), state_dir.join(RESULT));
    let kept = || {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(check)?)?;
        fs::rename(&new, &result)
    };
    kept().with_context(|| format!("cannot keep the result in {}", result.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Executor as _;
    use sqlx::sqlite::SqliteJournalMode;

    /// A database of some megabytes that somebody has open.
    async fn database(file: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut open = options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
        let fill = "CREATE TABLE t (x); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
            SELECT i + 1 FROM n WHERE i < 20000) SELECT randomblob(500) FROM n";
        open.execute(fill).await.unwrap();
        open
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_itself_at_its_limits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.db");
        let mut open = database(&file).await;
        assert_eq!(findings(&file, LIMITS).await.unwrap(), Vec::<String>::new());
        let no_time = Limits { time: Duration::ZERO, ..LIMITS };
        let ended = findings(&file, no_time).await.unwrap_err().to_string();
        assert!(ended.contains("no result after 0 s"), "{ended}");

        // Somebody writes all the while, and the log may not grow by a byte.
        let writing = tokio::spawn(async move {
            loop {
                open.execute("INSERT INTO t VALUES (randomblob(5000))").await.unwrap();
            }
        });
        let no_growth = Limits { wal_bytes: 0, ..LIMITS };
        let begin = Instant::now();
        loop {
            match findings(&file, no_growth).await {
                Err(ended) => {
                    assert!(ended.to_string().contains("write-ahead log grew"), "{ended:#}");
                    break;
                }
                Ok(_) => assert!(begin.elapsed() < Duration::from_secs(30), "it never ends"),
            }
        }
        writing.abort();
    }
}
