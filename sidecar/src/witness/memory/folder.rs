//! The folder of the memory: private, with a key of its own, and loud about what it cannot believe.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use ves::{Hash32, SigningKey};

const DATABASE: &str = "witness.db";
const KEY: &str = "witness.key";
const SCHEMA: &str = include_str!("schema.sql");
/// Longest wait for the other process, an `acknowledge` or the witness.
const BUSY: Duration = Duration::from_secs(5);

/// Something that was not believed, and where it is kept.
#[derive(Debug)]
pub(in super::super) struct SetAside {
    /// What is wrong, in words.
    pub(in super::super) detail: String,
}

/// Opens or makes key and database.
pub(super) async fn open(
    folder: &Path,
) -> anyhow::Result<(SigningKey, SqliteConnection, Vec<SetAside>)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).context("it cannot be made")?;
    let mut aside = Vec::new();
    let had_key = folder.join(KEY).exists();
    let key = match read_key(folder) {
        Ok(Some(key)) => key,
        Ok(None) => make_key(folder)?,
        Err(error) => {
            let kept = move_aside(folder, KEY)?;
            let detail = format!("the witness's key cannot be read ({error:#}); kept as {kept}");
            aside.push(SetAside { detail });
            make_key(folder)?
        }
    };
    let mut connection = match connect(folder, true).await {
        Ok(connection) => connection,
        Err(error) if !is_damage(&error) => return Err(error),
        Err(error) => {
            let kept = move_aside(folder, DATABASE)?;
            let detail = format!(
                "what the witness remembered cannot be read ({error:#}); kept as {kept}, and \
                 everything is verified again from number 1"
            );
            aside.push(SetAside { detail });
            connect(folder, true).await?
        }
    };
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM checkpoints").fetch_one(&mut connection).await?;
    if !had_key && count > 0 {
        let detail = "the witness's key is gone: no checkpoint can be believed".to_owned();
        aside.push(SetAside { detail });
    }
    Ok((key, connection, aside))
}

/// Opens what is there.
pub(super) async fn open_existing(folder: &Path) -> anyhow::Result<(SigningKey, SqliteConnection)> {
    let name = folder.display();
    let nothing = || format!("there is no witness's memory in SIDECAR_STATE_DIR {name}");
    let key = read_key(folder).with_context(|| format!("cannot read SIDECAR_STATE_DIR {name}"))?;
    let key = key.with_context(nothing)?;
    ensure!(folder.join(DATABASE).is_file(), nothing());
    let connection = connect(folder, false).await;
    let connection =
        connection.with_context(|| format!("cannot read the witness's memory in {name}"))?;
    Ok((key, connection))
}

async fn connect(folder: &Path, check: bool) -> anyhow::Result<SqliteConnection> {
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.join(DATABASE))
        .create_if_missing(check)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut may lose the last checkpoints, never tear one: they are verified again.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY)
        .pragma("cache_size", "-512")
        .disable_statement_logging()
        .connect()
        .await
        .context("it is no database")?;
    if check {
        let found: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
        ensure!(found == "ok", "{found}");
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await.context("it has another schema")?;
    }
    Ok(connection)
}

/// Whether the file itself is at fault; a full disk or a busy database is not.
fn is_damage(error: &anyhow::Error) -> bool {
    /// `SQLITE_ERROR` of a foreign schema, `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
    const DAMAGED: [i32; 3] = [1, 11, 26];
    let Some(cause) = error.downcast_ref::<sqlx::Error>() else { return true };
    let code = cause.as_database_error().and_then(|cause| cause.code());
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    // An extended code has the primary one in its last byte.
    code.is_some_and(|code| DAMAGED.contains(&(code & 0xff)))
}

fn read_key(folder: &Path) -> anyhow::Result<Option<SigningKey>> {
    let file = match OpenOptions::new().read(true).open(folder.join(KEY)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("the key cannot be opened"),
    };
    let mut text = String::new();
    file.take(1_024).read_to_string(&mut text).context("the key cannot be read")?;
    let seed = Hash32::parse_bare(text.trim()).context("it is not 64 hex digits")?;
    Ok(Some(SigningKey::from_seed(&seed.0)))
}

fn make_key(folder: &Path) -> anyhow::Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let file = folder.join(KEY);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let mut made = made.with_context(|| format!("cannot make {}", file.display()))?;
    writeln!(made, "{}", Hash32(seed)).and_then(|()| made.sync_all()).context("cannot write it")?;
    Ok(SigningKey::from_seed(&seed))
}

/// Renames a file and what belongs to it; gives the new name.
fn move_aside(folder: &Path, name: &str) -> anyhow::Result<String> {
    let kept = format!("{name}.unreadable-{}", crate::clock::now().as_micros());
    for end in ["", "-wal", "-shm"] {
        let (from, to): (PathBuf, PathBuf) =
            (folder.join(format!("{name}{end}")), folder.join(format!("{kept}{end}")));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot set {} aside", from.display()));
            }
            _ => {}
        }
    }
    Ok(kept)
}
